"""What the generators cost: windows against the whole crop, and against this machine's peak."""

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.cascade.cascade import Cascade
from nodegen.cascade.pyramid import Plan
from nodegen.constants import CROP_PX, KERNEL, LAYERS, MASK_REACH_PX
from nodegen.settings import WINDOWS

SIDES_PX = (32, 54, 109)  # NODE21's boxes at the 5th, 50th and 95th percentile
PAIR = 2  # the paste and the untouched crop go through together


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median time of ``work`` in ms, after one run that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def interleaved_ms(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median time in ms of each of ``works``, run in turns so that drift hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def support_of(side_px: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The blurred mask's support in the middle of a crop, for a nodule of ``side_px``."""
    low = (CROP_PX - side_px) // 2
    span = max(low - MASK_REACH_PX, 0), min(low + side_px + MASK_REACH_PX, CROP_PX)
    return span, span


def measure_windows(cascade: Cascade, n0: int, repeats: int) -> dict[str, dict[str, float]]:
    """Time the generators with each kind of window, for each box side.

    Returns
    -------
    dict
        By box side: ``full_ms``, ``exact_ms``, ``default_ms``, the two speed-ups, and the
        operations of the default windows and of the whole crop, in GFLOP.
    """
    rng = np.random.default_rng(0)
    shape = (CROP_PX, CROP_PX)
    images = torch.from_numpy(rng.uniform(-1, 1, (PAIR, 1, *shape)).astype(np.float32))
    images = images.to(cascade.device)
    noise = cascade.draw_noise(rng, cascade.plan(shape, n0, support_of(CROP_PX), "full"))
    results = {}
    for side in SIDES_PX:
        plans = {w: cascade.plan(shape, n0, support_of(side), w) for w in WINDOWS}
        works: dict[str, Callable[[], object]] = {
            w: partial(_harmonise, cascade, images, n0, noise, plan) for w, plan in plans.items()
        }
        ms = interleaved_ms(works, repeats)
        results[str(side)] = {
            **{f"{w}_ms": ms[w] for w in WINDOWS},
            "speedup_exact": ms["full"] / ms["exact"],
            "speedup_windowed": ms["full"] / ms["default"],
            **{
                f"{w}_gflop": PAIR * operations(plans[w], cascade.channels[n0:]) / 1e9
                for w in WINDOWS
            },
        }
    return results


def _harmonise(
    cascade: Cascade, images: torch.Tensor, n0: int, noise: list[torch.Tensor], plan: Plan
) -> torch.Tensor:
    return cascade.harmonise(images, n0, noise, plan).cpu()  # .cpu() waits for a GPU


def peak_fraction(cascade: Cascade, n0: int, side_px: int, repeats: int) -> dict[str, float]:
    """What part of a plain convolution's speed the generators reach in the default windows.

    The peak is measured layer by layer, on convolutions of the very shapes that the windows need,
    on contiguous channels-last input, with nothing before or after them.
    """
    rng = np.random.default_rng(1)
    shape = (CROP_PX, CROP_PX)
    images = torch.from_numpy(rng.uniform(-1, 1, (PAIR, 1, *shape)).astype(np.float32))
    images = images.to(cascade.device)
    plan = cascade.plan(shape, n0, support_of(side_px))
    noise = cascade.draw_noise(rng, plan)
    convolutions = []
    for n, (rows, columns) in enumerate(plan.scales, n0):
        height, width = (axis.out[1] - axis.out[0] for axis in (rows, columns))
        for layer, (weight, bias) in enumerate(cascade.quick_layers[n]):
            grown = (LAYERS - layer) * (weight.shape[-1] - 1)
            x = torch.randn(PAIR, weight.shape[1], height + grown, width + grown)
            x = x.to(cascade.device, weight.dtype).contiguous(memory_format=torch.channels_last)
            convolutions.append((x, weight, bias))

    @torch.inference_mode()
    def plain() -> None:
        for x, weight, bias in convolutions:
            F.conv2d(x, weight, bias)
        if cascade.device.type == "cuda":
            torch.cuda.synchronize()

    works: dict[str, Callable[[], object]] = {
        "plain": plain,
        "generators": partial(_harmonise, cascade, images, n0, noise, plan),
    }
    ms = interleaved_ms(works, repeats)
    gflop = PAIR * operations(plan, cascade.channels[n0:]) / 1e9
    return {
        "window_gflop": gflop,
        "peak_gflops": 1000 * gflop / ms["plain"],
        "reached_gflops": 1000 * gflop / ms["generators"],
        "peak_fraction": ms["plain"] / ms["generators"],
    }


def slope(points: dict[str, float]) -> float:
    """Least-squares slope of values over the numbers that are their keys."""
    x = np.array([float(key) for key in points])
    return float(np.polyfit(x, np.array(list(points.values())), 1)[0]) if len(x) > 1 else 0.0


def operations(plan: Plan, channels: list[int]) -> int:
    """Floating-point operations of the plan's convolutions, for one image.

    Parameters
    ----------
    plan : Plan
        What is computed for one box: rows and columns of each scale, px.
    channels : list of int
        Inner width of the generator at each scale from the plan's first on.
    """
    total = 0
    for (rows, columns), width_inner in zip(plan.scales, channels, strict=False):
        height, width = (axis.out[1] - axis.out[0] for axis in (rows, columns))
        for layer in range(LAYERS):
            grown = (LAYERS - 1 - layer) * (KERNEL - 1)
            ends = 1 if layer in (0, LAYERS - 1) else width_inner
            total += 2 * KERNEL**2 * width_inner * ends * (height + grown) * (width + grown)
    return total
