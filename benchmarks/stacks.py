"""What whole stacks cost: time, its slope, and peak memory, each run in a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from nodegen.io.boxes import BOXES, Box, write_boxes
from nodegen.io.stack import Stack, stack_writer
from research.phantom import GEOMETRY

PROCESS = """
import json, re, sys, time
started = time.perf_counter()
from pathlib import Path
from nodegen.cascade import cascade
from nodegen.pipeline import generate
from nodegen.settings import Settings
if sys.argv[4:] == ["unfolded"]:
    from benchmarks.unfolded import Unfolded
    cascade.Cascade = Unfolded
generate(Path(sys.argv[1]), Path(sys.argv[2]), Settings(**json.loads(sys.argv[3])), progress=False)
seconds = time.perf_counter() - started
# Of this process alone: what getrusage tells begins with the parent's own peak.
peak_kib = re.search("VmHWM: *(.*) kB", Path("/proc/self/status").read_text().replace("\t", " "))[1]
print(json.dumps({"seconds": seconds, "peak_mib": int(peak_kib) / 1024}))
"""


def write_tiled(folder: Path, stack: Stack, boxes: list[Box], slices: int) -> None:
    """Write a stack of ``slices`` slices made of the given ones, shifted so that all differ."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (slices, *stack.pixels.shape[1:])
    repeated = []
    with stack_writer(folder / "bench.mha", GEOMETRY, shape, stack.pixels.dtype) as write:
        for number in range(slices):
            turn, source = divmod(number, len(stack.pixels))
            write(np.roll(stack.pixels[source], turn, axis=1))
            repeated += [replace(b, slice=number) for b in boxes if b.slice == source]
    write_boxes(folder / BOXES, [replace(box, index=i) for i, box in enumerate(repeated)])


def run_alone(folder: Path, settings: dict[str, object], *more: str) -> dict[str, float]:
    """Generate from ``folder`` in a new process: its seconds, imports included, and peak MiB."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-c", PROCESS, str(folder), output, json.dumps(settings), *more]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure_stacks(
    stack: Stack, boxes: list[Box], counts: tuple[int, ...], settings: dict[str, object]
) -> dict[str, dict[str, float]]:
    """Seconds and peak MiB of stacks of ``counts`` slices, by number of slices."""
    results = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_tiled(Path(folder), stack, boxes, count)
            results[str(count)] = run_alone(Path(folder), settings)
    return results


def measure_saving(
    stack: Stack, boxes: list[Box], slices: int, settings: dict[str, object]
) -> dict[str, float]:
    """Seconds of one stack as it is, and with the whole crop computed and no norm folded in."""
    with tempfile.TemporaryDirectory() as folder:
        write_tiled(Path(folder), stack, boxes, slices)
        quick = run_alone(Path(folder), settings)["seconds"]
        plain = run_alone(Path(folder), {**settings, "windows": "full"}, "unfolded")["seconds"]
    return {
        "saving_slices": slices,
        "saving_s": quick,
        "saving_full_unfolded_s": plain,
        "speedup_stack": plain / quick,
    }


def measure_startup(stack: Stack, boxes: list[Box], repeats: int) -> dict[str, float]:
    """Seconds from the start of a process to ``--help``, and to the first slice's end."""
    help_s = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nodegen", "--help"], check=True, capture_output=True)
        help_s.append(time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder:
        write_tiled(Path(folder), stack, boxes, 1)
        first_s = []
        for _ in range(repeats):
            started = time.perf_counter()
            run_alone(Path(folder), {})
            first_s.append(time.perf_counter() - started)
    return {"help_s": float(np.median(help_s)), "startup_s": float(np.median(first_s))}
