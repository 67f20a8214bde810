"""Finish: noise, blur, noise, on every slice, so that a detector cannot learn it as a sign."""

import math

import numpy as np

from nodegen.constants import CHALLENGE_MAX, FINISH_BLUR_PX, FINISH_BLUR_TRUNCATE, FINISH_NOISE


def finish(slice01: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Finish one slice.

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
    blurred = blur(blur(noisy, 0), 1)
    rng.standard_normal(out=noisy, dtype=np.float32)
    noisy *= sigma
    blurred += noisy
    return np.clip(blurred, 0.0, 1.0, out=blurred)


def blur(image: np.ndarray, axis: int) -> np.ndarray:
    """Blur a slice along one axis as ``scipy.ndimage.gaussian_filter1d`` does, in half its time.

    Whole images are added up, where scipy goes line by line. Edges go on as they end.
    """
    reach = math.ceil(FINISH_BLUR_TRUNCATE * FINISH_BLUR_PX)
    taps = np.exp(-0.5 * (np.arange(reach + 1) / FINISH_BLUR_PX) ** 2)
    taps = (taps / (2 * taps.sum() - taps[0])).astype(np.float32)
    widths = [(0, 0), (0, 0)]
    widths[axis] = reach, reach
    padded = np.moveaxis(np.pad(image, widths, mode="edge"), axis, 0)
    length = image.shape[axis]
    blurred = taps[0] * padded[reach : reach + length]
    for away in range(1, reach + 1):
        pair = padded[reach - away : reach - away + length] + padded[reach + away :][:length]
        pair *= taps[away]
        blurred += pair
    return np.moveaxis(blurred, 0, axis)
