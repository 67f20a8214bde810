"""Bring stacks of any pixel type to grey levels of 0..4095, so that they can be compared."""

import numpy as np

from nodegen.constants import CHALLENGE_MAX, GREY_MAX
from nodegen.synthesis.context import SliceContext, rescale, to_output


def full_range(pixels: np.ndarray) -> tuple[float, float]:
    """The range of which a stack's grey levels are a part.

    0..255 for bytes, 0..1 for floats in it, else 0..4095 (NODE21), and beyond that its own range.
    """
    low, high = float(pixels.min()), float(pixels.max())
    ranges = [(0.0, float(GREY_MAX))]
    if pixels.dtype == np.uint8:
        ranges = [(0.0, float(CHALLENGE_MAX))]
    elif np.issubdtype(pixels.dtype, np.floating):
        ranges.insert(0, (0.0, 1.0))
    return next((r for r in ranges if r[0] <= low and high <= r[1]), (low, high))


def to_grey_levels(pixels: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Map ``limits`` (None: the full range) to 0..4095; what is that already stays as it is."""
    low, high = limits or full_range(pixels)
    if low == 0 and high == GREY_MAX:
        return pixels
    return np.stack([rescale(part, low, high, GREY_MAX) for part in pixels])


def grey_levels_of_pair(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring a stack (slice, row, column) before and after to the same grey levels of 0..4095.

    Where ``after`` is what ``--intensity challenge`` writes, uint8 by each slice's own untouched
    range, the stack before is brought to the same steps: unchanged pixels differ by 0.
    """
    if after.dtype == np.uint8:
        as_written = np.stack(
            [to_output(c, c.slice01, "challenge") for c in map(SliceContext, before)]
        )
        # Of an 8-bit stack, both scales are possible: the one in which less changed is meant.
        if before.dtype != np.uint8 or (as_written != after).sum() < (before != after).sum():
            before = as_written
    limits = full_range(before)
    return to_grey_levels(before, limits), to_grey_levels(after, limits)
