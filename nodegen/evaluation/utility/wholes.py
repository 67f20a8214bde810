"""Whole radiographs as a network sees them: their size, their grey scale, what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.evaluation.utility.cases import Radiograph
from nodegen.io.boxes import Box

SIDE_PX = 512  # of what the network sees; radiographs are padded to a square


@dataclass(frozen=True)
class Whole:
    """A radiograph as the network sees it.

    Attributes
    ----------
    image : ndarray of float16, shape (SIDE_PX, SIDE_PX)
        Mean 0 and standard deviation 1 beside the padding.
    boxes : ndarray, shape (nodule, 4)
        x, y, width, height of the nodules, px of ``image``.
    scale : float
        px of the radiograph to one of ``image``.
    """

    image: np.ndarray
    boxes: np.ndarray
    scale: float


def whole(pixels: np.ndarray, nodules: Sequence[Box] = ()) -> Whole:
    """Bring a radiograph (row, column) and its nodules to the network's size and grey scale."""
    scale = max(pixels.shape) / SIDE_PX
    size = [max(round(n / scale), 1) for n in pixels.shape]
    image = torch.from_numpy(pixels.astype(np.float32))[None, None]
    small = F.interpolate(image, size, mode="bilinear", antialias=True)[0, 0].numpy()
    inside = small[small > small.min()]
    mean, std = (float(inside.mean()), float(inside.std())) if inside.size else (0.0, 1.0)
    framed = np.zeros((SIDE_PX, SIDE_PX), np.float16)
    framed[: size[0], : size[1]] = (small - mean) / max(std, 1e-6)
    boxes = [(b.left / scale, b.top / scale, b.width / scale, b.height / scale) for b in nodules]
    return Whole(framed, np.reshape(boxes, (-1, 4)).astype(np.float32), scale)


def wholes_of(radiographs: Sequence[Radiograph]) -> list[Whole]:
    """All radiographs as the network sees them."""
    return [whole(one.load(), one.nodules) for one in radiographs]


def nodule_mask(boxes: np.ndarray) -> np.ndarray:
    """What is learned: 1 in the ellipse of each box, else 0; (1, SIDE_PX, SIDE_PX)."""
    mask = np.zeros((1, SIDE_PX, SIDE_PX), np.float32)
    for left, top, width, height in boxes:
        window = tuple(
            slice(*np.clip((int(low), int(np.ceil(low + side))), 0, SIDE_PX))
            for low, side in ((top, height), (left, width))
        )
        y, x = (place + 0.5 for place in np.ogrid[window])
        v, u = (y - top - height / 2) / (height / 2), (x - left - width / 2) / (width / 2)
        mask[0][window][u**2 + v**2 <= 1] = 1
    return mask
