"""Resampling a nodule to its box: one factor for both axes, float, bicubic with antialiasing."""

import numpy as np

from nodegen.cascade.resize import resize_matrix

MARGIN = 2  # px of empty rays around the nodule, so that the cubic kernel falls off on its own


def resample(nodule: np.ndarray, side_px: float) -> np.ndarray:
    """Resize a nodule so that its larger side measures ``side_px``.

    Parameters
    ----------
    nodule : ndarray, shape (row, column)
        The nodule in 0..1 (or its mask), cut to its mask.
    side_px : float
        Wanted length of the larger side, px.

    Returns
    -------
    ndarray of float32, shape (row, column)
        In 0..1, with the margin that the kernel needs on every side.
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
    """Lay ``patch`` into zeros of ``shape`` (row, column), centred; what sticks out is cut off.

    Parameters
    ----------
    row, column : float
        Where the centre of the patch goes, in px from the canvas's top left edge.
    """
    canvas = np.zeros(shape, dtype=np.float32)
    top, left = round(row - patch.shape[0] / 2), round(column - patch.shape[1] / 2)
    rows = slice(*np.clip((top, top + patch.shape[0]), 0, shape[0]))
    columns = slice(*np.clip((left, left + patch.shape[1]), 0, shape[1]))
    canvas[rows, columns] = patch[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return canvas
