"""Seven measures of one box, from its radiograph before and after.

Grey levels are those of 0..4095. "Change" is after minus before; "side" is the box's smaller side;
the box's centre is the middle of its corners. Everything is measured on a crop around the box.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from nodegen.io.boxes import Box

DISC = 0.3  # radius of the disc around the centre, in sides
RING = (0.7, 1.0)  # inner and outer radius of the ring, in sides
EDGE = 0.75  # radius within which the edge is sought, in sides
REGION_BLUR_PX = 2.0  # sigma with which the change is smoothed before its region is sought
REGION_LEVEL = 0.25  # of the smoothed change's maximum: the region
CORE_LEVEL = 0.5  # of the same: its core
GRAIN_PX = 1.5  # sigma below which detail is fine grain
EDGE_PERCENTILE = 99
FAR_PX = 128  # plus the side: what lies farther from every box is far
CROP_SIDES, CROP_PX = 1.5, 24  # half a crop: the ring, a region that sticks out, and blur

MEASURES = {
    "contrast": "grey levels",
    "extent": "sides",
    "offset": "sides",
    "edge": "",
    "grain": "after / before",
    "visibility": "standard deviations",
}


@dataclass(frozen=True)
class Views:
    """A crop around a box: before and change, and each pixel's distance from the centre in px."""

    before: np.ndarray
    change: np.ndarray
    distance: np.ndarray
    centre: tuple[float, float]  # (row, column) in the crop, from its top left edge
    side: float

    @property
    def after(self) -> np.ndarray:
        """The crop with its nodule."""
        return np.asarray(self.before + self.change)


def views(before: np.ndarray, after: np.ndarray, box: Box) -> Views:
    """Cut the crop of a box out of its slice, (row, column) each."""
    x, y = box.centre
    half = CROP_SIDES * box.side + CROP_PX
    top, left = max(int(y - half), 0), max(int(x - half), 0)
    window = slice(top, int(y + half) + 1), slice(left, int(x + half) + 1)
    old = before[window].astype(np.float64)
    centre = y - top, x - left
    rows, columns = np.indices(old.shape) + 0.5
    distance = np.hypot(rows - centre[0], columns - centre[1])
    return Views(old, after[window].astype(np.float64) - old, distance, centre, float(box.side))


def measure_box(before: np.ndarray, after: np.ndarray, box: Box) -> dict[str, float]:
    """All measures of one box but the far change.

    Parameters
    ----------
    before, after : ndarray, shape (row, column)
        The box's slice, in grey levels of 0..4095.

    Returns
    -------
    dict
        The keys of ``MEASURES``. Where nothing changed, ``extent``, ``offset`` and ``edge`` are 0
        and ``grain`` is 1.
    """
    v = views(before, after, box)
    contrast = contrast_of(v)
    region, core = region_of(v.change)
    extent, offset = extent_and_offset(v, region)
    return {
        "contrast": contrast,
        "extent": extent,
        "offset": offset,
        "edge": edge_of(v, contrast),
        "grain": grain_of(v, core),
        "visibility": visibility_of(v, contrast),
    }


def contrast_of(v: Views) -> float:
    """Mean change in the disc of 0.3 sides around the box's centre, grey levels.

    Real nodules (JSRT) stand 100 to 500 above their surround; an image against itself gives 0.
    """
    return float(v.change[v.distance <= DISC * v.side].mean())


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
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    region = parts == sizes.argmax()
    return region, region & (smooth > CORE_LEVEL * peak)


def extent_and_offset(v: Views, region: np.ndarray) -> tuple[float, float]:
    """Larger side of the region, and its centre's distance from the box's, both in sides.

    The region's centre is its centre of mass. A nodule that fills its box has an extent of 0.7 to
    1.1, since the faint rim of a dome lies under a quarter of its height.
    """
    if not region.any():
        return 0.0, 0.0
    rows, columns = np.nonzero(region)
    larger = max(np.ptp(rows), np.ptp(columns)) + 1
    away = np.hypot(rows.mean() + 0.5 - v.centre[0], columns.mean() + 0.5 - v.centre[1])
    return float(larger / v.side), float(away / v.side)


def edge_of(v: Views, contrast: float) -> float:
    """99th percentile of the change's gradient within 0.75 sides, times side over contrast.

    A soft dome gives about 4, a hard disc several times that. 0 where there is no contrast.
    """
    if contrast == 0:
        return 0.0
    down, across = np.gradient(v.change)
    slope = np.hypot(down, across)[v.distance <= EDGE * v.side]
    return float(np.percentile(slope, EDGE_PERCENTILE) * v.side / contrast)


def grain_of(v: Views, core: np.ndarray) -> float:
    """Standard deviation of the detail under 1.5 px in the region's core, after over before.

    1 for an image against itself; below 0.85 a nodule is smoother than its surround.
    """
    if not core.any():
        return 1.0
    old, new = (detail(image)[core].std() for image in (v.before, v.after))
    return float(new / old) if old > 0 else 1.0


def detail(image: np.ndarray) -> np.ndarray:
    """What of ``image`` (row, column) lies under 1.5 px."""
    return np.asarray(image - ndimage.gaussian_filter(image, GRAIN_PX))


def visibility_of(v: Views, contrast: float) -> float:
    """Contrast over the standard deviation of the ring of 0.7 to 1.0 sides; real: 0.2 to 1.6."""
    ring = v.before[(v.distance >= RING[0] * v.side) & (v.distance <= RING[1] * v.side)]
    spread = float(ring.std()) if ring.size else 0.0
    return contrast / spread if spread > 0 else 0.0


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


def measure(before: np.ndarray, after: np.ndarray, boxes: list[Box]) -> list[dict[str, Any]]:
    """Measure every box of a stack.

    Parameters
    ----------
    before, after : ndarray, shape (slice, row, column)
        In grey levels of 0..4095.

    Returns
    -------
    list of dict
        For each box its index, slice, side and the keys of ``MEASURES``, in the order of ``boxes``.
    """
    return [
        {
            "index": box.index,
            "slice": box.slice,
            "side": box.side,
            **measure_box(before[box.slice], after[box.slice], box),
        }
        for box in boxes
    ]


def quantiles(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """5th, 50th and 95th percentile of each measure over all boxes."""
    table = {}
    for name in MEASURES:
        values = [row[name] for row in rows]
        p5, p50, p95 = np.percentile(values, (5, 50, 95)) if values else (np.nan,) * 3
        table[name] = {"p5": float(p5), "p50": float(p50), "p95": float(p95)}
    return table
