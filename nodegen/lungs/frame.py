"""The lungs' own coordinates, in which nodules' places are comparable among radiographs.

They are pixels of a mean chest: that of NODE21's radiographs, 1024 × 1024 px. Across, four edges
are brought onto each other (outer and inner edge of each lung) and what lies between them is
stretched; down, the top and bottom of the lung on that side, blended across the mediastinum.
"""

from typing import NamedTuple

import numpy as np

# Internal width of an adult's chest, from the outer edge of one lung to that of the other, mm. It
# is what the simulated chests have (0.34 mm/px); where a file's pixel size is not to be trusted,
# lengths in mm are counted by it, and are right to about a tenth.
CHEST_WIDTH_MM = 288.0
# A pixel size that makes the lungs narrower or wider than this is none of this image: NODE21's
# headers hold the size before the image was resampled.
PLAUSIBLE_WIDTH_MM = (180.0, 400.0)
EDGE_QUANTILE = 0.01  # of a lung's pixels lie beyond each of its edges, so that spikes do not count


class Edges(NamedTuple):
    """The edges of one lung field, px: its outermost columns and rows but for a hundredth."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, lung: np.ndarray) -> "Edges":
        """The edges of a mask (row, column)."""
        (left, right), (top, bottom) = (
            np.quantile(
                np.repeat(np.arange(lung.shape[1 - axis]), np.count_nonzero(lung, axis)),
                (EDGE_QUANTILE, 1 - EDGE_QUANTILE),
            ).tolist()
            for axis in (0, 1)
        )
        return cls(left, top, right + 1, bottom + 1)


class Frame(NamedTuple):
    """The edges of both lungs, of an image or of the mean chest, px."""

    right: Edges  # of the patient's right lung, on the left of the image
    left: Edges

    @property
    def width(self) -> float:
        """From outer edge to outer edge, px."""
        return self.left.right - self.right.left

    @property
    def across(self) -> tuple[float, float, float, float]:
        """Columns of the four edges, px, in order."""
        inner = sorted((self.right.right, self.left.left))
        return self.right.left, inner[0], max(inner[1], inner[0] + 1), self.left.right

    def rows(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the lungs' top and bottom at columns ``x``, blended between the inner edges."""
        _, first, second, _ = self.across
        weight = np.clip((x - first) / (second - first), 0, 1)
        top = self.right.top + weight * (self.left.top - self.right.top)
        bottom = self.right.bottom + weight * (self.left.bottom - self.right.bottom)
        return top, bottom


def mapped(
    x: np.ndarray, y: np.ndarray, source: Frame, target: Frame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring points from one frame to another.

    Parameters
    ----------
    x, y : ndarray
        Columns and rows, px of ``source``.
    source, target : Frame
        Of the lungs that the points are given in, and of those that they are brought to.

    Returns
    -------
    x, y, area : ndarray
        px of ``target``; px² of ``target`` for each px² of ``source``, there.
    """
    edges, onto = np.array(source.across), np.array(target.across)
    piece = np.clip(np.searchsorted(edges, x) - 1, 0, 2)
    stretch = np.diff(onto) / np.maximum(np.diff(edges), 1e-6)
    moved = onto[piece] + (x - edges[piece]) * stretch[piece]
    top, bottom = source.rows(x)
    top_onto, bottom_onto = target.rows(moved)
    scale = (bottom_onto - top_onto) / np.maximum(bottom - top, 1e-6)
    return moved, top_onto + (y - top) * scale, stretch[piece] * scale


def mm_per_px(frame: Frame, spacing: tuple[float, ...] | None = None) -> float:
    """Size of a pixel, mm: the file's (x, y, …) where it fits a chest, else by the lungs' width.

    Examples
    --------
    >>> chest = Frame(Edges(100, 100, 450, 800), Edges(550, 100, 900, 800))
    >>> mm_per_px(chest, (0.4, 0.4)), round(mm_per_px(chest, (1.0, 1.0)), 2)
    (0.4, 0.36)
    """
    low, high = PLAUSIBLE_WIDTH_MM
    if spacing and low <= frame.width * spacing[0] <= high:
        return float(spacing[0])
    return CHEST_WIDTH_MM / frame.width
