"""Noise, blur, noise, on every slice, so that a detector cannot learn it as a sign."""

import math
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from nodegen.constants import CHALLENGE_MAX, SLICE_STREAM

NOISE_LEVELS = 3.0  # sigma
BLUR_PX = 1.0  # sigma of the "Gaussian blur of 3 pixels"
BLUR_TRUNCATE = 3.0  # sigmas: its 3 pixels

BAND_ROWS = 64  # blurred at a time
LEVELS = 2**16  # of the noise


def noise_and_blur(slice01: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add noise, blur, and add noise again.

    Parameters
    ----------
    slice01 : ndarray of float32, shape (row, column)
        In 0..1; left as it is.
    rng : Generator
        The slice's own stream.

    Returns
    -------
    ndarray of float32, shape (row, column)
        In 0..1.
    """
    noisy = noise(slice01.shape, rng)
    noisy += slice01
    blurred = blur(noisy)
    blurred += noise(slice01.shape, rng)
    return np.clip(blurred, 0.0, 1.0, out=blurred)


def noise_and_blur_stream(seed: int, slice_: int) -> np.random.Generator:
    """The stream of the noise and blur of one slice."""
    return np.random.default_rng((seed, SLICE_STREAM, slice_))


def noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of the method's standard deviation, float32, in units of 0..1.

    Each value is one of ``LEVELS`` quantiles of the normal distribution, as likely as any other: a
    quarter of the time of drawing normal numbers. They reach 4.2 standard deviations.
    """
    drawn = rng.integers(0, LEVELS, shape, dtype=np.uint16)
    return np.take(_quantiles(), drawn, mode="clip")


@lru_cache(maxsize=1)
def _quantiles() -> np.ndarray:
    normal = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    return np.asarray(normal * (NOISE_LEVELS / CHALLENGE_MAX / normal.std()), dtype=np.float32)


def blur(image: np.ndarray) -> np.ndarray:
    """Blur a slice as ``scipy.ndimage.gaussian_filter`` does, in half its time.

    Rows and columns are added up whole, where scipy goes pixel by pixel; a band of rows at a time,
    so that what lies between stays in the processor's cache. Edges go on as they end.
    """
    reach = math.ceil(BLUR_TRUNCATE * BLUR_PX)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / BLUR_PX) ** 2)
    taps = (taps / (2 * taps.sum() - taps[0])).astype(np.float32)
    blurred = np.empty_like(image)
    for top in range(0, len(image), BAND_ROWS):
        rows = np.arange(top - reach, min(top + BAND_ROWS, len(image)) + reach)
        band = _blurred(image[rows.clip(0, len(image) - 1)], taps)
        blurred[top : top + BAND_ROWS] = _blurred(
            np.pad(band, ((0, 0), (reach, reach)), mode="edge").T, taps
        ).T
    return blurred


def _blurred(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Blur along the first axis, middle tap first; what the taps reach is lost at either end."""
    reach = len(taps) - 1
    length = len(image) - 2 * reach
    blurred = taps[0] * image[reach : reach + length]
    for away in range(1, reach + 1):
        pair = image[reach - away :][:length] + image[reach + away :][:length]
        pair *= taps[away]
        blurred += pair
    return np.asarray(blurred)
