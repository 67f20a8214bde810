"""Windows: which part of the crop each scale has to compute, so that the mask's part comes out.

The last scale owes the mask's support. A generator reads 10 px around what it writes, and resizing
reads 2 px around that, so going down the pyramid the windows widen: that is the exact plan. A
generator's effective reach is far shorter. The default plan computes at every scale the mask's
support and a margin that was measured on the shipped weights; beyond it the paste itself stands for
what the generators would have made of it. It ends at scale ``LAST_QUICK``, and its windows are
squares of few sizes, so that a library's convolutions are prepared once for each size.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nodegen.cascade.resize import Span, source_span
from nodegen.constants import HALF_WIDTH_PX, SCALES

# Of what a cascade changes, the low pass of 3 px is kept. What the generators up to this scale add,
# resized to the crop, correlates with what all of them add by 0.96, at 0.97 of its strength (30
# boxes); they cost a third.
LAST_QUICK = 12
RESIZED_PX = 2  # what resizing reads beyond a window
STEP_PX = 16  # sides of the default windows are multiples of it


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

    @property
    def inner(self) -> slice:
        """Where the generator's output lies in what it reads."""
        return slice(self.out[0] - self.read[0], self.out[1] - self.read[0])


class Plan(NamedTuple):
    """What is computed for one box.

    Attributes
    ----------
    scales : list of (Axis, Axis)
        Rows and columns of each scale, from the first one on.
    support : list of (int, (int, int))
        Rows and columns: the crop's size, and the span of it that comes out.
    """

    scales: list[tuple[Axis, Axis]]
    support: list[tuple[int, Span]]


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
    """Windows of the support and a measured margin, up to ``LAST_QUICK``.

    Parameters
    ----------
    sizes : tuple of int
        Length of the crop's axis at each scale, coarse to fine, px.
    n0 : int
        Scale to begin at, from 0, the coarsest, to ``SCALES`` - 1.
    support : (int, int)
        Span of the last scale that is wanted, px; the end is exclusive.
    margins : tuple of int
        Of each scale, px.
    side_px : int
        Least length of ``support`` that is reckoned with: the longer axis of a window.
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
