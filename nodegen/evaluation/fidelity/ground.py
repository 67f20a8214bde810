"""Ground: what part of the chest a box lies on, by the lung fields of its radiograph."""

import numpy as np

from nodegen.errors import StackError
from nodegen.evaluation.fidelity.nodule_crop import crop_around
from nodegen.io.boxes import Box
from nodegen.lungs.fields import Lungs, find_lungs

LUNG, RIB, HILUM = "lung", "rib", "hilum"
HEART, DIAPHRAGM, WALL = "heart", "below the diaphragm", "chest wall"
GROUNDS = (LUNG, RIB, HILUM, HEART, DIAPHRAGM, WALL)
UNKNOWN = "unknown"  # no two lungs are found in the radiograph

INSIDE = 0.5  # of the ellipse in a box: from there it lies on the lung fields
# Of a lung's width from its medial edge, and of its height from its top.
HILUM_WIDTH, HILUM_ROWS = 0.30, (0.30, 0.68)
# Percentile of a lung's grey levels: where the surround's median lies above it, ribs, a clavicle or
# the scapula fill the surround. It takes brightness, not anatomy.
RIB_PERCENTILE = 75
RING = (0.6, 1.0)  # in the box's smaller sides: the surround
UPPER = 0.55  # of the lungs' height: below it, what lies under a lung is the abdomen


def lungs_of(pixels: np.ndarray) -> Lungs | None:
    """The lung fields of a radiograph (row, column); None where no two lungs are found."""
    try:
        return find_lungs(pixels)
    except StackError:
        return None


def ground_of(lungs: Lungs | None, pixels: np.ndarray, box: Box) -> str:
    """What a box of a radiograph (row, column) lies on: one of ``GROUNDS``, by its lung fields.

    ``UNKNOWN`` without lungs. Only pixels around the box count.
    """
    if lungs is None:
        return UNKNOWN
    x, y = box.centre
    crop = crop_around(pixels, box)
    covered = lungs.labels[crop.window][crop.radius <= 1]
    if np.mean(covered > 0) < INSIDE:
        return _beside(lungs, x, y)
    side = 1 + int(np.mean(covered == 2) > np.mean(covered == 1))
    edges = lungs.frame[side - 1]
    here = np.flatnonzero(lungs.labels[int(min(max(y, 0), len(pixels) - 1))] == side)
    left, right = (here[0], here[-1] + 1) if len(here) else (edges.left, edges.right)
    medial = (right - x if side == 1 else x - left) / (right - left)
    height = (y - edges.top) / (edges.bottom - edges.top)
    if medial < HILUM_WIDTH and HILUM_ROWS[0] < height < HILUM_ROWS[1]:
        return HILUM
    level = np.percentile(pixels[lungs.labels == side], RIB_PERCENTILE)
    ring = (crop.distance >= RING[0]) & (crop.distance <= RING[1])
    return RIB if np.median(crop.pixels[ring]) > level else LUNG


def _beside(lungs: Lungs, x: float, y: float) -> str:
    """The ground of a point (px) that lies off the lung fields."""
    right, left = lungs.frame  # the patient's: the right lung lies on the left of the image
    if not right.left <= x <= left.right:
        return WALL
    top, bottom = min(right.top, left.top), max(right.bottom, left.bottom)
    column = np.flatnonzero(lungs.labels[:, int(x)])
    under = len(column) > 0 and y > column[-1] and y > top + UPPER * (bottom - top)
    if y >= bottom or (under and not right.right < x < left.left):
        return DIAPHRAGM
    row = lungs.labels[int(min(max(y, 0), len(lungs.labels) - 1))]
    leftwards = x > (right.right + left.left) / 2
    beside = (row[int(x) :] == 2).any() if leftwards else (row[: int(x)] == 1).any()
    return HEART if beside or right.right <= x <= left.left else WALL
