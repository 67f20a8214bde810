"""The machine: how fast it convolves, what its processors give together, and what that promises.

Times hold for the machine that they were measured on. Told as *worth*, the GFLOP that a plain
convolution does on one thread in the same time, they carry over: most of a box is convolutions.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.generators import PAIR
from nodegen.constants import KERNEL
from nodegen.io.boxes import Box
from nodegen.io.stack import Stack
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.training.profiles import CHANNELS

SLICES_A_WORKER = 2  # at least, where workers are measured
PLAIN_PX = 128  # side of the plain convolution's output
SPEEDS = (50, 100, 200, 400)  # GFLOP/s a thread, for the table of what to expect
STACKS = ((1, 2), (20, 40), (200, 400))  # slices and boxes, for the same


def convolution_gflops(repeats: int = 15) -> tuple[float, float]:
    """GFLOP/s of one thread in a plain convolution of the generators' width and kernel.

    Returns
    -------
    by_clock, by_cpu : float
        Medians. The first is the lower one where other work takes the processor away meanwhile.
    """
    side = PLAIN_PX + KERNEL - 1
    x = torch.randn(PAIR, CHANNELS, side, side).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(CHANNELS, CHANNELS, KERNEL, KERNEL)
    weight = weight.contiguous(memory_format=torch.channels_last)
    gflop = 2 * PAIR * (CHANNELS * KERNEL * PLAIN_PX) ** 2 / 1e9
    seconds = []
    with torch.inference_mode():
        F.conv2d(x, weight)
        for _ in range(repeats):
            clock, cpu = time.perf_counter(), time.thread_time()
            F.conv2d(x, weight)
            seconds.append((time.perf_counter() - clock, time.thread_time() - cpu))
    by_clock, by_cpu = gflop / np.median(np.array(seconds), axis=0)
    return float(by_clock), float(by_cpu)


def measure_workers(
    stack: Stack, boxes: list[Box], counts: tuple[int, ...], repeats: int
) -> dict[str, dict[str, float]]:
    """Boxes a second by number of workers, and the CPU time of each box, measured in turns.

    Returns
    -------
    dict
        By number of workers: ``boxes_per_s``, ``cpu_ms_per_box`` and ``efficiency``, boxes a second
        over those of one worker times their number.
    """
    rounds = -(-SLICES_A_WORKER * max(counts) // len(stack.pixels))
    pixels = np.concatenate([stack.pixels] * rounds)
    todo = [
        replace(box, slice=box.slice + turn * len(stack.pixels), index=turn * len(boxes) + i)
        for turn in range(rounds)
        for i, box in enumerate(boxes)
    ]
    times: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    renderers = {count: Renderer(Settings(workers=count)) for count in counts}
    for _ in range(repeats):
        for count, renderer in renderers.items():
            renderer.open()
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in renderer.render_stack(pixels, todo, 0, "challenge"):
                pass
            times[count].append((time.perf_counter() - wall, time.process_time() - cpu))
    results = {}
    for count, seen in times.items():
        wall, cpu = np.median(np.array(seen), axis=0)
        results[count] = {"boxes_per_s": len(todo) / wall, "cpu_ms_per_box": 1000 * cpu / len(todo)}
    alone = results[min(counts)]["boxes_per_s"] / min(counts)
    for count, found in results.items():
        found["efficiency"] = found["boxes_per_s"] / (count * alone)
    return {str(count): found for count, found in results.items()}


def expected_s(figures: dict[str, Any], slices: int, boxes: int, speed: float, cpus: int) -> float:
    """Seconds that a stack takes on a machine of another speed, by this one's figures.

    All scales with the convolution's speed; slices beside each other as efficiently as measured.

    Parameters
    ----------
    figures : dict
        What was measured on this machine: times in s and ms, and the efficiency of its workers.
    slices : int
        In the stack.
    boxes : int
        In the whole stack.
    speed : float
        GFLOP/s of one thread.
    cpus : int
        Workers.
    """
    known = {int(n): w["efficiency"] for n, w in figures["workers"].items()}
    efficiency = known[max(n for n in known if n <= max(cpus, min(known)))]
    # A slice's fixed steps hold those of one box: its place, paste and add-back.
    work_ms = slices * figures["fixed_ms_per_slice"] + boxes * figures["steps_ms"]["generators"]
    together = min(cpus, slices) * (efficiency if cpus > 1 and slices > 1 else 1)
    here = figures["startup_s"] - figures["slice_s"] + work_ms / 1000 / together
    return float(here * figures["convolution_gflops"] / speed)
