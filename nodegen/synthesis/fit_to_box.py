"""Fit to box: the crop around a box, and the nodule turned, scaled to its box and centred in it.

What fills a box is the visible disc, as NODE21's boxes mark what is seen: the nodule is scaled, by
one factor for both axes, so that its disc takes the share ``fill`` of the box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from nodegen.constants import CROP_PX, MASK_REACH_PX
from nodegen.io.boxes import Box

if TYPE_CHECKING:
    from nodegen.io.library import Nodule, Outline

Window = tuple[slice, slice]  # (rows, columns)


def crop_window(box: Box, shape: tuple[int, ...]) -> Window:
    """The crop of a box: 256 x 256 px around it, moved inside the slice.

    It grows to hold the reach of the box's mask, as far as the slice goes.

    Parameters
    ----------
    box, shape : Box, tuple of int
        The shape is the slice's, (row, column).
    """
    side = max(CROP_PX, max(box.width, box.height) + 2 * MASK_REACH_PX)
    x, y = box.centre
    return _span(y, side, shape[0]), _span(x, side, shape[1])


def bounds(mask: np.ndarray) -> Window:
    """Bounding box of a mask (row, column) that is not empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((int(a[0]), int(a[-1]) + 1) for a in (rows, columns))
    return slice(top, bottom), slice(left, right)


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
    rows, columns = (
        slice(s.start + px, s.stop + px) for s, px in zip(window, (down, across), strict=True)
    )
    return rows, columns


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


STICKS_OUT = 1.1  # most that a disc of another aspect is larger than its box allows
SILHOUETTE = 0.2  # of the plateau: thinner rays are not the mask's


def turned_extent(outline: Outline, mirror: bool, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size of the visible disc's bounding box once the nodule is turned.

    Both (down, across), in samples of the thickness, from the middle of its array.
    """
    turned = _turn(mirror, turn_deg) @ outline.ends
    low, high = turned.min(axis=1), turned.max(axis=1)
    return (low + high) / 2, high - low + 1


def fit(outline: Outline, mirror: bool, turn_deg: float, aspect: float) -> tuple[float, float]:
    """How far a nodule's outline is from its box's ellipse, and the turn at which it is nearest.

    Boxes are drawn around nodules, so a long box holds a long nodule that lies along it. ``aspect``
    is the box's height over its width. The distance adds up the logarithms of the aspects' ratio
    and of the ellipse's area over the disc's; the turn is as given, or a quarter more.
    """
    _, (down, across) = turned_extent(outline, mirror, turn_deg)
    off = abs(np.log(down / across / aspect)), abs(np.log(across / down / aspect))
    hollow = abs(np.log(np.pi / 4 * down * across / max(outline.area, 1)))
    turned = off[1] < off[0]
    return float(min(off) + hollow), (turn_deg + 90.0 * turned) % 360.0


def corners(nodule: Nodule, mirror: bool, turn_deg: float, waves: np.ndarray) -> np.ndarray:
    """Waves 2, 3, … of the turned disc's radius that an ellipse lacks, over its mean, complex.

    Real and imaginary parts are cosine and sine, from the right, clockwise as displayed. To first
    order a wave of the radius is its own mean over the disc; of an ellipse the even ones are powers
    of the first.
    """
    centre, _ = turned_extent(nodule.outline, mirror, turn_deg)
    places = np.argwhere(nodule.disc).T + 0.5 - np.divide(nodule.disc.shape, 2)[:, None]
    down, across = _turn(mirror, turn_deg) @ places - centre[:, None]
    direction = across + 1j * down
    direction /= np.maximum(np.abs(direction), 1e-9)
    # Waves around it are powers of a unit number in its direction: no angle is needed.
    powers = np.multiply.accumulate(np.tile(direction, (waves.max(), 1)))
    means = powers[waves - 1].mean(axis=1)
    means[::2] -= means[0] ** (waves[::2] / 2)
    return np.asarray(means)


def warp_to_box(
    nodule: Nodule,
    mirror: bool,
    turn_deg: float,
    box_px: tuple[float, float],
    fill: float,
    shape: tuple[int, int],
    at: tuple[float, float],
    lobes: Sequence[float] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Warp a nodule's thickness onto a canvas (row, column): 1 at its plateau, 0 beside it.

    Left and right are swapped, then it is turned counter-clockwise as displayed. ``box_px`` is the
    box's height and width, ``at`` its centre (down, across), px from the canvas's top left edge.
    ``fill`` is the side of the visible disc's bounding box over the box's, geometric mean of both
    axes. ``lobes`` say how its radius strays, over itself: cosine and sine of 2, 3, … waves.

    With it comes the nodule's silhouette, bool, never empty.
    """
    centre, size = turned_extent(nodule.outline, mirror, turn_deg)
    sides = np.divide(box_px, size)  # px a sample that would fill the box each way
    scale = fill * min(float(np.sqrt(sides.prod())), STICKS_OUT * float(sides.min()))
    source = np.pad(nodule.water_mm / max(nodule.plateau, 1e-6), 2).astype(np.float32)
    if scale < 1:
        source = ndimage.gaussian_filter(source, 0.5 * np.sqrt(scale**-2 - 1), mode="constant")
    # A canvas pixel's place, from the disc's centre, turned back, is a place among the samples.
    back = _turn(mirror, turn_deg).T / scale
    middle = np.divide(source.shape, 2) - 0.5 + _turn(mirror, turn_deg).T @ centre
    reach = scale * np.hypot(*source.shape) / 2 + 1
    # Empty where it lies off the canvas.
    spans = [
        np.clip((int(c - reach), int(c + reach) + 1), 0, n) for c, n in zip(at, shape, strict=True)
    ]
    corner, ends = np.array(spans).T
    places = np.indices(ends - corner, dtype=np.float64)
    places += (corner + 0.5 - np.asarray(at))[:, None, None]
    if lobes:
        # As in :func:`corners`.
        direction = places[1] + 1j * places[0]
        direction /= np.maximum(np.abs(direction), 1e-6)
        terms = [0, 0, *np.subtract(lobes[::2], np.multiply(1j, lobes[1::2]))]
        strays = 1.0 + np.polyval(terms[::-1], direction).real
        places /= np.maximum(strays, 0.5)
    places = np.tensordot(back, places, 1) + middle[:, None, None]
    part = ndimage.map_coordinates(source, places, order=3, mode="constant")
    contribution = np.zeros(shape, dtype=np.float32)
    contribution[slice(*spans[0]), slice(*spans[1])] = np.maximum(part, 0)
    mask = contribution >= min(SILHOUETTE, 0.5 * float(contribution.max()))
    if not contribution.any():
        row, column = (min(max(int(a), 0), n - 1) for a, n in zip(at, shape, strict=True))
        mask[...] = False
        mask[row, column] = True
    return contribution, mask


def _turn(mirror: bool, turn_deg: float) -> np.ndarray:
    """Matrix on (down, across): mirror left and right, then turn counter-clockwise as displayed."""
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([1.0, -1.0 if mirror else 1.0])
