"""Paste: the nodule is added to the crop, inside its mask (paper: "naively pasted")."""

import numpy as np

from nodegen.blend import PlacedNodule
from nodegen.steps.recipe import Recipe


def paste(crop: np.ndarray, nodule: PlacedNodule, recipe: Recipe | None = None) -> np.ndarray:
    """Add the nodule to the crop; white is the ceiling.

    Parameters
    ----------
    crop : ndarray of float32, shape (row, column)
        In 0..1; left as it is.
    recipe : Recipe, optional
        Not needed: the nodule already has its contrast.
    """
    return np.where(nodule.mask, np.minimum(crop + nodule.shadow, 1.0), crop)
