"""What a GPU gives: boxes a second of whole stacks and of the cascade alone, and equal results.

``python -m benchmarks.gpu [--slices 100] [--workers 16]`` prints one line of JSON after the other,
and takes less than four minutes on a machine with a GPU.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from nodegen.cascade.batched import BATCH, FIRST, BatchedCascade
from nodegen.io.boxes import Box
from nodegen.phantom.anatomy import draw_anatomy
from nodegen.phantom.render import radiograph
from nodegen.renderer import Renderer
from nodegen.settings import MODEL, Settings

PHANTOMS = 4  # different radiographs; a stack repeats them, shifted
BOXES_A_SLICE = 2
EQUAL_SLICES = 4  # that a GPU and a CPU both render


def main(argv: list[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--slices", type=int, default=100, metavar="N", help="(default: 100)")
    parser.add_argument("--workers", type=int, nargs="+", default=[8, 16, 32], metavar="N")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    args = parser.parse_args(argv)
    pixels, boxes = stack(args.slices)
    on_gpu = args.device == "cuda"
    say(torch=torch.__version__, device=torch.cuda.get_device_name() if on_gpu else "cpu")
    if on_gpu:
        say(**measure_cascade(args.device, 40))
    sums = set()
    for workers in (args.workers[0], *args.workers):  # the first one warms up
        settings = Settings(device=args.device, workers=workers)
        renderer = Renderer(settings)
        seconds, cpu, digest = rendered(renderer, pixels, boxes)
        sums.add(digest)
        say(workers=workers, boxes_per_s=len(boxes) / seconds, cpu_s=cpu, sha256=digest[:16])
    say(bytes_repeat=len(sums) == 1)
    say(**compare(pixels[:EQUAL_SLICES], boxes[: EQUAL_SLICES * BOXES_A_SLICE], args.device))
    return 0


def say(**figures: object) -> None:
    """Print figures as a line of JSON."""
    print(json.dumps(figures), flush=True)


def stack(slices: int) -> tuple[np.ndarray, list[Box]]:
    """A stack of simulated radiographs, and its boxes."""
    rng = np.random.default_rng(0)
    drawn = [radiograph(draw_anatomy(np.random.default_rng(seed))) for seed in range(PHANTOMS)]
    pixels = np.stack([np.roll(drawn[n % PHANTOMS], n // PHANTOMS, axis=1) for n in range(slices)])
    boxes: list[Box] = []
    for number in range(slices):
        for _ in range(BOXES_A_SLICE):
            side = int(rng.integers(32, 110))
            left, top = int(rng.integers(150, 750)), int(rng.integers(250, 650))
            boxes.append(Box(number, left, top, left + side, top + side, len(boxes)))
    return pixels, boxes


def rendered(renderer: Renderer, pixels: np.ndarray, boxes: list[Box]) -> tuple[float, float, str]:
    """Seconds and CPU seconds of a stack, and a hash of its pixels."""
    renderer.open()
    digest = hashlib.sha256()
    start, cpu = time.perf_counter(), time.process_time()
    for done in renderer.render_stack(pixels, boxes, 1, "challenge"):
        digest.update(done.image.tobytes())
    return time.perf_counter() - start, time.process_time() - cpu, digest.hexdigest()


def measure_cascade(device: str, rounds: int) -> dict[str, float]:
    """Boxes a second of the cascade alone, all threads busy handing in boxes."""
    from nodegen.cascade.cascade import Cascade

    batched = BatchedCascade(Cascade.open(MODEL / "hyposignal", device))
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (2, 256, 256)).astype(np.float32)
    noise = batched.draw_noise(rng, FIRST)

    def work(_: int) -> None:
        for _ in range(rounds):
            batched(images, FIRST, noise)

    work(0)
    start = time.perf_counter()
    with ThreadPoolExecutor(2 * BATCH) as pool:
        list(pool.map(work, range(2 * BATCH)))
    seconds = time.perf_counter() - start
    batches = batched.replayed(rounds)
    return {
        "cascade_boxes_per_s": 2 * BATCH * rounds / seconds,
        "cascade_boxes_per_s_without_copies": batched.batch * rounds / batches,
        "shapes": len(batched.shapes),
    }


def compare(pixels: np.ndarray, boxes: list[Box], device: Any) -> dict[str, float]:
    """Largest difference between a device and the CPU, of a whole range of 4095 levels."""
    images = []
    for name in (device, "cpu"):
        renderer = Renderer(Settings(device=name, noise_and_blur=False))
        made = renderer.apply(pixels, boxes, seed=1).image
        images.append(np.asarray(made).astype(np.int64))
    apart = np.abs(images[0] - images[1])
    span = np.ptp(pixels, axis=(1, 2)).mean()
    return {
        "levels_apart_at_most": float(apart.max() / span * 4095),
        "levels_apart_where_changed": float(apart.sum() / max((apart > 0).sum(), 1) / span * 4095),
        "nodules_change_by_at_most": float(np.abs(images[0] - pixels).max() / span * 4095),
    }


if __name__ == "__main__":
    sys.exit(main())
