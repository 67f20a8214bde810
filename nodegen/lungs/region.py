"""Where a box lies: on the lungs, on what heart and diaphragm hide of them, or off both.

Quick and rough: one view, on the network's own grid. What places nodules looks at several views,
see :mod:`nodegen.lungs.fields`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nodegen.lungs.check import implausible
from nodegen.lungs.grid import labelled, to_grid


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
    from nodegen.lungs.network import open_network, probabilities  # imports torch

    grid, scale = to_grid(pixels)
    chances = probabilities(open_network(), grid)
    labels = labelled(chances)
    rows, columns = (length * scale for length in pixels.shape)
    if implausible(grid, chances, labels, rows * columns):
        return None
    return Region(hull(labels > 0), scale)


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask (row, column), as a mask; empty where that is."""
    from skimage.morphology import convex_hull_image  # slow to import

    found = np.zeros(mask.shape, bool)
    if mask.any():
        window = ndimage.find_objects(mask.astype(np.uint8))[0]
        found[window] = convex_hull_image(mask[window])
    return found
