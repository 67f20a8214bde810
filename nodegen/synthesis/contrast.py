"""The paper's contrast: a projection brought to 0..1, then matched to its background (baseline)."""

import numpy as np

from nodegen.constants import CONTRAST_FLOOR, EMPTY_RAY


def normalise(projection: np.ndarray) -> np.ndarray:
    """Bring a projection to 0..1: 0 on a ray that misses the nodule, 1 at its densest."""
    height = projection - EMPTY_RAY
    peak = float(height.max())
    if peak <= 0:
        return np.zeros_like(height, dtype=np.float32)
    return np.clip(height / peak, 0.0, 1.0).astype(np.float32)


def match_contrast(nodule: np.ndarray, background: np.ndarray, signal: str) -> float:
    """Scalar with which the nodule is multiplied (paper, section 2).

    Parameters
    ----------
    nodule : ndarray
        The nodule's own pixels, in 0..1, at the size of its box.
    background : ndarray, shape (row, column)
        The slice's pixels in the box, in 0..1.
    signal : {"hyposignal", "hypersignal"}
        Class of the box.

    Returns
    -------
    float
        ``max(floor, ln(mean nodule / mean background))``.
    """
    floor = CONTRAST_FLOOR[signal]
    if nodule.size == 0 or background.size == 0:
        return floor
    mean_nodule, mean_background = float(nodule.mean()), float(background.mean())
    if mean_nodule <= 0 or mean_background <= 0:
        return floor
    return max(floor, float(np.log(mean_nodule / mean_background)))
