"""Tone: a nodule passes the tone curve of the radiograph, which is flat near white.

The same thickness of water shows less over heart, liver or bone than over lung: more of the light
there is scattered, and the curve from exposure to grey level flattens towards white. What a nodule
adds therefore depends on what lies under each of its pixels, and fades out where the radiograph is
saturated. Near white the curve compresses the radiograph's noise as well, so that a nodule has no
speckle of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from nodegen.synthesis.contribution import FittedNodule

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
