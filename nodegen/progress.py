"""Progress: a bar where there is a terminal, a plain line now and then where there is none."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LINE_EVERY_S = 10.0  # without a terminal


def track(steps: Iterable[T], total: int, label: str, unit: str, show: bool = True) -> Iterator[T]:
    """Yield from ``steps`` and show on stdout how far they are.

    Parameters
    ----------
    steps : iterable
        What is yielded, one by one.
    total : int
        Number of steps.
    label, unit : str
        What is done, and what is counted.
    show : bool
        False for silence.
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
