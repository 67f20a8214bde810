"""Nodule contribution: what a nodule adds to the radiograph, fitted to its box.

Water thickness, fit to box, detector response and contrast in a row; or the paper's projection.

The detector blurs. NODE21's radiographs are then energy-normalised (Philipsen et al., IEEE TMI
2015), which is linear in what is added: of a nodule fine bands are raised and coarse ones lowered.
A large one loses more of its contrast, its top becomes flat, and a faint dark halo surrounds it.

Over heart, liver and bone the same thickness shows less than over lung: more is scattered there,
and the tone curve flattens towards white, where it compresses the radiograph's noise as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from nodegen.constants import MASK_REACH_PX
from nodegen.io.boxes import Box, Recipe
from nodegen.io.library import Nodule
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
from nodegen.synthesis.surroundings import FAINTEST, strands_on
from nodegen.synthesis.visibility import LEAST_MIDDLE, central_disc, shown

# Gain of the bands between these Gaussians, relative to 4..8 px; coarser ones go with the last.
# Median over 14 radiographs that we have both as NIH publishes them and in NODE21's form, of the
# ratio of their standard deviations; from one to another it varies by a tenth.
BAND_SIGMAS_PX = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
BAND_GAINS = (1.12, 1.12, 1.07, 1.0, 0.77, 0.55, 0.44)
AROUND_PX = 64  # zeros around what is transformed, so that it does not meet itself
# Low passes of the crop: what a nodule lies on, and all but noise; between them are vessels. With a
# ground of 12 px nodules are found by their grain (AUC 0.56; research/appearance.md).
GROUND_SIGMA_PX, NOISE_SIGMA_PX = 4.0, 2.0
LUNG_DEPTH_PX, MOST_REPLACED = 450.0, 0.5  # about 15 cm; share of the lung's depth
FAINT = 0.02  # of 0..1: what adds less replaces less
SATURATED = 0.06  # of 0..1 below white: from there the contribution falls to 0 at white
# Of 0..1: where noise begins to be compressed, and is fully so. In 60 radiographs the noise finer
# than 0.7 px is 0.82 to 0.94 of that at 0.6 for levels of 0.7 to 0.95, and 0.38 above.
COMPRESSED = (0.90, 0.98)


@dataclass(frozen=True)
class FittedNodule:
    """A nodule where it lies in a slice, ready to be blended; arrays are (row, column) of it."""

    window: Window  # rows and columns of the slice that the nodule can change
    # float32: what it adds, in 0..1 of the slice's range; below 0 in energy normalisation's halo
    contribution: np.ndarray
    mask: np.ndarray  # bool: its own pixels
    # Bool: where its contrast is measured, to be kept by whatever blends it; None with the paper's
    # contrast, of which nothing is promised.
    central_disc: np.ndarray | None = None
    around: np.ndarray | None = None  # bool: strands and satellites; None where it is alone

    @property
    def drawn(self) -> np.ndarray:
        """All that is drawn: the nodule and what surrounds it, bool, shape (row, column)."""
        return self.mask if self.around is None else self.mask | self.around

    @property
    def reach(self) -> Window:
        """Rows and columns of the slice in which the blurred mask is above 0."""
        rows, columns = self.window
        return moved(support(self.drawn), rows.start, columns.start)

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
    """Fit the recipe's nodule to its box, and pass it through the detector, without its contrast.

    Parameters
    ----------
    nodule, recipe : Nodule, Recipe
        Without the recipe's ``fill``: the paper's projection in 0..1, which has no central disc.
    shape : tuple of int
        The slice's, (row, column).
    """
    rows, columns = crop_window(recipe.box, shape)
    x, y = recipe.box.centre
    canvas = rows.stop - rows.start, columns.stop - columns.start
    at = y - rows.start, x - columns.start
    if recipe.fill == 0:
        contribution, mask = _projection(nodule, recipe, canvas, at)
        window = support(mask)
        placed = moved(window, rows.start, columns.start)
        return FittedNodule(placed, contribution[window], mask[window])
    turned, size = (recipe.mirror, recipe.turn_deg), (recipe.box.height, recipe.box.width)
    thickness, mask = warp_to_box(nodule, *turned, size, recipe.fill, canvas, at, recipe.lobes)
    strands = strands_on(recipe.strands, canvas, at)
    around, drawn = None, mask
    for one in recipe.satellites:
        away = one.away_px * np.exp(1j * np.deg2rad(one.angle_deg))
        middle, side = (at[0] - away.imag, at[1] + away.real), (2 * one.radius_px,) * 2
        small, _ = warp_to_box(nodule, recipe.mirror, one.turn_deg, side, 1.0, canvas, middle)
        thickness = np.maximum(thickness, np.float32(one.height) * small)
    if recipe.strands or recipe.satellites:
        around = np.maximum(strands, thickness) > FAINTEST
        drawn = mask | around
    disc = central_disc_of(recipe.box, (rows, columns))
    reached, seen = support(drawn), bounds(disc)
    window = hull(reached, seen)
    contribution = np.zeros_like(thickness)
    steep = thickness[reached] ** np.float32(recipe.margin_exponent)
    steep = np.maximum(steep, strands[reached])
    contribution[reached] = tapered(detector_response(steep, recipe.blur_px), drawn[reached])
    return FittedNodule(
        moved(window, rows.start, columns.start),
        contribution[window],
        mask[window],
        disc[window],
        None if around is None else around[window],
    )


def _projection(
    nodule: Nodule, recipe: Recipe, canvas: tuple[int, int], at: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The paper's projection, in 0..1, and its mask, resized to the box, on a canvas."""
    projection, mask = oriented(nodule.projection, nodule.mask, recipe.mirror, recipe.turn_deg)
    projection = resample(normalise(projection), recipe.box.side)
    mask = resample_mask(mask, recipe.box.side)
    return centred(projection, canvas, *at), centred(mask, canvas, *at) > 0


def central_disc_of(box: Box, window: Window) -> np.ndarray:
    """The disc in which a box's contrast is measured.

    Parameters
    ----------
    box : Box
        In its slice, px.
    window : (slice, slice)
        Rows and columns of the slice.

    Returns
    -------
    ndarray of bool, shape (row, column)
        A mask of the window.
    """
    rows, columns = window
    x, y = box.centre
    shape = rows.stop - rows.start, columns.stop - columns.start
    return central_disc(shape, y - rows.start, x - columns.start, box.side)


# --- detector response ---------------------------------------------------------------------------


def detector_response(contribution: np.ndarray, blur_px: float) -> np.ndarray:
    """Blur a contribution as the detector does, and pass it through the energy normalisation.

    It is (row, column), linear in thickness, 0 along its border; what comes back is float32, below
    0 in the halo. ``blur_px`` is the standard deviation of the detector's point spread.
    """
    shape = tuple(fft.next_fast_len(side + AROUND_PX, real=True) for side in contribution.shape)
    spectrum = fft.rfft2(contribution.astype(np.float32), shape) * transfer(
        shape, round(blur_px, 2)
    )
    rows, columns = contribution.shape
    return np.asarray(fft.irfft2(spectrum, shape)[:rows, :columns], dtype=np.float32)


def tapered(change: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Let a change (row, column) end within the reach of its mask's harmonisation: 0 beyond.

    Up to 1 px from the mask's bounding box it stays as it is; from there it falls as a cosine.
    """
    falls = []
    for window, length in zip(bounds(mask), mask.shape, strict=True):
        places = np.arange(length)
        beyond = np.maximum(window.start - places, places - window.stop + 1)
        falls.append(beyond.clip(0, MASK_REACH_PX) ** 2)
    return np.asarray(change * _taper()[falls[0][:, None] + falls[1]], dtype=np.float32)


@lru_cache(maxsize=1)
def _taper() -> np.ndarray:
    """What is left of a change, by the square of how many px it lies beyond its mask."""
    away = np.sqrt(np.arange(2 * MASK_REACH_PX**2 + 1))
    share = np.clip((away - 1) / (MASK_REACH_PX - 1), 0, 1)
    return np.asarray(np.cos(0.5 * np.pi * share) ** 2 * (share < 1))


@lru_cache(maxsize=64)
def transfer(shape: tuple[int, int], blur_px: float) -> np.ndarray:
    """Gain of every frequency of a real transform of this shape (row, column)."""
    squares = np.square(BAND_SIGMAS_PX[: len(BAND_GAINS)]) + blur_px**2
    down, across = (
        np.exp(-2 * np.pi**2 * frequencies[:, None] ** 2 * squares)
        for frequencies in (fft.fftfreq(shape[0]), fft.rfftfreq(shape[1]))
    )
    # Of each Gaussian, its own band's gain less that of the finer one: they part the bands.
    return np.asarray(down * np.diff(BAND_GAINS, prepend=0) @ across.T, dtype=np.float32)


def through_tone(nodule: FittedNodule, crop: np.ndarray) -> FittedNodule:
    """Weaken a nodule's contribution where the crop is bright, and the vessels that it replaces.

    The mean over the disc where contrast is measured stays as drawn, except where the crop is
    saturated: there nothing is added.

    Parameters
    ----------
    nodule : FittedNodule
        With the paper's contrast it stays as it is.
    crop : ndarray of float32, shape (row, column)
        Its window of the slice, in 0..1, before it is blended in.
    """
    changed = nodule.contribution != 0
    if nodule.central_disc is None or not changed.any():
        return nodule
    window = bounds(changed)
    pixels, drawn, disc = crop[window], nodule.contribution[window], nodule.central_disc[window]
    ground, denoised = (
        gaussian_filter(pixels, sigma, mode="nearest")
        for sigma in (GROUND_SIGMA_PX, NOISE_SIGMA_PX)
    )
    weakened = drawn * shown(ground).astype(np.float32)
    wanted, left = float(drawn[disc].sum()), float(weakened[disc].sum())
    if wanted > 0 and left > 0:
        weakened *= np.float32(wanted / left)
    # Where the nodule is, the lung has no vessels.
    depth = np.sqrt(nodule.mask.sum()) / LUNG_DEPTH_PX
    replaced = np.clip(drawn * np.float32(depth / max(drawn.max(), FAINT)), 0, MOST_REPLACED)
    weakened -= replaced * (denoised - ground)
    room = np.maximum(1.0 - ground, 1e-3)
    share = np.clip((ground - COMPRESSED[0]) / (COMPRESSED[1] - COMPRESSED[0]), 0, 1)
    noise = np.clip((1.0 - pixels) / room, 0, 2)
    weakened *= (1 - share + share * noise) * np.clip(room / SATURATED, 0, 1)
    result = np.zeros_like(nodule.contribution)
    result[window] = weakened
    return replace(nodule, contribution=result)
