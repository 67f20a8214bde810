"""Blending: three ways to bring a nodule into a crop, behind one interface.

``paste`` adds the nodule, ``poisson`` blends its gradients in (the organisers' baseline), and
``singan`` pastes it and harmonises the paste with a cascade (the paper).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nodegen.synthesis.recipe import Recipe


@dataclass(frozen=True)
class FittedNodule:
    """A nodule that lies where it belongs in a crop, ready to be blended.

    Attributes
    ----------
    contribution : ndarray of float32, shape (row, column)
        What the nodule adds to the crop at full strength: 0..1 times its contrast, 0 beside it.
        Below 0 in the halo that energy normalisation draws around it.
    mask : ndarray of bool, shape (row, column)
        The nodule's own pixels.
    central_disc : ndarray of bool, shape (row, column), optional
        Where its contrast is measured, to be kept by whatever blends it; None with the paper's
        contrast, of which nothing is promised.
    """

    contribution: np.ndarray
    mask: np.ndarray
    central_disc: np.ndarray | None = None


class Blend(Protocol):
    """One method of blending."""

    def __call__(self, crop: np.ndarray, nodule: FittedNodule, recipe: Recipe) -> np.ndarray:
        """Blend ``nodule`` into ``crop`` (row, column) in 0..1, and return the new crop.

        Pixels that the nodule does not reach keep their value, bit for bit.
        """
        ...
