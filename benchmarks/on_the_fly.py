"""Nodules on the fly: images a second of one worker of a training loop."""

import time
from typing import Any

import numpy as np
import torch

from benchmarks.machine import convolution_gflops
from nodegen.dataset.transform import AddNodules
from nodegen.settings import METHODS, Method, Settings
from research.phantom.anatomy import Anatomy
from research.phantom.render import radiograph

PIXELS = (1024, 512)  # sides of the radiographs, px


def measure_on_the_fly(images: int, nodules: tuple[int, int] = (1, 3)) -> dict[str, Any]:
    """Images a second of one thread, by method and size of the radiograph; CPU time of each.

    Parameters
    ----------
    images : int
        Of each method and size, after one whose lungs are found for the first time.
    nodules : tuple of int
        In an image, fewest and most.

    Returns
    -------
    dict
        ``rows``, each with ``method``, ``side_px``, ``images_per_s`` by the clock,
        ``images_per_cpu_s`` and ``first_s``, the CPU seconds that the lungs cost in the first
        epoch; ``convolution_gflops`` by the clock and ``convolution_gflops_by_cpu``.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as a loader's worker computes
    whole = radiograph(Anatomy(np.random.default_rng(0)))
    rows, speeds = [], [convolution_gflops()]
    try:
        for side in PIXELS:
            step = len(whole) // side
            small = whole.reshape(side, step, side, step).mean((1, 3)).astype(whole.dtype)
            for method in METHODS[:3]:
                rows.append(_row(small, method, images, nodules))
        speeds.append(convolution_gflops())
    finally:
        torch.set_num_threads(before)
    by_clock, by_cpu = np.mean(speeds, axis=0)
    return {
        "rows": rows,
        "convolution_gflops": float(by_clock),
        "convolution_gflops_by_cpu": float(by_cpu),
    }


def _row(
    pixels: np.ndarray, method: Method, images: int, nodules: tuple[int, int]
) -> dict[str, Any]:
    add = AddNodules(nodules=nodules, settings=Settings(method=method))
    add.renderer.open()
    start = time.process_time()
    add({add.key: pixels})
    first = time.process_time() - start
    clock, cpu = time.perf_counter(), time.process_time()
    for _ in range(images):
        add({add.key: pixels})
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    return {
        "method": method,
        "side_px": len(pixels),
        "images_per_s": images / clock,
        "images_per_cpu_s": images / cpu,
        "first_s": first - cpu / images,
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as a table of Markdown."""
    lines = [
        f"Beside a plain convolution of {figures['convolution_gflops']:.0f} GFLOP/s a thread "
        f"({figures['convolution_gflops_by_cpu']:.0f} by CPU time).",
        "",
        "| radiograph | method | images a second a worker | by CPU time | lungs, once, CPU s |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['side_px']} px | {row['method']} | {row['images_per_s']:.2f} | "
        f"{row['images_per_cpu_s']:.2f} | {row['first_s']:.1f} |"
        for row in figures["rows"]
    ]
    return "\n".join(lines)
