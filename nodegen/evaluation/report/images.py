"""The report's pictures: crops and overviews as data URIs.

A crop is stored once before, in 8 bit between its own limits, and once for each treatment as the
signed change; the page adds the two up, so before, after and difference cannot disagree.
"""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import zoom

from nodegen.constants import GREY_MAX
from nodegen.io.boxes import Box

AROUND = 3.0  # a crop shows so many of the box's larger sides
SMALLEST_PX, LARGEST_PX = 128, 224  # side of a crop in the slice, and of its picture
OVERVIEW_PX = 360  # larger side of a slice's overview
OVERVIEW_QUALITY = 80
CHANGE_STEPS = 127  # of the signed change in 8 bit, to either side of 128


@dataclass(frozen=True)
class Crop:
    """Where a crop lies in its slice, px, and how many px of it one px of the picture shows."""

    left: int
    top: int
    width: int
    height: int
    scale: float


def crop_of(box: Box, shape: tuple[int, int]) -> Crop:
    """The crop of a slice of ``shape`` (row, column) in which the report shows a box."""
    side = max(round(AROUND * max(box.width, box.height)), SMALLEST_PX)
    height, width = (min(side, length) for length in shape)
    x, y = box.centre
    left = min(max(round(x - width / 2), 0), shape[1] - width)
    top = min(max(round(y - height / 2), 0), shape[0] - height)
    return Crop(left, top, width, height, max(side / LARGEST_PX, 1.0))


def cut(slice_: np.ndarray, crop: Crop) -> np.ndarray:
    """The crop of a slice (row, column), in float and at the size at which it is shown."""
    part = slice_[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    part = part.astype(np.float32)
    return np.asarray(zoom(part, 1 / crop.scale, order=1, grid_mode=True, mode="nearest"))


def before_image(pixels: np.ndarray) -> tuple[str, float, float]:
    """Picture of a crop in grey levels, and the grey levels that its 0 and its 255 stand for."""
    low, high = float(pixels.min()), float(pixels.max())
    span = max(high - low, 1.0)
    return _lossless((pixels - low) * (255 / span)), low, low + span


def change_image(change: np.ndarray) -> tuple[str, float]:
    """Picture of a signed change, 128 standing for none, and the grey levels of one step."""
    step = max(float(np.abs(change).max()), 1.0) / CHANGE_STEPS
    return _lossless(128 + change / step), step


def overview_image(slice_: np.ndarray) -> str:
    """Picture of a whole slice in grey levels of 0..4095."""
    grey = np.clip(slice_.astype(np.float32) * (255 / GREY_MAX), 0, 255).astype(np.uint8)
    image = Image.fromarray(grey)
    image.thumbnail((OVERVIEW_PX, OVERVIEW_PX), Image.Resampling.BOX)
    return _uri(image, quality=OVERVIEW_QUALITY)


def _lossless(values: np.ndarray) -> str:
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return _uri(Image.fromarray(grey), lossless=True, quality=60)


def _uri(image: Image.Image, **options: object) -> str:
    made = io.BytesIO()
    image.save(made, format="WEBP", **options)
    return "data:image/webp;base64," + base64.b64encode(made.getvalue()).decode()
