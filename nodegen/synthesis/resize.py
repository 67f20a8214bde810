"""Resizing one axis of an image, as a product with a small matrix.

Rows and columns of the matrix can be cut out, so a window is resized to exactly the numbers that
the whole image would have there.
"""

from functools import lru_cache

import numpy as np


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5, which reaches 2 px."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=512)
def resize_matrix(size_in: int, size_out: int) -> np.ndarray:
    """Bicubic resizing of one axis, with antialiasing, as a matrix.

    Returns
    -------
    ndarray of float32, shape (size_out, size_in)
        Not to be written to. Multiply it with the columns of an image to resize its rows. Samples
        beyond the border are left out and the rest weighted up, as Pillow and torch do it.

    Examples
    --------
    >>> resize_matrix(2, 1)
    array([[0.5, 0.5]], dtype=float32)
    """
    step = size_in / size_out
    stretch = max(step, 1.0)
    centres = (np.arange(size_out) + 0.5) * step - 0.5
    weights = _cubic((np.arange(size_in) - centres[:, None]) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
