"""One run of the benchmark: every part after the other, each figure with its name."""

import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.baseline import measure_baseline
from benchmarks.generators import measure_windows, peak_fraction, slope
from benchmarks.machine import convolution_gflops, measure_workers
from benchmarks.stacks import measure_saving, measure_stacks, measure_startup
from benchmarks.steps import box_of, fixed_ms, measure_methods, measure_steps
from nodegen import __version__
from nodegen.constants import CLASSES, CROP_PX, N0
from nodegen.errors import SettingError
from nodegen.io.boxes import BOXES, Box, read_boxes
from nodegen.io.stack import Stack, read_stack
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import to_unit
from nodegen.synthesis.fit_to_box import crop_window
from nodegen.workers import available_cpus
from research.phantom import write_phantom

SEED = 1
PHANTOM_SLICES = 2
CLASS = CLASSES[0]


def measure(
    stack: Path | None,
    boxes: Path | None,
    repeats: int,
    counts: tuple[int, ...],
    saving_slices: int,
    workers: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Measure everything on a stack and its boxes, or on a phantom.

    Returns
    -------
    dict
        ``speedup_exact`` and ``speedup_windowed`` by box side, ``peak_fraction``,
        ``fixed_ms_per_slice``, ``startup_s``, ``stack_s`` and ``peak_mib`` by number of slices,
        ``workers`` by their number, and what they come from. But for the stacks, which have as many
        workers as there are processors, everything is timed on one thread.
    """
    with tempfile.TemporaryDirectory() as folder:
        if stack is None or boxes is None:
            stack = write_phantom(Path(folder), PHANTOM_SLICES, SEED)
            boxes = stack.with_name(BOXES)
        loaded = read_stack(stack)
        listed = read_boxes(boxes, loaded.pixels.shape)
    if min(loaded.pixels.shape[1:]) < CROP_PX:
        raise SettingError(
            f"The slices of {stack} are {loaded.pixels.shape[2]} x {loaded.pixels.shape[1]} px, "
            f"where {CROP_PX} or more are wanted; give another stack."
        )
    return _figures(loaded, listed, repeats, counts, saving_slices, workers)


def _figures(
    stack: Stack,
    boxes: list[Box],
    repeats: int,
    counts: tuple[int, ...],
    saving_slices: int,
    workers: tuple[int, ...],
) -> dict[str, Any]:
    torch.set_num_threads(1)  # as each worker computes
    renderer = Renderer(Settings())
    cpus = available_cpus()
    speeds = [convolution_gflops()]
    cascade, n0 = renderer.cascades[CLASS], N0[CLASS][0]
    print("generators …", flush=True)
    generators = measure_windows(cascade, n0, 3 * repeats)  # its ratios are what is promised
    peak = peak_fraction(cascade, n0, 54, repeats)
    print("methods and steps …", flush=True)
    methods = measure_methods(stack, SEED, repeats)
    steps = measure_steps(stack, SEED, repeats)
    slice01 = to_unit(stack.pixels[0])
    crop = slice01[crop_window(box_of(54, slice01.shape), slice01.shape)]
    baseline = measure_baseline(crop, renderer.library, repeats)
    speeds.append(convolution_gflops())
    print("workers …", flush=True)
    by_workers = measure_workers(stack, boxes, workers or tuple(sorted({1, cpus})), min(repeats, 3))
    print("stacks …", flush=True)
    stacks = measure_stacks(stack, boxes, counts, {"device": renderer.device.type})
    saving = measure_saving(stack, boxes, saving_slices, {"device": renderer.device.type})
    seconds = {count: values["seconds"] for count, values in stacks.items()}
    return {
        "nodegen": __version__,
        "torch": torch.__version__,
        "device": renderer.device.type,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "cpus": cpus,
        **_speeds([*speeds, convolution_gflops()]),
        "n0": n0,
        "generators": generators,
        "speedup_exact": {side: g["speedup_exact"] for side, g in generators.items()},
        "speedup_windowed": {side: g["speedup_windowed"] for side, g in generators.items()},
        **peak,
        "methods_ms": methods,
        "baseline_ms": baseline,
        "steps_ms": steps,
        "fixed_ms_per_slice": fixed_ms(steps),
        "slice_s": (fixed_ms(steps) + methods["singan"]["54"]) / 1000,
        "workers": by_workers,
        **measure_startup(stack, boxes, min(repeats, 3)),
        **saving,
        "stack_s": seconds,
        "peak_mib": {count: values["peak_mib"] for count, values in stacks.items()},
        "stack_mib": {count: int(count) * stack.pixels[0].nbytes / 2**20 for count in stacks},
        "s_per_slice": slope(seconds),
        "boxes_per_slice": len(boxes) / len(stack.pixels),
    }


def _speeds(measured: list[tuple[float, float]]) -> dict[str, float]:
    by_clock, by_cpu = np.mean(measured, axis=0)
    return {"convolution_gflops": float(by_clock), "convolution_gflops_by_cpu": float(by_cpu)}
