"""A cascade on a GPU: crops of one size, a fixed number at a time, each scale whole.

All shapes are known beforehand, so a GPU records the work once, as a CUDA graph, and repeats it.
Threads hand in their boxes; whatever waits goes through together, and empty places of the batch
are computed all the same, so that a box comes out the same whatever lies beside it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.cascade.pyramid import LAST_QUICK, resize, scale_sizes
from nodegen.constants import CROP_PX, HALF_WIDTH_PX, N0

if TYPE_CHECKING:
    from nodegen.cascade.cascade import Cascade

BATCH = 8  # boxes at a time: on an H100 as quick a box as more, and sooner done
FIRST = min(low for low, _ in N0.values())  # the coarsest scale that a recipe begins at
SIZES = scale_sizes()[: LAST_QUICK + 1]
PAIR = 2 * CROP_PX**2  # pixels

_one_at_a_time = threading.Lock()  # cascades of one GPU take turns


class _Box:
    """Memory of one box, which a GPU reads and writes by itself.

    What goes in lies end to end: both crops, the noise of all scales, the first scale.
    """

    def __init__(self, pinned: bool):
        noise = sum(size**2 for size in SIZES[FIRST:])
        self.given = torch.zeros(PAIR + noise + 1, pin_memory=pinned)
        self.made = torch.empty(CROP_PX, CROP_PX, pin_memory=pinned)
        self.done: Future[None] = Future()


class BatchedCascade:
    """A cascade that takes ``batch`` boxes at a time; several threads may call it.

    ``shapes`` are of all that went through a convolution: as many as scales, whatever the boxes.
    """

    def __init__(self, cascade: Cascade, batch: int = BATCH):
        self.cascade, self.batch = cascade, batch
        self.shapes: set[tuple[int, ...]] = set()
        self._waiting: queue.SimpleQueue[_Box] = queue.SimpleQueue()
        self._given = torch.zeros(batch, len(_Box(False).given), device=cascade.device)
        self._made = torch.zeros(0)
        self._pinned = cascade.device.type == "cuda"
        with _one_at_a_time:
            self.work = self._recorded() if self._pinned else self._compute
        threading.Thread(target=self._serve, daemon=True).start()

    def __call__(self, images: np.ndarray, n0: int, rng: np.random.Generator) -> np.ndarray:
        """Harmonise one box: what is made of a paste, less what is made of the untouched crop.

        Parameters
        ----------
        images : ndarray of float32, shape (2, 256, 256)
            The paste and the untouched crop, in -1..1; so is what is returned, (256, 256).
        n0 : int
            Scale to begin at, from ``FIRST`` to ``LAST_QUICK``.
        rng : Generator
            Of the noise, of every scale from ``n0`` on.
        """
        box = _Box(self._pinned)
        given = box.given.numpy()
        given[:PAIR] = images.ravel()
        before = PAIR + sum(size**2 for size in SIZES[FIRST:n0])
        rng.standard_normal(out=given[before:-1], dtype=np.float32)
        given[-1] = n0
        self._waiting.put(box)
        box.done.result()
        return box.made.numpy()

    def takes(self, shape: tuple[int, ...], n0: int) -> bool:
        """Whether it is made for crops of this shape (row, column) and this first scale."""
        return shape == (CROP_PX, CROP_PX) and FIRST <= n0 <= LAST_QUICK

    def _serve(self) -> None:
        while True:
            boxes = [self._waiting.get()]
            while len(boxes) < self.batch and not self._waiting.empty():
                boxes.append(self._waiting.get())
            try:
                with _one_at_a_time:
                    self._run(boxes)
                for box in boxes:
                    box.done.set_result(None)
            except Exception as error:
                for box in boxes:
                    box.done.set_exception(error)

    @torch.inference_mode()
    def _run(self, boxes: list[_Box]) -> None:
        for row, box in zip(self._given, boxes, strict=False):
            row.copy_(box.given, non_blocking=True)
        self.work()
        for box, made in zip(boxes, self._made, strict=False):
            box.made.copy_(made, non_blocking=True)
        if self._pinned:
            torch.cuda.synchronize()

    def _recorded(self) -> Callable[[], None]:
        """Record the work of a batch, once the libraries have chosen their kernels."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._compute()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._compute()
        return graph.replay

    @torch.inference_mode()
    def _compute(self) -> None:
        pairs = self._given[:, :PAIR].reshape(-1, 1, CROP_PX, CROP_PX)
        first, made, start = self._given[:, -1], pairs, PAIR
        for n in range(FIRST, LAST_QUICK + 1):
            size = SIZES[n]
            image = resize(pairs, size, size)
            if n > FIRST:  # a box that begins later takes its own images until then
                begun = (first < n).repeat_interleave(2).view(-1, 1, 1, 1)
                image = torch.where(begun, resize(made, size, size), image)
            z = self._given[:, start : start + size**2].view(-1, 1, size, size)
            start += size**2
            noisy = image + self.cascade.amplitudes[n] * z.repeat_interleave(2, 0)
            padded = F.pad(noisy, (HALF_WIDTH_PX,) * 4)
            self.shapes.add(tuple(padded.shape))
            made = image + self.cascade.generate(n, padded)
        change = made.view(self.batch, 2, *made.shape[-2:])
        self._made = resize(change[:, 0] - change[:, 1], CROP_PX, CROP_PX)
