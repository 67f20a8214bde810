"""Nodule contribution: what a nodule adds to the radiograph, fitted to its box.

Water thickness, fit to box, detector response and contrast in a row; or the paper's projection,
resized to the box and matched to its background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nodegen.io.boxes import Box
from nodegen.io.library import Nodule
from nodegen.synthesis.detector import detector_response, tapered
from nodegen.synthesis.fit_to_box import (
    Window,
    bounds,
    crop_window,
    hull,
    moved,
    support,
    warp_to_box,
    within,
)
from nodegen.synthesis.projection import centred, normalise, oriented, resample, resample_mask
from nodegen.synthesis.recipe import Recipe
from nodegen.synthesis.visibility import LEAST_MIDDLE, central_disc


@dataclass(frozen=True)
class FittedNodule:
    """A nodule where it lies in a slice, ready to be blended; all arrays are its window's.

    Attributes
    ----------
    window : (slice, slice)
        Rows and columns of the slice that the nodule can change.
    contribution : ndarray of float32, shape (row, column)
        What the nodule adds at full strength, in 0..1 of the slice's range. Below 0 in the halo
        that energy normalisation draws around it.
    mask : ndarray of bool, shape (row, column)
        The nodule's own pixels.
    central_disc : ndarray of bool, shape (row, column), optional
        Where its contrast is measured, to be kept by whatever blends it; None with the paper's
        contrast, of which nothing is promised.
    """

    window: Window
    contribution: np.ndarray
    mask: np.ndarray
    central_disc: np.ndarray | None = None

    @property
    def reach(self) -> Window:
        """Rows and columns of the slice in which the blurred mask is above 0."""
        rows, columns = self.window
        return moved(support(self.mask), rows.start, columns.start)

    def seen_from(self, window: Window) -> FittedNodule:
        """The same in a window of the slice that holds it."""
        return replace(self, window=within(self.window, window))

    def pasted(self, image: np.ndarray) -> np.ndarray:
        """A copy of an image (row, column) with the nodule added; white is the ceiling."""
        image = image.copy()
        image[self.window] = np.minimum(image[self.window] + self.contribution, 1.0)
        return image

    def scaled(self, contrast: float) -> FittedNodule:
        """The same with a mean of ``contrast`` over its central disc, in 0..1.

        Where the centre is hollow, its wall is not raised beyond 1 / ``LEAST_MIDDLE`` of that.
        """
        peak = float(self.contribution.max())
        mean = max(float(self.contribution[self.central_disc].mean()), LEAST_MIDDLE * peak, 1e-6)
        return replace(self, contribution=self.contribution * np.float32(contrast / mean))


def fit_nodule(nodule: Nodule, recipe: Recipe, shape: tuple[int, ...]) -> FittedNodule:
    """Fit a nodule to its box, and pass it through the detector; its contrast is not yet given.

    Parameters
    ----------
    nodule : Nodule
        The recipe's.
    recipe : Recipe
        Says the box, and how the nodule is turned, filled into it and blurred.
    shape : (rows, columns)
        Of the slice.

    Returns
    -------
    FittedNodule
        Of a recipe without ``fill`` the paper's projection in 0..1, which has no central disc.
    """
    if recipe.fill == 0:
        return _fit_projection(nodule, recipe, shape)
    rows, columns = crop_window(recipe.box, shape)
    x, y = recipe.box.centre
    canvas = rows.stop - rows.start, columns.stop - columns.start
    size = recipe.box.height, recipe.box.width
    thickness, mask = warp_to_box(
        nodule,
        recipe.mirror,
        recipe.turn_deg,
        size,
        recipe.fill,
        canvas,
        (y - rows.start, x - columns.start),
    )
    disc = central_disc_of(recipe.box, (rows, columns))
    reached, seen = support(mask), bounds(disc)
    window = hull(reached, seen)
    contribution = np.zeros_like(thickness)
    steep = thickness[reached] ** np.float32(recipe.margin_exponent)
    contribution[reached] = tapered(detector_response(steep, recipe.blur_px), mask[reached])
    return FittedNodule(
        moved(window, rows.start, columns.start), contribution[window], mask[window], disc[window]
    )


def _fit_projection(nodule: Nodule, recipe: Recipe, shape: tuple[int, ...]) -> FittedNodule:
    """Fit the paper's projection, in 0..1, to its box."""
    rows, columns = crop_window(recipe.box, shape)
    x, y = recipe.box.centre
    canvas = rows.stop - rows.start, columns.stop - columns.start
    at = y - rows.start, x - columns.start
    turned, mask = oriented(nodule.projection, nodule.mask, recipe.mirror, recipe.turn_deg)
    projection = resample(normalise(turned), recipe.box.side)
    mask = centred(resample_mask(mask, recipe.box.side), canvas, *at) > 0
    window = support(mask)
    return FittedNodule(
        moved(window, rows.start, columns.start),
        centred(projection, canvas, *at)[window],
        mask[window],
    )


def central_disc_of(box: Box, window: Window) -> np.ndarray:
    """The disc in which a box's contrast is measured, as a mask of a window of its slice."""
    rows, columns = window
    x, y = box.centre
    shape = rows.stop - rows.start, columns.stop - columns.start
    return central_disc(shape, y - rows.start, x - columns.start, box.side)
