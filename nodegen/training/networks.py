"""A generator and a discriminator of the cascade: five unpadded convolutions each.

Both are local: a window padded with its true surroundings, 10 px, yields the image's own numbers.
"""

import torch
from torch import nn

from nodegen.constants import BATCH_NORM_EPS, HALF_WIDTH_PX, KERNEL, LAYERS, LEAKY_SLOPE

INITIAL_STD = 0.02  # of the initial weights, SinGAN


def _layers(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width_in in (1, *(channels for _ in range(LAYERS - 2))):
        layers += [
            nn.Conv2d(width_in, channels, KERNEL),
            nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS),
            nn.LeakyReLU(LEAKY_SLOPE),
        ]
    return [*layers, nn.Conv2d(channels, 1, KERNEL)]


def _initialise(network: nn.Module) -> None:
    """Draw SinGAN's initial weights from torch's global stream."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, INITIAL_STD)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, INITIAL_STD)


class Generator(nn.Module):
    """Adds the details of scale n to an image of scale n - 1; four inner layers of ``channels``."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(*_layers(channels), nn.Tanh())
        _initialise(self)

    def forward(self, noisy: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Harmonise an image of the scale below, resized to this one, with and without noise.

        Both, -1..1, are padded: (batch, 1, row + 20, column + 20) give (batch, 1, row, column).
        """
        p = HALF_WIDTH_PX
        harmonised: torch.Tensor = self.layers(noisy) + previous[..., p:-p, p:-p]
        return harmonised


class Discriminator(nn.Module):
    """Scores every patch of 21 x 21 px for its likeness to the training image (WGAN critic)."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(*_layers(channels))
        _initialise(self)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Score ``image`` (batch, 1, row, column); the map is 20 px smaller on each axis."""
        scores: torch.Tensor = self.layers(image)
        return scores
