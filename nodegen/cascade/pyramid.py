"""The pyramid of a crop: its sizes, resizing between them, and the window that each scale computes.

Resizing is a product with small matrices, whose rows and columns can be cut out: a window is
resized to exactly the numbers that the whole image would have there.

A generator reads 10 px around what it writes, and resizing 2 px more, so that down the pyramid the
windows of the exact plan widen. The default plan computes at every scale the mask's support and a
margin that was measured on the shipped weights; beyond it the paste itself stands for what the
generators would have made of it. It ends at scale ``LAST_QUICK``, and its windows are squares of
few sizes, so that a library's convolutions are prepared once for each size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nodegen.constants import CROP_PX, HALF_WIDTH_PX, SCALES, SMALLEST_PX

if TYPE_CHECKING:
    import torch

Span = tuple[int, int]  # half-open, px
# Of what a cascade changes, a low pass is kept. What the generators up to this scale add,
# resized to the crop, correlates with what all of them add by 0.93, at the same strength (20
# boxes); they cost a fifth.
LAST_QUICK = 10
RESIZED_PX = 2  # what resizing reads beyond a window
STEP_PX = 16  # sides of the default windows are multiples of it


@lru_cache(maxsize=512)
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
def resize_matrix(size_in: int, size_out: int) -> np.ndarray:
    """Bicubic resizing of one axis, with antialiasing, as a matrix (size_out, size_in) of float32.

    Samples beyond the border are left out and the rest weighted up, as Pillow and torch do it. The
    matrix is shared, and not to be written to.

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


@lru_cache(maxsize=4096)
def source_span(size_in: int, size_out: int, span: Span) -> Span:
    """Rows of the smaller image that resizing reads to write ``span`` of the larger one."""
    used = np.flatnonzero(resize_matrix(size_in, size_out)[slice(*span)].any(axis=0))
    return int(used[0]), int(used[-1]) + 1


@lru_cache(maxsize=512)
def resize_tensor(size_in: int, size_out: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """The matrix of :func:`resize_matrix` as a tensor on a device."""
    import torch

    return torch.from_numpy(resize_matrix(size_in, size_out)).to(device)


def resize(image: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Resize ``image`` (..., row, column) to ``rows`` x ``columns``; float in, float out."""
    return resize_window(image, [(rows, (0, rows)), (columns, (0, columns))])


def resize_window(image: torch.Tensor, wanted: list[tuple[int, Span]]) -> torch.Tensor:
    """Resize a whole ``image`` (..., row, column), but only a window of the result.

    ``wanted``: of rows and of columns, the size of the whole result and the span that is wanted.
    """
    pairs = list(zip(image.shape[-2:], wanted, strict=True))
    rows, columns = (slice(*source_span(low, *target)) for low, target in pairs)
    down, across = (
        resize_tensor(low, high, image.device)[slice(*span), used]
        for (low, (high, span)), used in zip(pairs, (rows, columns), strict=True)
    )
    return down @ image[..., rows, columns] @ across.T


def upsample(
    window: torch.Tensor,
    have: list[tuple[int, Span]],
    wanted: list[tuple[int, Span]],
    images: torch.Tensor,
) -> torch.Tensor:
    """Resize a window (..., row, column) of one scale to a window of a finer one.

    ``have`` and ``wanted`` say of rows and of columns the size of the whole image at a scale, and
    the window's span of it. The images, whole and at their own size, go on where it ends too early.
    """
    pairs = list(zip(have, wanted, strict=True))
    needed = [source_span(low, high, span) for (low, _), (high, span) in pairs]
    both = [(max(n[0], s[0]), min(n[1], s[1])) for n, (_, s) in zip(needed, have, strict=True)]
    rows, columns = (slice(b[0] - s[0], b[1] - s[0]) for b, (_, s) in zip(both, have, strict=True))
    ground = window[..., rows, columns]
    if both != needed:
        inside = ground
        ground = resize_window(images, [(h[0], n) for h, n in zip(have, needed, strict=True)])
        rows, columns = (slice(b[0] - n[0], b[1] - n[0]) for b, n in zip(both, needed, strict=True))
        ground[..., rows, columns] = inside
    down, across = (
        resize_tensor(low, high, window.device)[slice(*span), slice(*n)]
        for ((low, _), (high, span)), n in zip(pairs, needed, strict=True)
    )
    return down @ ground @ across.T


# --- windows -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """One axis of one scale, px."""

    size: int  # of the whole crop
    out: Span  # what the generator writes

    @property
    def read(self) -> Span:
        """What the generator reads, inside the crop; beyond it lies its padding."""
        return max(self.out[0] - HALF_WIDTH_PX, 0), min(self.out[1] + HALF_WIDTH_PX, self.size)

    @property
    def padding(self) -> Span:
        """Pixels of padding before and after what is read."""
        before = self.read[0] - (self.out[0] - HALF_WIDTH_PX)
        return before, self.out[1] + HALF_WIDTH_PX - self.read[1]

    @property
    def inner(self) -> slice:
        """Where the generator's output lies in what it reads."""
        return slice(self.out[0] - self.read[0], self.out[1] - self.read[0])


class Plan(NamedTuple):
    """What is computed for one box."""

    scales: list[tuple[Axis, Axis]]  # rows and columns of each scale, from the first one on
    support: list[tuple[int, Span]]  # rows and columns: the crop's size, and what of it comes out


def full_axis(sizes: tuple[int, ...], n0: int) -> list[Axis]:
    """The plan that computes the whole crop at every scale: the reference."""
    return [Axis(size, (0, size)) for size in sizes[n0:]]


def exact_axis(sizes: tuple[int, ...], n0: int, support: Span) -> list[Axis]:
    """The least windows that yield ``support`` of the last scale as the full plan does."""
    axes = [Axis(sizes[-1], support)]
    for size, above in zip(sizes[n0:-1][::-1], sizes[n0 + 1 :][::-1], strict=True):
        axes.append(Axis(size, source_span(size, above, axes[-1].read)))
    return axes[::-1]


def margin_axis(
    sizes: tuple[int, ...], n0: int, support: Span, margins: tuple[int, ...], side_px: int = 0
) -> list[Axis]:
    """Windows of the support and a measured margin, up to ``LAST_QUICK``, px.

    ``side_px`` is the least length of ``support`` that is reckoned with: the window's longer axis.
    """
    axes = []
    last = max(n0, LAST_QUICK)
    side = max(support[1] - support[0], side_px)
    for n in range(n0, last + 1):
        size, margin = sizes[n], margins[n] + RESIZED_PX * (n == last < SCALES - 1)
        ratio = size / sizes[-1]
        length = -(-(int(np.ceil(side * ratio)) + 2 * margin + 1) // STEP_PX) * STEP_PX
        length = min(length, size)
        low = round((support[0] + support[1]) * ratio / 2 - length / 2)
        low = min(max(low, 0), size - length)
        axes.append(Axis(size, (low, low + length)))
    return axes
