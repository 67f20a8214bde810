"""The network on patches: small, residual, plain."""

import torch
from torch import nn
from torch.nn import functional as F

WIDTH = 12  # channels of the first layer; each level doubles them


class Block(nn.Module):
    """Two convolutions with a short cut; halves the side."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.short = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(patch, channel, row, column) in and out."""
        return F.relu(self.path(x) + self.short(x))


def patch_network() -> nn.Sequential:
    """The network: 64 × 64 patches, shape (patch, 1, 64, 64), to one logit each, (patch, 1)."""
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        Block(WIDTH, 2 * WIDTH),
        Block(2 * WIDTH, 4 * WIDTH),
        Block(4 * WIDTH, 4 * WIDTH),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * WIDTH, 1),
    )
