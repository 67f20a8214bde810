"""The lungs' own coordinates, in which nodules' places are comparable among radiographs.

They are pixels of a mean chest: that of NODE21's radiographs, 1024 × 1024 px. Across, four edges
are brought onto each other (outer and inner edge of each lung) and what lies between them is
stretched; down, the top and bottom of the lung on that side, blended across the mediastinum.
"""

from dataclasses import dataclass

import numpy as np

from nodegen.lungs.fields import Edges, Lungs

# Internal width of an adult's chest, from the outer edge of one lung to that of the other, mm. It
# is what the simulated chests have (0.34 mm/px); where a file's pixel size is not to be trusted,
# lengths in mm are counted by it, and are right to about a tenth.
CHEST_WIDTH_MM = 288.0
# A pixel size that makes the lungs narrower or wider than this is none of this image: NODE21's
# headers hold the size before the image was resampled.
PLAUSIBLE_WIDTH_MM = (180.0, 400.0)


@dataclass(frozen=True)
class Frame:
    """The edges of both lungs, of an image or of the mean chest, px.

    Attributes
    ----------
    right, left : Edges
        Of the patient's right lung, on the left of the image, and of the left one.
    """

    right: Edges
    left: Edges

    @classmethod
    def of(cls, lungs: Lungs) -> "Frame":
        """The frame of a radiograph's lungs."""
        return cls(*lungs.edges)

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
        """Rows of the lungs' top and bottom at columns `x`, blended between the inner edges."""
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
    x, y : numpy.ndarray
        Columns and rows, px of `source`.
    source : Frame
        The edges of the lungs that the points are given in, px.
    target : Frame
        The edges of the lungs that they are brought to, px.

    Returns
    -------
    x, y : numpy.ndarray
        px of `target`.
    area : numpy.ndarray
        px² of `target` for each px² of `source`, there.
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
    """Size of a pixel, mm: the file's where it fits a chest, else by the width of the lungs.

    Parameters
    ----------
    frame : Frame
        The edges of the radiograph's lungs, px.
    spacing : tuple of float, optional
        (x, y, …) as the file says, mm.

    Examples
    --------
    >>> chest = Frame(Edges(100, 100, 450, 800), Edges(550, 100, 900, 800))
    >>> mm_per_px(chest, (0.4, 0.4)), round(mm_per_px(chest, (1.0, 1.0)), 2)
    (0.4, 0.36)
    """
    if spacing:
        low, high = PLAUSIBLE_WIDTH_MM
        if low <= frame.width * spacing[0] <= high:
            return float(spacing[0])
    return CHEST_WIDTH_MM / frame.width
