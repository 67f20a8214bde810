"""The pyramid: the sizes of a crop at each scale, and the resizing between them."""

from functools import lru_cache

import torch

from nodegen.constants import CROP_PX, SCALES, SMALLEST_PX
from nodegen.synthesis.resize import resize_matrix


def scale_sizes(crop_px: int = CROP_PX) -> tuple[int, ...]:
    """Side of a crop at every scale, coarse to fine, in px.

    A crop of another side than 256 px keeps the ratios, so that each generator sees structures of
    the size that it was trained on.
    """
    ratio = (SMALLEST_PX / CROP_PX) ** (1 / (SCALES - 1))  # 0.856, the paper's "0.85"
    sides = (round(CROP_PX * ratio ** (SCALES - 1 - n)) for n in range(SCALES))
    return tuple(max(1, round(side * crop_px / CROP_PX)) for side in sides)


@lru_cache(maxsize=512)
def resize_tensor(
    size_in: int,
    size_out: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """The matrix of :func:`nodegen.synthesis.resize.resize_matrix`, where and as torch needs it."""
    return torch.from_numpy(resize_matrix(size_in, size_out)).to(device, dtype)


def resize(image: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Resize ``image`` (..., row, column) to ``rows`` x ``columns``; float in, float out."""
    down = resize_tensor(image.shape[-2], rows, image.device, image.dtype)
    across = resize_tensor(image.shape[-1], columns, image.device, image.dtype)
    return down @ image @ across.T
