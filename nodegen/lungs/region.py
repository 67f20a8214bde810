"""Where a box lies: on the lungs, on what heart and diaphragm hide of them, or off both.

Quick and rough: one view, on the network's own grid, without torch. What places nodules looks at
several views, see :mod:`nodegen.lungs.fields`.
"""

from dataclasses import dataclass

import numpy as np

from nodegen.lungs.check import implausible
from nodegen.lungs.forward import forward
from nodegen.lungs.grid import labelled, to_grid

ROUNDING = 1e-9  # px


@dataclass(frozen=True)
class Region:
    """The convex hull of both lungs: lung, and what heart and diaphragm hide of it.

    Attributes
    ----------
    mask : numpy.ndarray of bool, shape (row, column)
        On the grid.
    scale : float
        px of the grid for each px of the radiograph.
    """

    mask: np.ndarray
    scale: float

    def share_off(self, left: int, top: int, right: int, bottom: int) -> float:
        """Share of a box, px of the radiograph and half-open, that lies off the region."""
        sides = []
        for low, high in ((top, bottom), (left, right)):
            # Where the middles of the box's pixels lie on the grid.
            middles = (np.arange(low, high) + 0.5) * self.scale
            sides.append(np.minimum(middles.astype(int), len(self.mask) - 1))
        return 1.0 - float(self.mask[np.ix_(*sides)].mean())


def find_region(pixels: np.ndarray) -> Region | None:
    """Find the region of the lungs; None where what is seen is no upright chest from the front.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
        Any grey scale.

    Raises
    ------
    ModelError
        Where the weights that nodegen ships are missing or altered.
    """
    grid, scale = to_grid(pixels)
    chances = forward(grid)
    labels = labelled(chances)
    rows, columns = (length * scale for length in pixels.shape)
    if implausible(grid, chances, labels, rows * columns):
        return None
    return Region(hull(labels > 0), scale)


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask (row, column), as a mask: all whose middle lies in it.

    By Andrew's monotone chain: SciPy has a hull, too, whose import alone takes twice as long as all
    of this module's work on a slice.
    """
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return np.zeros_like(mask)
    # The first and the last pixel of a row decide; each reaches from edge to edge.
    first = mask[rows].argmax(1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(1)
    row, column = np.ogrid[: mask.shape[0], : mask.shape[1]]
    left = _least(rows, first, row[:, 0])
    right = -_least(rows, -last, row[:, 0])
    within = (row >= rows[0]) & (row <= rows[-1])
    return np.asarray(
        within & (column >= left[:, None] - ROUNDING) & (column <= right[:, None] + ROUNDING)
    )


def _least(rows: np.ndarray, columns: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Least column of the convex hull of pixels in each row of ``at``."""
    points = sorted(
        (row + down, column + across)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        for down, across in ((-0.5, 0.0), (0.0, -0.5), (0.5, 0.0))
    )
    chain: list[tuple[float, float]] = []
    for point in points:
        while len(chain) > 1 and _turns_back(chain[-2], chain[-1], point):
            chain.pop()
        chain.append(point)
    corners = np.array(chain)
    return np.asarray(np.interp(at, corners[:, 0], corners[:, 1]))


def _turns_back(
    one: tuple[float, float], other: tuple[float, float], point: tuple[float, float]
) -> bool:
    """Whether the middle one of three points in order of rows lies above the line of the others."""
    down, across = other[0] - one[0], other[1] - one[1]
    return down * (point[1] - one[1]) <= across * (point[0] - one[0])
