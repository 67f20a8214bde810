"""Finish: noise, blur, noise, on every slice, so that a detector cannot learn it as a sign."""

import numpy as np
from scipy.ndimage import gaussian_filter

from nodegen.constants import CHALLENGE_MAX, FINISH_BLUR_PX, FINISH_NOISE


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
    blurred = gaussian_filter(noisy, FINISH_BLUR_PX, mode="nearest", truncate=3.0)
    rng.standard_normal(out=noisy, dtype=np.float32)
    noisy *= sigma
    blurred += noisy
    return np.clip(blurred, 0.0, 1.0, out=blurred)
