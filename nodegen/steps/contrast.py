"""Contrast: a projected nodule brought to 0..1, then matched to its background (baseline)."""

import numpy as np

from nodegen.constants import (
    CONTRAST_FLOOR,
    CORE_MEAN,
    CORE_RADIUS,
    EMPTY_RAY,
    LEAST_CORE_MEAN,
    LEAST_HEADROOM,
)
from nodegen.io.boxes import Box
from nodegen.steps.crop import Window


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


def core_mean(shadow: np.ndarray, box: Box, window: Window) -> float:
    """Mean of a placed nodule in the disc around its box's centre in which the eye looks for it.

    Parameters
    ----------
    shadow : ndarray, shape (row, column)
        The nodule in 0..1, in its crop.
    window : (slice, slice)
        The crop's rows and columns in the slice.
    """
    rows, columns = np.indices(shadow.shape) + 0.5
    x, y = box.centre
    away = np.hypot(rows - (y - window[0].start), columns - (x - window[1].start))
    return float(shadow[away <= max(CORE_RADIUS * box.side, 1.0)].mean())


def realistic(contrast: float, core: float, background: np.ndarray) -> float:
    """Contrast that brings a nodule's middle, not its peak, to a height, as far as white allows.

    Parameters
    ----------
    contrast : float
        Wanted of a nodule of the usual middle.
    core : float
        The nodule's own mean in its middle, in 0..1.
    background : ndarray
        The slice's pixels in the box, in 0..1.
    """
    wanted = contrast * CORE_MEAN / max(core, LEAST_CORE_MEAN)
    return min(wanted, max(1 - float(background.mean()), LEAST_HEADROOM))
