"""Noise, blur, noise, on every slice, so that a detector cannot learn it as a sign."""

import math

import numpy as np

from nodegen.constants import CHALLENGE_MAX, FINISH_BLUR_PX, FINISH_BLUR_TRUNCATE, FINISH_NOISE

BAND_ROWS = 64  # blurred at a time


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
    sigma = np.float32(FINISH_NOISE / CHALLENGE_MAX)
    noisy = rng.standard_normal(slice01.shape, dtype=np.float32)
    noisy *= sigma
    noisy += slice01
    finished = blur(noisy)
    rng.standard_normal(out=noisy, dtype=np.float32)
    noisy *= sigma
    finished += noisy
    return np.clip(finished, 0.0, 1.0, out=finished)


def blur(image: np.ndarray) -> np.ndarray:
    """Blur a slice as ``scipy.ndimage.gaussian_filter`` does, in half its time.

    Rows and columns are added up whole, where scipy goes pixel by pixel; a band of rows at a time,
    so that what lies between stays in the processor's cache. Edges go on as they end.
    """
    reach = math.ceil(FINISH_BLUR_TRUNCATE * FINISH_BLUR_PX)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / FINISH_BLUR_PX) ** 2)
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
