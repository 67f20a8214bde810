"""Paste: the nodule is added to the slice (paper: "naively pasted").

The paper's projection is cut off at its mask; a thickness of water falls off by itself.
"""

import numpy as np

from nodegen.io.boxes import Recipe
from nodegen.synthesis.contribution import FittedNodule


def paste(slice01: np.ndarray, nodule: FittedNodule, recipe: Recipe | None = None) -> None:
    """Add a nodule to a slice; black and white are the limits.

    Parameters
    ----------
    slice01 : ndarray of float32, shape (row, column)
        The slice in 0..1; changed in place.
    nodule : FittedNodule
        Its contribution, in the same levels, and its window of the slice.
    recipe : Recipe, optional
        Not used; all methods of drawing are called alike.
    """
    ground = slice01[nodule.window]
    inside = nodule.mask if nodule.central_disc is None else nodule.contribution != 0
    np.copyto(ground, np.clip(ground + nodule.contribution, 0.0, 1.0), where=inside)
