"""Where in a radiograph a box may lie: on the lungs and what hides parts of them, off the padding.

It is sampled at every fourth pixel, and so small enough to be kept for many radiographs: 200 KB of
one of 1024 × 1024 px.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nodegen.io.boxes import Box
from nodegen.lungs.fields import Lungs
from nodegen.lungs.frame import Frame
from nodegen.lungs.region import hull, off_border

STEP_PX = 4  # between samples
# Chosen, not fitted, but for HULL_SHARE.
SHOWN_SHARE = 0.98  # of a box that must lie on what was exposed
HULL_SHARE = 0.7  # of a box that must lie in the hull of the lungs; NODE21's reach over the ribs
PADDING_LEVELS = 0.01  # of the grey range above the darkest level that still is no body


@dataclass(frozen=True)
class Body:
    """The lungs of one radiograph, their convex hull, and what was exposed.

    Masks have the shape (row / 4, column / 4), rounded up.
    """

    labels: np.ndarray  # uint8, as of :class:`nodegen.lungs.fields.Lungs`
    hull: np.ndarray  # bool: lung, and what heart and diaphragm hide of it
    shown: np.ndarray  # bool: all but the darkest pixels that hang together with the border
    shape: tuple[int, int]  # rows and columns of the radiograph
    frame: Frame  # of the lungs

    @classmethod
    def of(cls, lungs: Lungs, pixels: np.ndarray) -> "Body":
        """The body of one radiograph, by its lungs and its pixels (row, column)."""
        labels = lungs.labels[::STEP_PX, ::STEP_PX].copy()
        low, high = float(pixels.min()), float(pixels.max())
        blank = pixels[::STEP_PX, ::STEP_PX] <= low + PADDING_LEVELS * (high - low)
        rows, columns = pixels.shape
        return cls(labels, hull(labels > 0), off_border(blank), (rows, columns), lungs.frame)

    @cached_property
    def hidden(self) -> np.ndarray:
        """Mask of what the hull holds and the lung fields do not."""
        return np.asarray(self.hull & (self.labels == 0))

    def holds(self, box: Box) -> bool:
        """Whether the box lies inside the image, on the hull, and off the padding."""
        rows, columns = self.shape
        if box.left < 0 or box.top < 0 or box.right > columns or box.bottom > rows:
            return False
        here = (
            slice(box.top // STEP_PX, -(-box.bottom // STEP_PX)),
            slice(box.left // STEP_PX, -(-box.right // STEP_PX)),
        )
        return bool(self.hull[here].mean() >= HULL_SHARE and self.shown[here].mean() >= SHOWN_SHARE)

    def region(self, box: Box) -> str:
        """Where a box's centre lies: "lung", "hidden" behind heart or diaphragm, or "edge"."""
        x, y = (int(value) // STEP_PX for value in box.centre)
        if self.labels[y, x]:
            return "lung"
        return "hidden" if self.hull[y, x] else "edge"
