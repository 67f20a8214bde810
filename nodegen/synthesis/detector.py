"""Detector response: from a nodule's water-equivalent thickness to its grey levels.

The detector blurs. NODE21's radiographs are then energy-normalised (Philipsen et al., IEEE TMI
2015): an image is split into bands, and each is brought to a reference energy. That is linear in
what is added, so a nodule passes it band by band: fine bands are raised and coarse ones lowered. A
large nodule loses more of its contrast than a small one, its top becomes flat, and a faint dark
halo surrounds it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft

from nodegen.constants import MASK_REACH_PX
from nodegen.synthesis.crop import bounds

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
