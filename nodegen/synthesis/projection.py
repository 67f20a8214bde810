"""The paper's projection: of a CT nodule cut out by its mask, resized to its box, and its contrast.

The baseline projects the whole patch, which draws vessels and chest wall into the box. Here all
that lies outside the mask is set to the lower end of the HU window before the rays are summed, so
the shadow is the nodule's alone. It is resized by one factor for both axes, bicubic, antialiased.
"""

import numpy as np
from scipy import ndimage

from nodegen.cascade.pyramid import resize_matrix
from nodegen.constants import (
    ABSORPTION_MAX,
    BETA,
    EMPTY_RAY,
    HU_MAX,
    HU_MIN,
    HU_OFFSET,
    HU_SCALE,
    PROJECTION_AXIS,
)
from nodegen.synthesis.fit_to_box import bounds

CONTRAST_FLOOR = {"hyposignal": 0.6, "hypersignal": 0.7}


def project(
    volume_hu: np.ndarray, mask: np.ndarray, axis: int = PROJECTION_AXIS
) -> tuple[np.ndarray, np.ndarray]:
    """Project a masked CT nodule along one axis of its array.

    Parameters
    ----------
    volume_hu, mask : ndarray, shape (slice, row, column)
        CT patch at 1 mm, in HU, and its segmentation: any value above 0 is the nodule.
    axis : {0, 1, 2}
        The axis of the rays.

    Returns
    -------
    projection, mask2d : ndarray of float32 and bool, shape (row, column)
        Mean over the ray of ``exp(min(beta * (HU + 1024) / 1000, 1))``; where it meets the nodule.
    """
    inside = np.asarray(mask) > 0
    hu = np.where(inside, np.clip(volume_hu, HU_MIN, HU_MAX), HU_MIN)
    absorption = np.minimum(BETA * (hu + HU_OFFSET) / HU_SCALE, ABSORPTION_MAX)
    projection = np.exp(absorption).mean(axis=axis, dtype=np.float64)
    return projection.astype(np.float32), np.any(inside, axis=axis)


def diameter_mm(mask2d: np.ndarray) -> int:
    """Larger side of a mask's bounding box, mm (baseline: ``ct_nodules.csv``).

    Parameters
    ----------
    mask2d : ndarray of bool, shape (row, column)
        Not empty, 1 mm a pixel.
    """
    rows, columns = bounds(mask2d)
    return int(max(rows.stop - rows.start, columns.stop - columns.start))


def cut_to_mask(projection: np.ndarray, mask2d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a projection and its mask to the mask's bounding box.

    Parameters
    ----------
    projection, mask2d : ndarray of float32 and bool, shape (row, column)
        The mask is not empty.

    Returns
    -------
    projection, mask2d : ndarray
        Views of both.
    """
    window = bounds(mask2d)
    return projection[window], mask2d[window]


def oriented(
    projection: np.ndarray, mask: np.ndarray, mirror: bool = False, turn_deg: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror a projection and its mask, then turn both in the plane; cut to the new bounding box.

    The projection is interpolated by cubic splines, held within its own range, over a ground of
    ``EMPTY_RAY``; the mask linearly, cut at one half.

    Left and right are swapped before the turn, which is counter-clockwise as displayed, and exact
    in multiples of 90 degrees.
    """
    if mirror:
        projection, mask = projection[:, ::-1], mask[:, ::-1]
    quarters, rest_deg = divmod(float(turn_deg) % 360.0, 90.0)
    projection, mask = (np.rot90(array, int(quarters)) for array in (projection, mask))
    if rest_deg:
        # A pixel of ground on each side: the spline is to see the nodule's edge, not the array's.
        ground = np.pad(projection, 1, constant_values=np.float32(EMPTY_RAY))
        turned = ndimage.rotate(ground, rest_deg, order=3, mode="constant", cval=EMPTY_RAY)
        turned = np.clip(turned, projection.min(), projection.max()).astype(np.float32)
        weight = ndimage.rotate(np.pad(mask, 1).astype(np.float32), rest_deg, order=1)
        # Of a nodule one pixel thin all may fall below one half: its densest pixels are kept.
        projection, mask = cut_to_mask(turned, weight >= min(0.5, float(weight.max())))
    return np.ascontiguousarray(projection), np.ascontiguousarray(mask)


def normalise(projection: np.ndarray) -> np.ndarray:
    """Bring a projection to 0..1: 0 on a ray that misses the nodule, 1 at its densest."""
    height = projection - EMPTY_RAY
    peak = float(height.max())
    if peak <= 0:
        return np.zeros_like(height, dtype=np.float32)
    return np.clip(height / peak, 0.0, 1.0).astype(np.float32)


def match_contrast(nodule: np.ndarray, background: np.ndarray, signal: str) -> float:
    """Scalar with which the nodule is multiplied (paper, section 2).

    ``max(floor, ln(mean nodule / mean background))`` of the nodule's own pixels at the size of its
    box and the slice's pixels in the box, in 0..1; the floor is that of the box's class.
    """
    floor = CONTRAST_FLOOR[signal]
    if nodule.size == 0 or background.size == 0:
        return floor
    mean_nodule, mean_background = float(nodule.mean()), float(background.mean())
    if mean_nodule <= 0 or mean_background <= 0:
        return floor
    return max(floor, float(np.log(mean_nodule / mean_background)))


MARGIN = 2  # px of empty rays around the nodule, so that the cubic kernel falls off on its own


def resample(nodule: np.ndarray, side_px: float) -> np.ndarray:
    """Resize a nodule (row, column) in 0..1, cut to its mask, until its larger side is ``side_px``.

    Comes back in 0..1, with the margin that the kernel needs on every side.
    """
    factor = side_px / max(nodule.shape)
    padded = np.pad(np.asarray(nodule, dtype=np.float32), MARGIN)
    rows, columns = (max(1, round(n * factor)) for n in padded.shape)
    down = resize_matrix(padded.shape[0], rows)
    across = resize_matrix(padded.shape[1], columns)
    return np.asarray(np.clip(down @ padded @ across.T, 0.0, 1.0))


def resample_mask(mask: np.ndarray, side_px: float) -> np.ndarray:
    """Resize a mask (row, column) as :func:`resample` does; bool, and never empty."""
    share = resample(mask, side_px)
    # Of a sliver thinner than a pixel no pixel is half covered: then the fullest ones count.
    return share >= min(0.5, 0.5 * float(share.max()))


def centred(patch: np.ndarray, shape: tuple[int, int], row: float, column: float) -> np.ndarray:
    """Lay ``patch`` into float32 zeros of ``shape`` (row, column), cutting off what sticks out.

    ``row`` and ``column`` say where its centre goes, in px from the canvas's top left edge.
    """
    canvas = np.zeros(shape, dtype=np.float32)
    top, left = round(row - patch.shape[0] / 2), round(column - patch.shape[1] / 2)
    rows = slice(*np.clip((top, top + patch.shape[0]), 0, shape[0]))
    columns = slice(*np.clip((left, left + patch.shape[1]), 0, shape[1]))
    canvas[rows, columns] = patch[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return canvas
