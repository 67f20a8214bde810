"""Crop: the part of a slice around a box in which everything about that box happens."""

import math

import numpy as np

from nodegen.constants import CROP_PX, MASK_REACH_PX
from nodegen.io.boxes import Box

Window = tuple[slice, slice]  # (rows, columns)


def crop_window(box: Box, shape: tuple[int, ...]) -> Window:
    """The crop of a box: 256 x 256 px around it, moved inside the slice.

    It grows where the box and the reach of its mask would not fit, and is as large as the slice
    where that is smaller.

    Parameters
    ----------
    shape : (rows, columns)
        Of the slice.

    Returns
    -------
    (slice, slice)
        Rows and columns of the slice.
    """
    side = max(CROP_PX, max(box.width, box.height) + 2 * MASK_REACH_PX)
    x, y = box.centre
    return _span(y, side, shape[0]), _span(x, side, shape[1])


def bounds(mask: np.ndarray) -> Window:
    """Bounding box of a mask (row, column) that is not empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def support(mask: np.ndarray) -> Window:
    """The part of an image that a nodule can change: its mask and the reach of the blurred mask."""
    return grown(bounds(mask), MASK_REACH_PX, mask.shape)


def grown(window: Window, reach: int, shape: tuple[int, ...]) -> Window:
    """A window with ``reach`` px more on every side, as far as an image of ``shape`` goes."""
    rows, columns = (
        slice(max(s.start - reach, 0), min(s.stop + reach, length))
        for s, length in zip(window, shape, strict=True)
    )
    return rows, columns


def moved(window: Window, down: int, across: int) -> Window:
    """A window moved by so many px."""
    rows, columns = window
    return (
        slice(rows.start + down, rows.stop + down),
        slice(columns.start + across, columns.stop + across),
    )


def hull(one: Window, other: Window) -> Window:
    """The least window that holds both."""
    rows, columns = (
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return rows, columns


def within(window: Window, outer: Window) -> Window:
    """A window as seen from the corner of ``outer``."""
    return moved(window, -outer[0].start, -outer[1].start)


def _span(centre: float, side: int, length: int) -> slice:
    side = min(side, length)
    start = min(max(math.floor(centre - side / 2), 0), length - side)
    return slice(start, start + side)
