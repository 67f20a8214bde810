"""Windows: which part of the crop each scale has to compute, so that the mask's part comes out.

The last scale owes the mask's support. A generator reads 10 px around what it writes, and resizing
reads 2 px around that, so going down the pyramid the windows widen: that is the exact plan. A
generator's effective reach is far shorter. The default plan computes at every scale the mask's
support and a margin that was measured on the shipped weights; beyond it the paste itself stands for
what the generators would have made of it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nodegen.constants import HALF_WIDTH_PX, KERNEL, LAYERS
from nodegen.synthesis.resize import resize_matrix

Span = tuple[int, int]  # half-open, px


@dataclass(frozen=True)
class Axis:
    """One axis of one scale.

    Attributes
    ----------
    size : int
        Of the whole crop at this scale, px.
    out : (int, int)
        What the generator writes.
    """

    size: int
    out: Span

    @property
    def read(self) -> Span:
        """What the generator reads, inside the crop; beyond it lies its padding."""
        return max(self.out[0] - HALF_WIDTH_PX, 0), min(self.out[1] + HALF_WIDTH_PX, self.size)

    @property
    def padding(self) -> Span:
        """Pixels of padding before and after what is read."""
        before = self.read[0] - (self.out[0] - HALF_WIDTH_PX)
        return before, self.out[1] + HALF_WIDTH_PX - self.read[1]


Plan = list[tuple[Axis, Axis]]  # (rows, columns) of each scale from n0 on


@lru_cache(maxsize=4096)
def source_span(size_in: int, size_out: int, span: Span) -> Span:
    """Rows of the smaller image that resizing reads to write ``span`` of the larger one."""
    used = np.flatnonzero(resize_matrix(size_in, size_out)[slice(*span)].any(axis=0))
    return int(used[0]), int(used[-1]) + 1


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
    sizes: tuple[int, ...], n0: int, support: Span, margins: tuple[int, ...]
) -> list[Axis]:
    """Windows of the support and a measured margin (px of each scale), cut at the crop's edge.

    A window is never larger than the exact plan's.
    """
    axes = []
    exact = exact_axis(sizes, n0, support)
    for size, margin, need in zip(sizes[n0:], margins[n0:], exact, strict=True):
        low = int(np.floor(support[0] * size / sizes[-1])) - margin
        high = int(np.ceil(support[1] * size / sizes[-1])) + margin
        axes.append(Axis(size, (max(low, need.out[0]), min(high, need.out[1]))))
    axes[-1] = Axis(sizes[-1], support)
    return axes


def evened(plan: Plan, step: int) -> Plan:
    """Windows widened to a multiple of ``step`` px, as far as the crop goes.

    So windows of several boxes have few sizes, and those of one size go through a generator
    together. By the window alone, not by those beside it: a box comes out as it does by itself.

    Examples
    --------
    >>> evened([(Axis(100, (40, 60)), Axis(30, (1, 28)))], 16)
    [(Axis(size=100, out=(34, 66)), Axis(size=30, out=(0, 30)))]
    """
    return [(_evened(rows, step), _evened(columns, step)) for rows, columns in plan]


def _evened(axis: Axis, step: int) -> Axis:
    low, high = axis.out
    length = min(-(-(high - low) // step) * step, axis.size)
    low = min(max(low - (length - (high - low)) // 2, 0), axis.size - length)
    return Axis(axis.size, (low, low + length))


def operations(plan: Plan, channels: list[int]) -> int:
    """Floating-point operations of the plan's convolutions, for one image.

    Parameters
    ----------
    channels : list of int
        Inner width of the generator at each scale of the plan.
    """
    total = 0
    for (rows, columns), width_inner in zip(plan, channels, strict=True):
        height, width = (axis.out[1] - axis.out[0] for axis in (rows, columns))
        for layer in range(LAYERS):
            grown = (LAYERS - 1 - layer) * (KERNEL - 1)
            ends = 1 if layer in (0, LAYERS - 1) else width_inner
            total += 2 * KERNEL**2 * width_inner * ends * (height + grown) * (width + grown)
    return total
