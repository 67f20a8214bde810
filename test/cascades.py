"""Small cascades for tests: random weights, as narrow as can be, and quick."""

import numpy as np
import torch

from nodegen.cascade.cascade import Cascade
from nodegen.constants import KERNEL, LAYERS, SCALES

CHANNELS = 4


def random_cascade(seed: int = 0, margins: tuple[int, ...] = (10,) * SCALES) -> Cascade:
    """A cascade of random weights whose layers carry about as much on as they take in."""
    rng = torch.Generator().manual_seed(seed)
    layers = []
    for _ in range(SCALES):
        scale = []
        for i in range(LAYERS):
            wide_in, wide_out = 1 if i == 0 else CHANNELS, 1 if i == LAYERS - 1 else CHANNELS
            weight = torch.randn(wide_out, wide_in, KERNEL, KERNEL, generator=rng)
            weight *= 1.0 / np.sqrt(wide_in * KERNEL**2)
            scale.append((weight, 0.1 * torch.randn(wide_out, generator=rng)))
        layers.append(scale)
    return Cascade(layers, [0.05] * SCALES, margins)
