"""Workers: results in order, faults at their turn, nothing left running; how many there may be."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from nodegen.errors import SettingError
from nodegen.io.boxes import Box
from nodegen.pipeline import generate
from nodegen.renderer import LONG_STACK, MANY_WORKERS, Renderer
from nodegen.settings import Settings
from nodegen.workers import AHEAD, available_cpus, side_by_side, workers_for

BOXES = tuple(
    (n % 5, 20 + 40 * (n % 4), 30 + 9 * n, 60 + 40 * (n % 4), 70 + 9 * n) for n in range(9)
)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results_come_in_order_and_few_are_in_flight(workers):
    begun = []

    def items():
        for number in range(30):
            begun.append(number)
            yield number

    def work(number):
        time.sleep(0.001 * (number % 3))
        return -number

    for turn, made in enumerate(side_by_side(work, items(), workers)):
        assert made == -turn
        assert len(begun) <= turn + 1 + AHEAD * workers


@pytest.mark.parametrize("workers", [1, 3])
def test_a_fault_is_raised_at_its_items_turn(workers):
    def work(number):
        if number == 4:
            raise SettingError("four is not allowed.")
        return number

    made = []
    with pytest.raises(SettingError, match=r"^four"):
        made.extend(side_by_side(work, range(9), workers))
    assert made == [0, 1, 2, 3]
    assert not [t for t in threading.enumerate() if t.name.startswith("nodegen")]


def test_an_interrupt_waits_for_what_is_begun_alone():
    begun, done = threading.Barrier(3), []

    def work(number):
        if number < 3:
            begun.wait()
        done.append(number)

    def interrupted():
        yield from (1, 2)
        begun.wait()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(work, interrupted(), 2))
    assert sorted(done) == [1, 2]
    assert not [t for t in threading.enumerate() if t.name.startswith("nodegen")]


@pytest.mark.parametrize("workers", [1, 2])
def test_torch_computes_alone_and_gets_its_threads_back(workers):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        seen = side_by_side(lambda _: torch.get_num_threads(), range(9), workers)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 2])
def test_torch_computes_alone_where_the_work_is_the_first_to_import_it(workers):
    code = (
        "from nodegen.workers import side_by_side\n"
        "def threads(_):\n    import torch\n    return torch.get_num_threads()\n"
        f"print(set(side_by_side(threads, range(3), {workers})))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "{1}\n"


def blas_threads(_=None):
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("workers", [1, 2])
def test_products_of_matrices_are_computed_alone(workers):
    """Threads of a small product wait busily: ten times the time, on a busy machine."""
    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()
        begun = side_by_side(blas_threads, range(2), 1)
        assert next(begun) == {1}
        assert all(found == {1} for found in side_by_side(blas_threads, range(5), workers))
        assert list(begun) == [{1}]  # who leaves first takes nothing from who stays
        assert blas_threads() == before


def descendants(pid):
    """Processes that a process has started, and theirs."""
    said = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    own = {int(number) for number in " ".join(said).split()}
    return own.union(*map(descendants, own))


# --- the same bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["singan", "paste"])
def test_a_stack_has_the_same_bytes_whatever_the_number(make_input, tiny_model, tmp_path, method):
    folder, written = make_input(BOXES, shape=(5, 300, 320)), []
    for workers in (1, 2, 5, 16):
        out = tmp_path / str(workers)
        settings = Settings(model=tiny_model, method=method, workers=workers)
        generate(folder, out, settings, masks=out / "masks", progress=False)
        written.append([p.read_bytes() for p in sorted(out.rglob("*.*")) if p.is_file()])
    assert len(written[0]) == 3
    assert all(one == written[0] for one in written)


def test_arrays_have_the_same_pixels_whatever_the_number(tiny_model):
    pixels = np.random.default_rng(0).integers(0, 4096, (3, 260, 270)).astype(np.uint16)
    boxes = [Box(n, 100, 90 + n, 150, 140 + n) for n in (0, 1, 1, 2)]
    made = [
        Renderer(Settings(model=tiny_model, workers=n)).apply(pixels, boxes, seed=1) for n in (1, 3)
    ]
    np.testing.assert_array_equal(made[0].image, made[1].image)
    np.testing.assert_array_equal(made[0].mask, made[1].mask)


@pytest.mark.parametrize(
    ("slices", "workers", "sent"),
    [(8, 2, signal.SIGTERM), (LONG_STACK, MANY_WORKERS, signal.SIGINT)],
)
def test_an_interrupt_leaves_nothing(make_input, tmp_path, slices, workers, sent):
    boxes = [(n % 8, 30, 30, 130, 130) for n in range(80)]  # what is planned comes first
    folder, out = make_input(boxes, shape=(slices, 300, 320)), tmp_path / "out"
    arguments = ["--input", folder, "--output", out, "--workers", str(workers)]
    run = subprocess.Popen([sys.executable, "-m", "nodegen", "generate", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)  # fmt: skip
    own = set()
    while not list(out.glob("*")) or len(own) < (workers + 1) * (slices >= LONG_STACK):
        assert run.poll() is None
        own |= descendants(run.pid)
        time.sleep(0.02)
    os.killpg(run.pid, sent)  # as a terminal does
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 128 + sent
    assert "nothing was written" in said.strip().splitlines()[-1]
    assert not list(out.glob("*"))
    assert not [pid for pid in own if Path(f"/proc/{pid}").exists()]


# --- how many -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threads", "expected"), [("", 12), ("1", 1), ("4,2", 4), ("99", 12)])
def test_processors_are_those_that_the_scheduler_leaves(monkeypatch, threads, expected):
    monkeypatch.setattr("loky.cpu_count", lambda: 12)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert available_cpus() == expected


def test_no_more_workers_than_slices():
    assert [workers_for(wanted, items) for wanted, items in ((4, 2), (2, 9), (3, 0))] == [2, 2, 1]
    with pytest.raises(SettingError, match="greater than or equal to 1"):
        Settings(workers=0)
