"""What a GPU gives: boxes a second of whole stacks and of the cascade alone, and equal results.

``python -m benchmarks.gpu [--slices 100] [--workers 16]`` prints one line of JSON after the other,
and takes less than two minutes on a machine with a GPU.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.stacks import write_tiled
from nodegen.cascade.batched import BATCH, FIRST, BatchedCascade
from nodegen.io.boxes import Box
from nodegen.io.stack import Stack
from nodegen.pipeline import generate
from nodegen.renderer import Renderer
from nodegen.settings import MODEL, Settings
from research.phantom import GEOMETRY
from research.phantom.anatomy import Anatomy
from research.phantom.render import radiograph

PHANTOMS = 4  # different radiographs; a stack repeats them, shifted
BOXES_A_SLICE = 2
EQUAL_SLICES = 4  # that a GPU and a CPU both render


def main(argv: list[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--slices", type=int, default=100, metavar="N", help="(default: 100)")
    parser.add_argument("--workers", type=int, nargs="+", default=[16, 24], metavar="N")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    args = parser.parse_args(argv)
    pixels, boxes = stack(args.slices)
    on_gpu = args.device == "cuda"
    say(torch=torch.__version__, device=torch.cuda.get_device_name() if on_gpu else "cpu")
    if on_gpu:
        say(**measure_cascade(args.device, 40))
    sums = set()
    for workers in args.workers:
        renderer = Renderer(Settings(device=args.device, workers=workers))
        for run in ("first", "second"):  # the first one starts processes, and records the graph
            seconds, digest = rendered(renderer, pixels, boxes)
            sums.add(digest)
            say(workers=workers, run=run, boxes_per_s=len(boxes) / seconds, sha256=digest[:16])
    say(generate_boxes_per_s=len(boxes) / generated(renderer, pixels, boxes))
    say(bytes_repeat=len(sums) == 1)
    say(**compare(pixels[:EQUAL_SLICES], boxes[: EQUAL_SLICES * BOXES_A_SLICE], args.device))
    return 0


def say(**figures: object) -> None:
    """Print figures as a line of JSON."""
    print(json.dumps(figures), flush=True)


def stack(slices: int) -> tuple[np.ndarray, list[Box]]:
    """A stack of simulated radiographs, and its boxes."""
    rng = np.random.default_rng(0)
    drawn = [radiograph(Anatomy(np.random.default_rng(seed))) for seed in range(PHANTOMS)]
    pixels = np.stack([np.roll(drawn[n % PHANTOMS], n // PHANTOMS, axis=1) for n in range(slices)])
    boxes: list[Box] = []
    for number in range(slices):
        for _ in range(BOXES_A_SLICE):
            side = int(rng.integers(32, 110))
            left, top = int(rng.integers(150, 750)), int(rng.integers(250, 650))
            boxes.append(Box(number, left, top, left + side, top + side, len(boxes)))
    return pixels, boxes


def rendered(renderer: Renderer, pixels: np.ndarray, boxes: list[Box]) -> tuple[float, str]:
    """Seconds of a stack in memory, and a hash of its pixels."""
    start = time.perf_counter()
    images = [done.image for done in renderer.render_stack(pixels, boxes, 1, "challenge")]
    seconds = time.perf_counter() - start
    return seconds, hashlib.sha256(np.stack(images).tobytes()).hexdigest()


def generated(renderer: Renderer, pixels: np.ndarray, boxes: list[Box]) -> float:
    """Seconds of a stack from file to file."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "input")
        write_tiled(given, Stack(given, pixels, GEOMETRY), boxes, len(pixels))
        start = time.perf_counter()
        generate(given, Path(folder, "output"), renderer=renderer, progress=False)
        return time.perf_counter() - start


def measure_cascade(device: str, rounds: int) -> dict[str, float]:
    """Boxes a second of the cascade alone, all threads busy handing in boxes."""
    from nodegen.cascade.cascade import Cascade

    batched = BatchedCascade(Cascade.open(MODEL / "hyposignal", device))
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (2, 256, 256)).astype(np.float32)

    def work(seed: int) -> None:
        for _ in range(rounds):
            batched(images, FIRST, np.random.default_rng(seed))

    work(0)
    start = time.perf_counter()
    with ThreadPoolExecutor(2 * BATCH) as pool:
        list(pool.map(work, range(2 * BATCH)))
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(rounds):
        batched.work()
    torch.cuda.synchronize()
    replayed = time.perf_counter() - start
    return {
        "cascade_boxes_per_s": 2 * BATCH * rounds / seconds,
        "cascade_boxes_per_s_without_copies": BATCH * rounds / replayed,
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
