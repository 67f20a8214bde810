"""What detectors on whole radiographs have in common: their images, their training, their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nodegen.dataset.example import CHANCES
from nodegen.evaluation.utility.arms import SHOWN, Shown
from nodegen.io.boxes import Box

SIDE_PX = 512  # of what a network sees; radiographs are padded to a square
CLIP = 1.0  # largest norm of the gradient

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ScaledRadiograph:
    """A radiograph as a network sees it; its arrays have the shape (SIDE_PX, SIDE_PX)."""

    image: np.ndarray  # float16, mean 0 and standard deviation 1 beside the padding
    boxes: np.ndarray  # (nodule, 4): x, y, width, height, px of ``image``
    scale: float  # px of the radiograph to one of ``image``
    grey: tuple[float, float] = (0.0, 1.0)  # its mean and standard deviation, own grey levels
    # What synthetic nodules add to ``image``, which does not hold them, float16, the number of the
    # box that is nearest to each pixel, int16, and the contrast to noise asked of each nodule;
    # None: it holds its own.
    change: np.ndarray | None = None
    nearest: np.ndarray | None = None
    visibility: np.ndarray | None = None

    def view(self, shown: Shown, rng: np.random.Generator) -> ScaledRadiograph:
        """The image with some of its synthetic nodules, which ``rng`` chooses."""
        if self.change is None or self.nearest is None or self.visibility is None:
            return self
        (fewest, most), prefer_visible = shown
        number = int(rng.integers(fewest, most + 1))
        chances = np.clip(self.visibility, *CHANCES) if prefer_visible else 1.0
        # The first of these times is drawn by the chances, and so are those that follow it.
        chosen = np.argsort(rng.exponential(size=len(self.boxes)) / chances)[:number]
        change = np.where(np.isin(self.nearest, chosen), self.change, 0)
        image = np.minimum(self.image + change, self.image.max())
        return ScaledRadiograph(image, self.boxes[chosen], self.scale)


Batch = list[ScaledRadiograph]


def scaled(
    pixels: np.ndarray, nodules: Sequence[Box] = (), like: ScaledRadiograph | None = None
) -> ScaledRadiograph:
    """Bring a radiograph (row, column) to the network's size and grey scale, with its nodules.

    ``like`` is the same radiograph without nodules, whose mean and standard deviation it takes.
    """
    scale = max(pixels.shape) / SIDE_PX
    size = [max(round(n / scale), 1) for n in pixels.shape]
    image = torch.from_numpy(pixels.astype(np.float32))[None, None]
    small = F.interpolate(image, size, mode="bilinear", antialias=True)[0, 0].numpy()
    inside = small[small > small.min()]
    grey = (float(inside.mean()), max(float(inside.std()), 1e-6)) if inside.size else (0.0, 1.0)
    mean, deviation = like.grey if like else grey
    framed = np.zeros((SIDE_PX, SIDE_PX), np.float16)
    framed[: size[0], : size[1]] = (small - mean) / deviation
    boxes = [(b.left / scale, b.top / scale, b.width / scale, b.height / scale) for b in nodules]
    corners = np.reshape(boxes, (-1, 4)).astype(np.float32)
    return ScaledRadiograph(framed, corners, scale, (mean, deviation))


def with_change(
    untouched: ScaledRadiograph, change: np.ndarray, visibility: np.ndarray
) -> ScaledRadiograph:
    """The same with what all its nodules add together, parted by the nearest box."""
    least = np.full((SIDE_PX, SIDE_PX), np.inf, np.float32)
    nearest = np.full((SIDE_PX, SIDE_PX), -1, np.int16)
    x, y = np.arange(SIDE_PX) + 0.5, np.arange(SIDE_PX)[:, None] + 0.5
    for number, (left, top, width, height) in enumerate(untouched.boxes):
        u, v = np.abs(x - left - width / 2) - width / 2, np.abs(y - top - height / 2) - height / 2
        away = np.maximum(u, v)
        nearest[away < least] = number
        least = np.minimum(least, away)
    return replace(untouched, change=change, nearest=nearest, visibility=visibility)


@dataclass(frozen=True)
class Detector:
    """A detector and how it learns; the same for every arm."""

    name: str
    network: Callable[[], nn.Module]  # gives one that has learned nothing
    # Of the weights and the number of batches: the optimiser, and its learning rate's schedule.
    optimiser: Callable[[Iterator[nn.Parameter], int], tuple[torch.optim.Optimizer, Any]]
    # Of a batch, with the augmentation that is drawn; the device comes last.
    loss: Callable[[nn.Module, Batch, np.random.Generator, str], torch.Tensor]
    # Of a radiograph, (box, 5): x, y, width, height in px of the image, and the score.
    boxes: Callable[[nn.Module, ScaledRadiograph, str], np.ndarray]
    steps: int  # batches
    batch: int  # radiographs
    device: str = "cpu"  # as torch names it

    def train(
        self,
        images: Sequence[ScaledRadiograph],
        seed: int,
        shown: Shown = SHOWN,
        start: State | None = None,
    ) -> State:
        """Train a network from ``start``, else from scratch; what is random follows from ``seed``.

        A step shows some of a radiograph's synthetic nodules, as ``shown`` says.
        """
        torch.manual_seed(seed)
        network = self.network().to(self.device)
        if start is not None:
            network.load_state_dict(start)
        optimiser, schedule = self.optimiser(network.parameters(), self.steps)
        network.train()
        step = round_ = 0
        while step < self.steps:  # a round through the radiographs
            torch.manual_seed(seed * 100_003 + round_)
            rng = np.random.default_rng((seed, round_))
            choice = np.random.default_rng((seed, round_, 1))  # apart, so that arms stay paired
            order = rng.permutation(len(images))
            for first in range(0, min(len(order), (self.steps - step) * self.batch), self.batch):
                taken = order[first : first + self.batch]
                batch = [images[i].view(shown, choice) for i in taken]
                loss = self.loss(network, batch, rng, self.device)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimiser.step()
                schedule.step()
                step += 1
            round_ += 1
        return {name: value.cpu() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def detect(self, state: State, images: Sequence[ScaledRadiograph]) -> list[np.ndarray]:
        """Boxes in each radiograph, (box, 5): x, y, width, height in its own px, and the score."""
        network = self.network().to(self.device)
        network.load_state_dict(state)
        network.eval()
        return [
            self.boxes(network, image, self.device) * [*(image.scale,) * 4, 1.0] for image in images
        ]
