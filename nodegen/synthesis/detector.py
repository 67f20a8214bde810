"""Detector response: from a nodule's water-equivalent thickness to its grey levels.

The detector blurs. NODE21's radiographs are then energy-normalised (Philipsen et al., IEEE TMI
2015): an image is split into bands, and each is brought to a reference energy. That is linear in
what is added, so a nodule passes it band by band: fine bands are raised and coarse ones lowered. A
large nodule loses more of its contrast than a small one, its top becomes flat, and a faint dark
halo surrounds it.

Over heart, liver and bone the same thickness shows less than over lung: more of the light there is
scattered, and the tone curve flattens towards white. What a nodule adds therefore depends on what
lies under each of its pixels. Near white the curve compresses the radiograph's noise as well, so
that a nodule has no speckle of its own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from nodegen.constants import MASK_REACH_PX
from nodegen.synthesis.fit_to_box import bounds

if TYPE_CHECKING:
    from nodegen.synthesis.contribution import FittedNodule

# Gain of the bands between these Gaussians, relative to 4..8 px; coarser ones go with the last.
# Median over 14 radiographs that we have both as NIH publishes them and in NODE21's form, of the
# ratio of their standard deviations; from one to another it varies by a tenth.
BAND_SIGMAS_PX = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
BAND_GAINS = (1.12, 1.12, 1.07, 1.0, 0.77, 0.55, 0.44)
AROUND_PX = 64  # zeros around what is transformed, so that it does not meet itself


def detector_response(contribution: np.ndarray, blur_px: float) -> np.ndarray:
    """Blur a contribution as the detector does, and pass it through the energy normalisation.

    Parameters
    ----------
    contribution : ndarray, shape (row, column)
        Linear in thickness, 0 along its border.
    blur_px : float
        Standard deviation of the detector's point spread, px.

    Returns
    -------
    ndarray of float32, the same shape
        Below 0 in the halo.
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
        beyond = np.maximum(np.maximum(window.start - places, places - window.stop + 1), 0)
        falls.append(beyond)
    away = np.hypot(falls[0][:, None], falls[1])
    share = np.clip((away - 1) / (MASK_REACH_PX - 1), 0, 1)
    return np.asarray(change * np.cos(0.5 * np.pi * share) ** 2 * (share < 1), dtype=np.float32)


@lru_cache(maxsize=64)
def transfer(shape: tuple[int, int], blur_px: float) -> np.ndarray:
    """Gain of every frequency of a real transform of this shape (row, column)."""
    rows, columns = fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])
    squared = -2 * np.pi**2 * (rows[:, None] ** 2 + columns**2)
    passed = [np.exp(squared * sigma**2) for sigma in BAND_SIGMAS_PX]
    gain = sum(
        g * (fine - coarse) for g, fine, coarse in zip(BAND_GAINS, passed, passed[1:], strict=False)
    )
    gain = gain + BAND_GAINS[-1] * passed[-1]
    return np.asarray(gain * np.exp(squared * blur_px**2), dtype=np.float32)


# Fitted to 94 real nodules (``nodegen reference``): above a level of 0.47, the median in the lung,
# the logarithm of the contrast falls by 2.8 (standard error 0.7) a unit of the surround's level,
# its size and the standard deviation of the surround held.
TYPICAL_LEVEL, LEVEL_SLOPE = 0.47, 2.8  # of 0..1; per 1 of level
GROUND_SIGMA_PX = 4.0  # low pass of the crop: its noise is not what a nodule lies on
SATURATED = 0.06  # of 0..1 below white: from there the contribution falls to 0 at white
COMPRESSED = (0.70, 0.95)  # of 0..1: where the noise begins to be compressed, and is fully so


def shown(level: np.ndarray | float) -> np.ndarray:
    """Share of a nodule's contrast that ground of a level (0..1) shows; 1 over lung."""
    return np.asarray(np.exp(-LEVEL_SLOPE * np.maximum(np.asarray(level) - TYPICAL_LEVEL, 0.0)))


def through_tone(nodule: FittedNodule, crop: np.ndarray) -> FittedNodule:
    """Weaken a nodule's contribution where the crop is bright.

    The mean over the disc where contrast is measured stays as drawn, except where the crop is
    saturated: there nothing is added.

    Parameters
    ----------
    nodule : FittedNodule
        Left as it is with the paper's contrast.
    crop : ndarray of float32, shape (row, column)
        The nodule's window of the slice, in 0..1, before the nodule is blended in.

    Returns
    -------
    FittedNodule
        With the same mask.
    """
    changed = np.nonzero(nodule.contribution)
    if nodule.central_disc is None or not len(changed[0]):
        return nodule
    window = tuple(slice(int(at.min()), int(at.max()) + 1) for at in changed)
    pixels, drawn, disc = crop[window], nodule.contribution[window], nodule.central_disc[window]
    ground = gaussian_filter(pixels, GROUND_SIGMA_PX, mode="nearest")
    weakened = drawn * shown(ground).astype(np.float32)
    wanted, left = float(drawn[disc].sum()), float(weakened[disc].sum())
    if wanted > 0 and left > 0:
        weakened *= np.float32(wanted / left)
    room = np.maximum(1.0 - ground, 1e-3)
    low, high = COMPRESSED
    share = np.clip((ground - low) / (high - low), 0, 1)
    noise = np.clip((1.0 - pixels) / room, 0, 2)
    weakened *= (1 - share + share * noise) * np.clip(room / SATURATED, 0, 1)
    result = np.zeros_like(nodule.contribution)
    result[window] = weakened
    return replace(nodule, contribution=result)
