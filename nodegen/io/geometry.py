"""Geometry: where an image lies, as its file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Geometry:
    """Where an image lies, as its file says.

    Attributes
    ----------
    spacing, origin : tuple of float
        (x, y) or (x, y, z), mm.
    direction : tuple of float
        Row by row, 4 or 9 numbers.
    dimension : {2, 3}
        A single image may be a 2D file; in memory it is a stack of one slice.
    tags : tuple, optional
        What only a TIFF says, to be written as it came: (pixels in a unit along x, along y, the
        number of that unit, the level of black where white is 0, and else 0); the first two as
        (numerator, denominator).
    """

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    dimension: int
    tags: tuple[tuple[int, int], tuple[int, int], int, int] | None = None

    @property
    def black(self) -> Self:
        """The same with black as 0, for pixels that are not those of the file."""
        return replace(self, tags=(*self.tags[:3], 0)) if self.tags else self

    @property
    def stacked(self) -> Self:
        """The same for a stack of images that lie there, 1 mm apart where no file says."""
        if self.dimension == 3:
            return self
        direction = np.eye(3)
        direction[:2, :2] = np.reshape(self.direction, (2, 2))
        axes = tuple(direction.ravel().tolist())
        return replace(
            self,
            spacing=(*self.spacing, 1.0),
            origin=(*self.origin, 0.0),
            direction=axes,
            dimension=3,
        )

    @classmethod
    def plain(cls, dimension: int) -> Self:
        """Spacing 1 mm, origin 0, axes as they come."""
        ones, zeros = (1.0,) * dimension, (0.0,) * dimension
        return cls(ones, zeros, tuple(np.eye(dimension).ravel().tolist()), dimension)
