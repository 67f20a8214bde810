"""One slice and what belongs to it: each part is computed once, when it is first needed."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nodegen.io.boxes import Box
from nodegen.io.library import Library
from nodegen.lungs.region import Region, find_region
from nodegen.synthesis.contribution import FittedNodule, fit_nodule
from nodegen.synthesis.grey import to_unit
from nodegen.synthesis.recipe import Recipe
from nodegen.synthesis.signal_class import top_threshold
from nodegen.synthesis.visibility import surround


class SliceContext:
    """A slice of a stack while nodules are planned and rendered in it.

    Parameters
    ----------
    untouched : ndarray, shape (row, column)
        Any pixel type; not to be written to.
    """

    def __init__(self, untouched: np.ndarray):
        self.untouched = untouched
        self.shape = untouched.shape
        self._fitted: dict[tuple[object, ...], FittedNodule] = {}
        self._surrounds: dict[Box, tuple[float, float]] = {}

    @cached_property
    def slice01(self) -> np.ndarray:
        """The untouched slice in 0..1 of its own range, float32; not to be written to."""
        return to_unit(self.untouched)

    @cached_property
    def top_threshold(self) -> float:
        """Otsu's threshold from which on a pixel belongs to the brightest class, in 0..1."""
        return top_threshold(self.slice01)

    @cached_property
    def lungs(self) -> Region | None:
        """The lungs and what heart and diaphragm hide of them; None where no two are found."""
        return find_region(self.slice01)

    def surround(self, box: Box) -> tuple[float, float]:
        """Level and standard deviation around a box; see :func:`.visibility.surround`."""
        if box not in self._surrounds:
            self._surrounds[box] = surround(self.slice01, box)
        return self._surrounds[box]

    def fit(self, library: Library, recipe: Recipe) -> FittedNodule:
        """The recipe's nodule, fitted to its box; kept from planning to rendering, then dropped.

        Parameters
        ----------
        library : Library
            Holds the nodule.
        recipe : Recipe
            Its box lies in this slice.
        """
        key = (
            *(recipe.box, recipe.nodule, recipe.mirror, recipe.turn_deg),
            *(recipe.fill, recipe.blur_px, recipe.margin_exponent),
        )
        if key in self._fitted:
            return self._fitted.pop(key)
        self._fitted[key] = fit_nodule(library[recipe.nodule], recipe, self.shape)
        return self._fitted[key]
