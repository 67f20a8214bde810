"""The pyramid: the sizes of a crop at each scale, and the resizing between them.

Resizing is a product with one small matrix for each axis. Rows and columns of those matrices can be
cut out, so a window is resized to exactly the numbers that the whole crop would have there.
"""

from functools import lru_cache

import numpy as np
import torch

from nodegen.constants import CROP_PX, SCALES, SMALLEST_PX


def scale_sizes(crop_px: int = CROP_PX) -> tuple[int, ...]:
    """Side of a crop at every scale, coarse to fine, in px.

    A crop of another side than 256 px keeps the ratios, so that each generator sees structures of
    the size that it was trained on.
    """
    ratio = (SMALLEST_PX / CROP_PX) ** (1 / (SCALES - 1))  # 0.856, the paper's "0.85"
    sides = (round(CROP_PX * ratio ** (SCALES - 1 - n)) for n in range(SCALES))
    return tuple(max(1, round(side * crop_px / CROP_PX)) for side in sides)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5, which reaches 2 px."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=512)
def resize_matrix(size_in: int, size_out: int) -> torch.Tensor:
    """Bicubic resizing of one axis, with antialiasing, as a matrix.

    Returns
    -------
    Tensor of float32, shape (size_out, size_in)
        Multiply it with the columns of an image to resize its rows. Samples beyond the border are
        left out and the rest weighted up, as Pillow and torch do it.
    """
    step = size_in / size_out
    stretch = max(step, 1.0)
    centres = (np.arange(size_out) + 0.5) * step - 0.5
    weights = _cubic((np.arange(size_in) - centres[:, None]) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    return torch.from_numpy(weights.astype(np.float32))


def resize(image: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Resize ``image`` (..., row, column) to ``rows`` x ``columns``; float in, float out."""
    down = resize_matrix(image.shape[-2], rows).to(image)
    across = resize_matrix(image.shape[-1], columns).to(image)
    return down @ image @ across.T
