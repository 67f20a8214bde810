"""The analytic-disc baseline: discs, simply added. What a method must at least beat.

Its numbers are those of the discs of which a detector learned more than of any method so far.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from nodegen.constants import GREY_MAX
from nodegen.io.boxes import Box
from nodegen.synthesis.context import to_unit

POWER = (0.6, 1.2)  # of sqrt(1 - r^2): below 1 flatter than what a sphere adds
RADIUS = (0.75, 0.95)  # of the box's half sides
HARMONICS = (2, 3, 4, 5)  # of the outline
HARMONIC_SIGMA = 0.05  # of each one's amplitude, in radii
HEIGHT = 600 / GREY_MAX  # median of the log-normal height, in 0..1
HEIGHT_SIGMA = 0.5  # of its logarithm
BLUR_PX = (1.0, 2.5)  # sigma
RIM_PX = 12  # beyond the box that the blur may reach


def draw_discs(pixels: np.ndarray, boxes: Sequence[Box], seed: int) -> np.ndarray:
    """Add a disc in each box to a slice (row, column), float32 in 0..1 of its own range.

    The seed and the box's corners decide the disc.
    """
    made = np.pad(to_unit(pixels), RIM_PX)
    for box in boxes:
        rng = np.random.default_rng((seed, box.left, box.top, box.right, box.bottom))
        window = np.s_[box.top : box.bottom + 2 * RIM_PX, box.left : box.right + 2 * RIM_PX]
        made[window] += _disc(box.width, box.height, rng)
    inner = made[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
    return np.asarray(np.clip(inner, 0.0, 1.0))


def _disc(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """One disc for a box of ``width`` x ``height`` px, with ``RIM_PX`` around it, in 0..1."""
    power, radius = rng.uniform(*POWER), rng.uniform(*RADIUS)
    amplitudes = rng.normal(0.0, HARMONIC_SIGMA, len(HARMONICS))
    phases = rng.uniform(0.0, 2 * np.pi, len(HARMONICS))
    peak = HEIGHT * np.exp(rng.normal(0.0, HEIGHT_SIGMA))
    blur = rng.uniform(*BLUR_PX)
    y, x = np.mgrid[-RIM_PX : height + RIM_PX, -RIM_PX : width + RIM_PX] + 0.5
    u, v = x / (width / 2) - 1, y / (height / 2) - 1
    angle = np.arctan2(v, u)
    outline = 1 + sum(
        amplitude * np.cos(k * angle + phase)
        for k, amplitude, phase in zip(HARMONICS, amplitudes, phases, strict=True)
    )
    r = np.hypot(u, v) / (radius * outline)
    flat = peak * np.sqrt(np.clip(1 - r**2, 0.0, 1.0)) ** power
    return np.asarray(gaussian_filter(flat, blur), dtype=np.float32)
