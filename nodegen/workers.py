"""Work through items: side by side in a pool of threads, and with the progress on stdout.

Threads share the stack, the library and the cascades in memory, and start at once; torch, NumPy and
SciPy let go of Python's lock for most of a slice. Beyond some four of them processes
(:mod:`nodegen.processes`) do what the threads of a long stack ask for. Each computes by itself
alone: several threads in one small convolution or product of matrices wait for each other, busily
where another process takes a core, at many times the cost.
"""

import ctypes
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")

LINE_EVERY_S = 10.0  # between two lines of progress, without a terminal
AHEAD = 2  # items a worker that may be begun before the one that is waited for: bounds the memory


def side_by_side(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield what ``work`` makes of each item, in the items' order; of a fault, at its item's turn.

    Where it ends early, what has not begun is dropped, and the rest is waited for.

    Parameters
    ----------
    work, items : callable, iterable
        Called in one of the threads, with an item.
    workers : int
        Threads; 1: the calling one.

    Examples
    --------
    >>> list(side_by_side(abs, [-1, -2, 3], 2))
    [1, 2, 3]
    """
    with _torch_threads_kept(), _blas_alone():
        if workers == 1:
            _compute_alone()
            yield from map(work, items)
            return
        pool = ThreadPoolExecutor(workers, "nodegen", initializer=_compute_alone)
        begun: deque[Future[R]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > AHEAD * workers:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _compute_alone() -> None:
    """Let torch compute in the calling thread only, also where the work is the first to use it."""
    import torch  # slow to import

    torch.set_num_threads(1)


@contextmanager
def _torch_threads_kept() -> Iterator[None]:
    """Give the caller's torch its number of threads back."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


_blas_lock = threading.Lock()
_blas_users = 0
_blas_limit: Any = None


@contextmanager
def _blas_alone() -> Iterator[None]:
    """Let NumPy's linear algebra compute in the calling thread only.

    Its limit is the whole process's: who comes first sets it, who leaves last takes it away.
    """
    global _blas_users, _blas_limit
    with _blas_lock:
        if _blas_users == 0:
            _blas_limit = threadpool_limits(1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0:
                _blas_limit.restore_original_limits()


def keep_memory() -> None:
    """Let glibc keep up to 64 MiB that is free, and give arrays of up to 32 MiB from it.

    Else the arrays of each slice go back to the system, whose new pages cost a tenth of its time.
    """
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 64 << 20)  # M_TRIM_THRESHOLD


# --- how many -------------------------------------------------------------------------------------


def workers_for(wanted: int | None, items: int) -> int:
    """How many workers take ``items`` on: those wanted (None: as many as there are processors)."""
    return max(1, min(wanted or available_cpus(), items))


def available_cpus() -> int:
    """Processors that this process may really use, at least 1.

    The least of those that its affinity, its control group and ``OMP_NUM_THREADS`` leave.
    """
    import loky  # slow to import

    cpus = int(loky.cpu_count())
    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return min(cpus, max(1, int(threads))) if threads.isdecimal() else cpus


# --- progress -------------------------------------------------------------------------------------


def track(steps: Iterable[T], total: int, label: str, unit: str, show: bool = True) -> Iterator[T]:
    """Yield from ``steps``, ``total`` in number, and show on stdout how far they are.

    ``label`` says what is done, ``unit`` what is counted; without ``show`` all is silent.
    """
    if not show:
        yield from steps
        return
    if sys.stdout.isatty():
        from tqdm import tqdm

        yield from tqdm(steps, total=total, desc=label, unit=unit, file=sys.stdout)
        return
    shown = time.monotonic()
    for done, step in enumerate(steps, 1):
        yield step
        if done == total or time.monotonic() - shown > LINE_EVERY_S:
            print(f"{label}: {done} of {total} {unit}s", flush=True)
            shown = time.monotonic()
