"""Contrast: a projected nodule brought to 0..1, then matched to its background (baseline)."""

import numpy as np

from nodegen.constants import CONTRAST_FLOOR, EMPTY_RAY


def normalise(projection: np.ndarray) -> np.ndarray:
    """Bring a projection to 0..1: 0 on a ray that misses the nodule, 1 at its densest."""
    height = projection - EMPTY_RAY
    peak = float(height.max())
    if peak <= 0:
        return np.zeros_like(height, dtype=np.float32)
    return np.clip(height / peak, 0.0, 1.0).astype(np.float32)


def match_contrast(
    nodule: np.ndarray, mask: np.ndarray, background: np.ndarray, klass: str
) -> float:
    """Scalar with which the nodule is multiplied (paper, section 2).

    Parameters
    ----------
    nodule : ndarray, shape (row, column)
        The nodule in 0..1, at the size of its box.
    mask : ndarray of bool, the same shape
    background : ndarray, shape (row, column)
        The slice's pixels in the box, in 0..1.
    klass : {"hyposignal", "hypersignal"}

    Returns
    -------
    float
        ``max(floor, ln(mean nodule / mean background))`` over the nodule's own pixels.
    """
    floor = CONTRAST_FLOOR[klass]
    mean_nodule, mean_background = float(nodule[mask].mean()), float(background.mean())
    if mean_nodule <= 0 or mean_background <= 0:
        return floor
    return max(floor, float(np.log(mean_nodule / mean_background)))
