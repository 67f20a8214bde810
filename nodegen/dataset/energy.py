"""Energy-based normalisation of the grey scale, and its inverse.

Gaussians part an image into bands of detail, and each band gets the energy that it has in NODE21's
images, inside the lungs (Philipsen et al., IEEE TMI 34(9), 2015). With its gains known the
normalisation is a linear filter, which has an inverse. All filters are weights in the cosine
transform, which mirrors the image at its edges.
"""

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # of the Gaussians that part the bands, px
# Mean over 24 of NODE21's images: standard deviation of each band inside the lungs, that of what is
# left, and the mean, in grey levels of 0..4095.
ENERGIES = (51.7, 48.5, 69.3, 89.0, 99.9, 101.4, 352.8)
MEAN = 2009.0
ROUNDS = 6  # of making energies equal; the bands overlap a little
OVERSHOOT = 1.3  # exponent on what a band lacks: neighbours take back a part
CLOSE = 0.03  # of each energy, where it ends
COARSE = 3  # bands from this one on hold no frequency above half of the highest
GAINS = (0.2, 5.0)  # of a band in all, so that a blank band's noise is not blown up


def band_weights(shape: tuple[int, ...]) -> np.ndarray:
    """Weight of each frequency in a band for each of ``SIGMAS``, fine to coarse, and in the rest.

    float32 (band, row, column); over the bands they sum to 1.
    """
    rows, columns = map(_low_passes, shape)
    lows = rows[:, :, None] * columns[:, None]
    return np.asarray(-np.diff(lows, axis=0, append=np.float32(0)))


def filtered(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """An image (row, column) with each frequency multiplied by its weight, float32."""
    return _inverse(_transformed(image) * weights)


def gains_of(gains: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Gain of each frequency, float32 (row, column), from that of each band."""
    rows, columns = map(_low_passes, shape)
    made: np.ndarray = rows.T * np.diff(gains, prepend=0).astype(np.float32) @ columns
    return made


def energies(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Standard deviation of each band, the rest at the end, inside a region (bool)."""
    return np.array([filtered(image, band)[region].std() for band in band_weights(image.shape)])


def normalised(
    pixels: np.ndarray, region: np.ndarray
) -> tuple[np.ndarray, tuple[float, ...], float]:
    """Give each band the energy that it has in NODE21's images, inside a region (bool).

    Returns the pixels, float32 in grey levels of 0..4095 and not yet cut off there; each band's
    gain and that of the rest; and what was added then, grey levels.
    """
    covariances = _covariances(pixels, region)
    whole = ENERGIES[-1] / max(covariances[-1].sum() ** 0.5, 1e-6)
    gains = np.full(len(ENERGIES), whole)
    for number in range(ROUNDS):
        ratio = ENERGIES / np.maximum((gains @ covariances @ gains) ** 0.5, 1e-6)
        if np.abs(ratio - 1).max() < CLOSE:
            break
        gains = np.clip(gains * ratio ** (OVERSHOOT if number else 1), *np.multiply(GAINS, whole))
    grey = filtered(pixels, gains_of(gains, pixels.shape))
    offset = MEAN - float(grey[region].mean())
    return grey + np.float32(offset), tuple(map(float, gains)), offset


def _covariances(pixels: np.ndarray, region: np.ndarray) -> np.ndarray:
    """For each band, the covariances in it of the image's bands (band, band of image, the same)."""
    spectrum, weights = _transformed(pixels), band_weights(pixels.shape)
    some, count = region[::2, ::2], len(weights)
    seen = np.empty((count, count, np.count_nonzero(some)), np.float32)
    half = tuple(slice(side // 2) for side in pixels.shape)
    for i, j in combinations_with_replacement(range(count), 2):
        if j < COARSE:
            both = _inverse(spectrum * (weights[i] * weights[j]))[::2, ::2]
        else:  # the lower frequencies alone give the image at half its size
            both = _inverse(spectrum[half] * weights[i][half] * weights[j][half]) / 2
        seen[i, j] = seen[j, i] = both[some]
    return np.stack([np.cov(band) for band in seen])


def _low_passes(length: int) -> np.ndarray:
    """What each Gaussian, the first without width, leaves of each frequency along one axis."""
    waves = np.outer((0, *SIGMAS), np.pi * np.arange(length) / length)
    return np.asarray(np.exp(-0.5 * waves**2), np.float32)


def _transformed(image: np.ndarray) -> np.ndarray:
    return np.asarray(fft.dctn(image.astype(np.float32), norm="ortho"))


def _inverse(spectrum: np.ndarray) -> np.ndarray:
    return np.asarray(fft.idctn(spectrum, norm="ortho", overwrite_x=True), np.float32)
