"""A cascade on a GPU: crops of one size, a fixed number at a time, each scale whole.

All shapes are known beforehand, so a GPU records the work once, as a CUDA graph, and repeats it.
Threads hand in their boxes; whatever waits goes through together, and empty places of the batch
are computed all the same, so that a box comes out the same whatever lies beside it.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.cascade.pyramid import LAST_QUICK, resize, scale_sizes
from nodegen.constants import CROP_PX, HALF_WIDTH_PX, N0

if TYPE_CHECKING:
    from nodegen.cascade.cascade import Cascade

BATCH = 16  # boxes at a time: as many as there are workers on a large machine
FIRST = min(low for low, _ in N0.values())  # the coarsest scale that a recipe begins at
Job = tuple[np.ndarray, int, list[np.ndarray], "Future[np.ndarray]"]

_one_at_a_time = threading.Lock()  # cascades of one GPU take turns


class BatchedCascade:
    """Harmonises pairs of crops of 256 x 256 px, and gives their difference.

    Parameters
    ----------
    cascade : Cascade
    batch : int
        Boxes at a time.

    Attributes
    ----------
    shapes : set of tuple of int
        Of all that went through a convolution: as many as scales and layers, whatever the boxes.
    """

    def __init__(self, cascade: Cascade, batch: int = BATCH):
        self.cascade, self.batch = cascade, batch
        self.shapes: set[tuple[int, ...]] = set()
        self._sizes = scale_sizes()[: LAST_QUICK + 1]
        pinned = cascade.device.type == "cuda"
        noise = sum(size**2 for size in self._sizes[FIRST:])
        # On the host: images, noise of all scales end to end, first scales; then their copies.
        self._host = (
            torch.zeros(batch, 2, CROP_PX, CROP_PX, pin_memory=pinned),
            torch.zeros(batch, noise, pin_memory=pinned),
            torch.zeros(batch, dtype=torch.int32, pin_memory=pinned),
        )
        self._there = tuple(tensor.to(cascade.device) for tensor in self._host)
        self._made = torch.zeros(0)
        self._back = torch.zeros(batch, CROP_PX, CROP_PX, pin_memory=pinned)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._started = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, images: np.ndarray, n0: int, noise: list[np.ndarray]) -> np.ndarray:
        """Harmonise one box; waits for its batch, and may be called by several threads.

        Parameters
        ----------
        images : ndarray of float32, shape (2, 256, 256)
            The paste and the untouched crop, in -1..1.
        n0 : int
            Scale to begin at, from ``FIRST`` to ``LAST_QUICK``.
        noise : list of ndarray, shape (row, column)
            Of each scale from ``n0`` to the last quick one.

        Returns
        -------
        ndarray of float32, shape (256, 256)
            What the cascade makes of the first image less what it makes of the second.
        """
        with self._started:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, daemon=True)
                self._thread.start()
        done: Future[np.ndarray] = Future()
        self._queue.put((images, n0, noise, done))
        return done.result()

    def takes(self, shape: tuple[int, ...], n0: int) -> bool:
        """Whether it is made for crops of this shape (row, column) and this first scale."""
        return shape == (CROP_PX, CROP_PX) and FIRST <= n0 <= LAST_QUICK

    def draw_noise(self, rng: np.random.Generator, n0: int) -> list[np.ndarray]:
        """Draw the noise of every scale from ``n0`` on."""
        return [rng.standard_normal((s, s), dtype=np.float32) for s in self._sizes[n0:]]

    def _serve(self) -> None:
        while True:
            jobs = [self._queue.get()]
            while len(jobs) < self.batch:
                try:
                    jobs.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            try:
                with _one_at_a_time:
                    made = self._run(jobs)
            except Exception as error:
                for *_, done in jobs:
                    done.set_exception(error)
                continue
            for one, (*_, done) in zip(made, jobs, strict=False):
                done.set_result(one.copy())

    @torch.inference_mode()
    def _run(self, jobs: list[Job]) -> np.ndarray:
        images, noise, first = self._host
        for i, (pair, n0, drawn, _) in enumerate(jobs):
            images[i] = torch.from_numpy(pair)
            flat = np.concatenate([one.ravel() for one in drawn])
            noise[i, noise.shape[1] - len(flat) :] = torch.from_numpy(flat)
            first[i] = n0
        first[len(jobs) :] = LAST_QUICK
        for host, there in zip(self._host, self._there, strict=True):
            there.copy_(host, non_blocking=True)
        if self.cascade.device.type != "cuda":
            return self._compute().numpy()
        if self._graph is None:
            self._record()
        assert self._graph is not None
        self._graph.replay()
        self._back.copy_(self._made)  # waits for the GPU
        return self._back.numpy()

    def replayed(self, rounds: int) -> float:
        """Seconds in which the recorded work is done so many times, without any copy."""
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(rounds):
                if self._graph is None:
                    self._compute()
                else:
                    self._graph.replay()
            if self._graph is not None:
                torch.cuda.synchronize()
        return time.perf_counter() - start

    def _record(self) -> None:
        """Record the work of a batch, once the libraries have chosen their kernels."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._compute()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._made = self._compute()

    def _compute(self) -> torch.Tensor:
        images, noise, first = self._there
        pairs = images.flatten(0, 1)[:, None]
        made, start = pairs, 0
        for n in range(FIRST, LAST_QUICK + 1):
            size = self._sizes[n]
            image = resize(pairs, size, size)
            if n > FIRST:  # a box that begins later takes its own images until then
                begun = (first < n).repeat_interleave(2).view(-1, 1, 1, 1)
                image = torch.where(begun, resize(made, size, size), image)
            z = noise[:, start : start + size**2].view(-1, 1, size, size)
            start += size**2
            noisy = image + self.cascade.amplitudes[n] * z.repeat_interleave(2, 0)
            padded = F.pad(noisy, (HALF_WIDTH_PX,) * 4)
            self.shapes.add(tuple(padded.shape))
            made = image + self.cascade.generate(n, padded)
        change = made.view(self.batch, 2, *made.shape[-2:])
        return resize(change[:, 0] - change[:, 1], CROP_PX, CROP_PX)
