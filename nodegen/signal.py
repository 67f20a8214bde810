"""Signal class: a box's background is hyposignal or hypersignal (4-class Otsu, paper section 2)."""

import numpy as np
from skimage.filters import threshold_multiotsu

from nodegen.boxes import Box
from nodegen.constants import HYPERSIGNAL_SHARE, OTSU_BINS, OTSU_CLASSES


def top_threshold(slice01: np.ndarray) -> float:
    """Top threshold of a slice, above which a pixel belongs to its brightest class.

    Parameters
    ----------
    slice01 : ndarray, shape (row, column)
        In 0..1.

    Returns
    -------
    float
        In 0..1; infinite where the slice has too few grey levels to part them into four classes.
    """
    # A slice in 0..1 needs no search for its bins: truncation to the bin's number is enough.
    bins = np.minimum((slice01 * OTSU_BINS).astype(np.uint16), OTSU_BINS - 1)
    counts = np.bincount(bins.ravel(), minlength=OTSU_BINS)
    if np.count_nonzero(counts) < OTSU_CLASSES:
        return float("inf")
    # The threshold is the last bin of its class: all of that bin lies below it.
    edges = (np.arange(OTSU_BINS) + 1) / OTSU_BINS
    return float(threshold_multiotsu(classes=OTSU_CLASSES, hist=(counts, edges))[-1])


def signal_class(slice01: np.ndarray, box: Box, threshold: float) -> str:
    """``"hypersignal"`` where at least half of the box lies above the top threshold."""
    inside = slice01[box.top : box.bottom, box.left : box.right]
    bright = float(np.mean(inside > threshold))
    return "hypersignal" if bright >= HYPERSIGNAL_SHARE else "hyposignal"
