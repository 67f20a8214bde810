"""Projection: from a CT nodule, cut out by its mask, to its shadow on a radiograph.

The baseline projects the whole patch, which draws vessels and chest wall into the box. Here all
that lies outside the mask is set to the lower end of the HU window before the rays are summed, so
the shadow is the nodule's alone.
"""

import numpy as np

from nodegen.constants import (
    ABSORPTION_MAX,
    BETA,
    HU_MAX,
    HU_MIN,
    HU_OFFSET,
    HU_SCALE,
    PROJECTION_AXIS,
)
from nodegen.synthesis.crop import bounds


def project(
    volume_hu: np.ndarray, mask: np.ndarray, axis: int = PROJECTION_AXIS
) -> tuple[np.ndarray, np.ndarray]:
    """Project a masked CT nodule along one axis of its array.

    Parameters
    ----------
    volume_hu : ndarray, shape (slice, row, column)
        CT patch at 1 mm, in HU.
    mask : ndarray of the same shape
        The nodule's segmentation; any value above 0 belongs to it.
    axis : {0, 1, 2}
        The axis of the rays.

    Returns
    -------
    projection : ndarray of float32, shape (row, column)
        Mean over the ray of ``exp(min(beta * (HU + 1024) / 1000, 1))``.
    mask2d : ndarray of bool, the same shape
        Where a ray meets the nodule.
    """
    inside = np.asarray(mask) > 0
    hu = np.where(inside, np.clip(volume_hu, HU_MIN, HU_MAX), HU_MIN)
    absorption = np.minimum(BETA * (hu + HU_OFFSET) / HU_SCALE, ABSORPTION_MAX)
    projection = np.exp(absorption).mean(axis=axis, dtype=np.float64)
    return projection.astype(np.float32), np.any(inside, axis=axis)


def diameter_mm(mask2d: np.ndarray) -> int:
    """Larger side of a 2D mask's bounding box at 1 mm, in mm (baseline: ``ct_nodules.csv``)."""
    rows, columns = bounds(mask2d)
    return int(max(rows.stop - rows.start, columns.stop - columns.start))


def cut_to_mask(projection: np.ndarray, mask2d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a projection and its mask, both (row, column), to the mask's bounding box."""
    window = bounds(mask2d)
    return projection[window], mask2d[window]
