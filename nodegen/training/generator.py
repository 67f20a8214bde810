"""One generator and one discriminator of the cascade.

Both are five unpadded convolutions, so both are local: what a generator writes at a pixel depends
on the 10 px around it and on nothing else. The image is padded with zeros once, before the
generator; a window inside it is padded with its true surroundings and yields the same numbers.
"""

import torch
from torch import nn

from nodegen.constants import (
    BATCH_NORM_EPS,
    CHANNELS,
    CHANNELS_DOUBLE_EVERY,
    CHANNELS_MAX,
    HALF_WIDTH_PX,
    KERNEL,
    LAYERS,
    LEAKY_SLOPE,
)


def paper_channels(scale: int) -> int:
    """Channels of the generator at ``scale`` in the paper: 32, doubled every 4 scales up to 128."""
    return int(min(CHANNELS * 2 ** (scale // CHANNELS_DOUBLE_EVERY), CHANNELS_MAX))


def _body(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for width_in in (1, *(channels for _ in range(LAYERS - 2))):
        layers += [
            nn.Conv2d(width_in, channels, KERNEL),
            nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS),
            nn.LeakyReLU(LEAKY_SLOPE),
        ]
    return layers


def _initialise(network: nn.Module) -> None:
    """SinGAN's initial weights, drawn from torch's global stream."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)


class Generator(nn.Module):
    """Adds what scale n knows to an image that comes up from scale n - 1.

    Parameters
    ----------
    channels : int
        Width of the four inner layers.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(*_body(channels), nn.Conv2d(channels, 1, KERNEL), nn.Tanh())
        _initialise(self)

    def forward(self, noisy: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Harmonise a padded image.

        Parameters
        ----------
        noisy, previous : Tensor, shape (batch, 1, row + 20, column + 20)
            The image of the scale below, resized to this one, with and without noise; in -1..1.

        Returns
        -------
        Tensor, shape (batch, 1, row, column)
        """
        p = HALF_WIDTH_PX
        inner: torch.Tensor = previous[..., p:-p, p:-p]
        made: torch.Tensor = self.layers(noisy) + inner
        return made


class Discriminator(nn.Module):
    """Scores every patch of 21 x 21 px for its likeness to the training image (WGAN critic)."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(*_body(channels), nn.Conv2d(channels, 1, KERNEL))
        _initialise(self)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Score ``image`` (batch, 1, row, column); the map is 20 px smaller on each axis."""
        scores: torch.Tensor = self.layers(image)
        return scores
