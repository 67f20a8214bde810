"""Worker processes: what they give, and that none is left, however they or their parent end."""

import operator
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nodegen import renderer as renderer_module
from nodegen.errors import OutputError
from nodegen.io.boxes import Box
from nodegen.processes import Processes
from nodegen.renderer import Renderer
from nodegen.settings import Settings

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked on Linux alone"
)


def started(work, count=2):
    """Processes that do this work, which the standard library or NumPy has."""
    return Processes(count, partial(partial, work))


def children(pid):
    """The processes that a process has started and that still run."""
    said = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return {int(number) for number in " ".join(said).split()}


def ended(pids, seconds=20):
    """Whether all these processes end in time."""
    until = time.monotonic() + seconds
    while (left := [pid for pid in pids if os.path.exists(f"/proc/{pid}")]) and (
        time.monotonic() < until
    ):
        time.sleep(0.02)
    return not left


def descendants(pid):
    return children(pid) | {one for child in children(pid) for one in children(child)}


def test_arrays_go_and_come_back_whatever_their_size():
    processes = started(np.add)
    for size in (5, 0, 10**6, 7):
        array = np.arange(size)[:, None]
        made = processes.run((array, array))
        np.testing.assert_array_equal(made, 2 * array)
        made += 1  # it belongs to who asked


def test_a_fault_reaches_whoever_waits_for_it():
    processes = started(operator.truediv, 1)
    with pytest.raises(ZeroDivisionError):
        processes.run((1, 0))
    assert processes.run((1, 2)) == 0.5
    assert not processes.broken


@pytest.mark.parametrize(
    ("prepare", "fault"),
    [(partial(eval, "1 / 0"), ZeroDivisionError),
     (partial(__import__, "no_such_module"), ModuleNotFoundError)],
)  # fmt: skip
def test_a_fault_while_they_are_prepared_is_every_tasks_answer(prepare, fault):
    processes = Processes(2, prepare)
    for _ in range(3):
        with pytest.raises(fault):
            processes.run(())


def test_a_process_that_is_killed_is_missed_and_takes_none_with_it():
    processes = started(eval)
    with pytest.raises(OutputError, match=r"ended from outside.*fewer --workers"):
        processes.run(("__import__('os').abort()",))
    assert processes.broken
    assert processes.run(("1 + 1",)) == 2  # the other one


def test_processes_end_with_what_holds_them():
    before = children(os.getpid())
    processes = started(os.getpid)
    own = {processes.run(()) for _ in range(2)}
    assert len(own) == 2
    del processes
    assert ended(own)
    assert children(os.getpid()) == before


def test_processes_end_where_their_parent_is_killed():
    code = (
        "import functools, os, time; from nodegen.processes import Processes\n"
        "processes = Processes(3, functools.partial(functools.partial, os.getpid))\n"
        "print(processes.run(()), flush=True); time.sleep(99)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert run.stdout
    own = int(run.stdout.readline())
    left = descendants(run.pid)
    assert own in left
    assert len(left) == 4
    run.kill()
    run.communicate()
    assert ended(left)


# --- slices ---------------------------------------------------------------------------------------


@pytest.fixture
def long_stack(monkeypatch):
    """A stack that is rendered by processes, and its boxes."""
    monkeypatch.setattr(renderer_module, "LONG_STACK", 3)
    monkeypatch.setattr(renderer_module, "MANY_WORKERS", 2)
    pixels = np.random.default_rng(0).integers(0, 4096, (3, 260, 270)).astype(np.uint16)
    return pixels, [Box(n, 100, 90 + n, 150, 140 + n, i) for i, n in enumerate((0, 1, 1, 2))]


@pytest.mark.parametrize("asked", [True, False])
def test_processes_give_what_threads_give(long_stack, tiny_model, monkeypatch, asked):
    settings = Settings(model=tiny_model, workers=2)
    renderer = Renderer(settings)
    if asked:  # as on a GPU
        open_all = partial(renderer_module._open_elsewhere, settings, asked)
        renderer._processes = Processes(2, open_all)
    made = renderer.apply(*long_stack, seed=1)
    assert renderer._processes
    assert not renderer._processes.broken
    monkeypatch.setattr(renderer_module, "LONG_STACK", 4)
    expected = Renderer(settings).apply(*long_stack, seed=1)
    np.testing.assert_array_equal(made.image, expected.image)
    np.testing.assert_array_equal(made.mask, expected.mask)
    assert made.recipes == expected.recipes


def test_a_renderer_starts_processes_anew_where_one_was_killed(long_stack, monkeypatch):
    before = children(os.getpid())
    renderer = Renderer(Settings(method="paste", workers=2))
    made = renderer.apply(*long_stack, seed=1)
    (parent,) = children(os.getpid()) - before
    for process in children(parent):
        os.kill(process, signal.SIGKILL)
    with pytest.raises(OutputError, match="ended from outside"):
        renderer.apply(*long_stack, seed=1)
    again = renderer.apply(*long_stack, seed=1)
    np.testing.assert_array_equal(made.image, again.image)
    assert ended([parent])
    monkeypatch.setattr(renderer_module, "LONG_STACK", 4)
    threads = Renderer(Settings(method="paste", workers=2)).apply(*long_stack, seed=1)
    np.testing.assert_array_equal(made.image, threads.image)
