"""What a nodule did to its radiograph: measures of a slice before and after."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nodegen.io.boxes import Box

# Chosen, not fitted. A box's numbers depend on them, but for all methods alike.
REGION_BLUR_PX = 2.0  # sigma with which the change is smoothed before its core is sought
REGION_LEVEL = 0.25  # of the smoothed change's maximum: the nodule
CORE_LEVEL = 0.5  # of the same: its core
GRAIN_PX = 1.5  # sigma below which detail is fine grain
FAR_PX = 128  # plus the smaller side: what lies farther from every box is far
CROP_SIDES, CROP_PX = 1.5, 24  # half a crop: the ring, a core that sticks out, and blur

CHANGES = {"grain": "after / before"}  # name: unit


@dataclass(frozen=True)
class Views:
    """A crop around a box before and after, and each pixel's distance from the centre in px."""

    before: np.ndarray
    after: np.ndarray
    distance: np.ndarray
    side: float


def views(before: np.ndarray, after: np.ndarray, box: Box) -> Views:
    """Cut the crop of a box out of its slice, (row, column) each."""
    x, y = box.centre
    half = CROP_SIDES * box.side + CROP_PX
    top, left = max(int(y - half), 0), max(int(x - half), 0)
    window = slice(top, int(y + half) + 1), slice(left, int(x + half) + 1)
    old, new = (image[window].astype(np.float64) for image in (before, after))
    rows, columns = np.indices(old.shape) + 0.5
    return Views(old, new, np.hypot(rows - (y - top), columns - (x - left)), float(box.side))


def region_of(change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The changed region and its core, both (row, column) masks.

    The change is smoothed (sigma 2 px); the region is the largest connected part above a quarter of
    its maximum, the core what of it lies above half. Both are empty where nothing grew brighter.
    """
    smooth = ndimage.gaussian_filter(change, REGION_BLUR_PX)
    peak = float(smooth.max())
    if peak <= 0:
        nothing = np.zeros(change.shape, dtype=bool)
        return nothing, nothing
    parts, _ = ndimage.label(smooth > REGION_LEVEL * peak)
    region = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    return region, region & (smooth > CORE_LEVEL * peak)


def grain_of(v: Views) -> float:
    """Standard deviation of the detail under 1.5 px in the changed core, after over before.

    1 for an image against itself; below 0.85 a nodule is smoother than its surround.
    """
    _, core = region_of(v.after - v.before)
    if not core.any():
        return 1.0
    old, new = (
        (image - ndimage.gaussian_filter(image, GRAIN_PX))[core].std()
        for image in (v.before, v.after)
    )
    return float(new / old) if old > 0 else 1.0


def far_change(before: np.ndarray, after: np.ndarray, boxes: list[Box]) -> float:
    """Largest absolute change farther than 128 px + side from every box, in one slice."""
    change = np.abs(after.astype(np.float64) - before)
    for box in boxes:
        reach = FAR_PX + box.side
        x, y = (round(v) for v in box.centre)
        top, left = max(y - reach, 0), max(x - reach, 0)
        near = change[top : y + reach + 1, left : x + reach + 1]
        rows, columns = np.ogrid[: near.shape[0], : near.shape[1]]
        near[np.hypot(rows + top - y, columns + left - x) <= reach] = 0
    return float(change.max())
