"""What the report shows of a slice: its pixels, a box's small picture, and outlines."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from contourpy import contour_generator
from PIL import Image

from nodegen.evaluation.fidelity.change import region_of
from nodegen.io.boxes import Box

Polygon = list[list[float]]  # of [x, y], px of the slice

THUMB_PX = 56  # side of a box's small picture
THUMB_AROUND = 2.0  # it shows so many of the box's larger sides
THUMB_QUALITY = 70
OUTLINE_AROUND = 1.5  # an outline is sought within so many of the box's sides


def window_of(box: Box, shape: tuple[int, ...], around: float) -> tuple[slice, slice]:
    """Rows and columns of ``around`` box sides about a box, inside a slice of ``shape``."""
    x, y = box.centre
    half = around * max(box.width, box.height) / 2
    return (
        slice(max(round(y - half), 0), min(round(y + half), shape[0])),
        slice(max(round(x - half), 0), min(round(x + half), shape[1])),
    )


def thumb(slice_: np.ndarray, box: Box) -> str:
    """A box and its surround as a small picture, a ``data:`` address."""
    part = slice_[window_of(box, slice_.shape, THUMB_AROUND)].astype(np.float32)
    low, high = np.percentile(part, (0.5, 99.5))
    grey = np.clip((part - low) * (255 / max(high - low, 1.0)), 0, 255).astype(np.uint8)
    image = Image.fromarray(grey).resize((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    made = io.BytesIO()
    image.save(made, format="WEBP", quality=THUMB_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(made.getvalue()).decode()


def nodule_outline(before: np.ndarray, after: np.ndarray, box: Box) -> list[Polygon]:
    """Outlines of the region that a nodule has changed, as the measures know it.

    Parameters
    ----------
    before, after : ndarray, shape (row, column)
    """
    window = window_of(box, before.shape, OUTLINE_AROUND)
    change = after[window].astype(np.float64) - before[window]
    region, _ = region_of(change)
    return outlines(region, (window[1].start, window[0].start))


def outlines(mask: np.ndarray, origin: Sequence[int] = (0, 0)) -> list[Polygon]:
    """Outlines of a mask's parts.

    Parameters
    ----------
    mask : ndarray of bool, shape (row, column)
    origin : (x, y)
        Of the mask in its slice, px.
    """
    # A pixel's value stands at its middle, half a pixel on; the pad closes what touches the rim.
    lines = contour_generator(z=np.pad(mask.astype(np.float32), 1)).lines(0.5)
    shift = np.array(origin) - 0.5
    return [np.round(np.asarray(line)[:-1] + shift, 1).tolist() for line in lines]
