"""Paste: the nodule is added to the crop (paper: "naively pasted").

The paper's projection is cut off at its mask; a thickness of water falls off by itself.
"""

import numpy as np

from nodegen.synthesis.blend import FittedNodule
from nodegen.synthesis.recipe import Recipe


def paste(crop: np.ndarray, nodule: FittedNodule, recipe: Recipe | None = None) -> np.ndarray:
    """Add the nodule to the crop; black and white are the limits.

    Parameters
    ----------
    crop : ndarray of float32, shape (row, column)
        In 0..1; left as it is.
    recipe : Recipe, optional
        Not needed: the nodule already has its contrast.
    """
    inside = nodule.mask if nodule.central_disc is None else nodule.contribution != 0
    return np.where(inside, np.clip(crop + nodule.contribution, 0.0, 1.0), crop)
