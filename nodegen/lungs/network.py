"""The network that labels lung fields, and its weights: a small U-Net on a grid of 256 × 256 px."""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nodegen.errors import ModelError
from nodegen.io.files import read_weights
from nodegen.lungs.region import CLASSES, GRID_PX
from nodegen.schemas import LungsFile, read_json
from nodegen.settings import MODEL, quick_dtype

LUNGS = MODEL / "lungs"
INDEX, FORMAT = "lungs.json", "nodegen-lungs-1"

WIDTHS = (16, 32, 48, 64, 96)  # channels of each level, the first at half the grid
ZOOMS = (1.0, 0.85)  # of the views whose mean is taken


class LungNet(nn.Module):
    """A U-Net whose first convolution halves the grid, and whose last step doubles it again."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, WIDTHS[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(
            _block(WIDTHS[max(level - 1, 0)], width) for level, width in enumerate(WIDTHS)
        )
        self.up = nn.ModuleList(_block(fine + coarse, fine) for fine, coarse in pairwise(WIDTHS))
        self.head = nn.Conv2d(WIDTHS[0], CLASSES, 1)

    def forward(self, grid: torch.Tensor, halved: bool = False) -> torch.Tensor:
        """Logits `(batch, class, row, column)` of a grid `(batch, 1, row, column)`, or of half."""
        features = self.stem(grid)
        skips = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else nn.functional.max_pool2d(features, 2))
            skips.append(features)
        for block, skip in zip(reversed(self.up), reversed(skips[:-1]), strict=True):
            features = block(torch.cat([_doubled(features), skip], 1))
        logits: torch.Tensor = self.head(features)
        return logits if halved else _doubled(logits)


def _block(channels_in: int, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (channels_in, channels):
        layers += [
            nn.Conv2d(inputs, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _doubled(features: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


@lru_cache(maxsize=4)
def open_network(folder: Path = LUNGS, quick: bool = False) -> LungNet:
    """Open the trained network, batch norm folded into its convolutions.

    ``quick``: in half precision, where that is quicker. A ModelError says where the weights are
    missing or altered.
    """
    network = LungNet()
    network.load_state_dict(load_weights(folder), strict=False)  # lacks batch norm's counters only
    network.eval()
    for block in (*network.down, *network.up):
        for i in (0, 3):  # a convolution, then its norm
            block[i] = fuse_conv_bn_eval(block[i], block[i + 1])
            block[i + 1] = nn.Identity()
    dtype = quick_dtype(torch.device("cpu")) if quick else torch.float32
    network.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def load_weights(folder: Path = LUNGS) -> dict[str, torch.Tensor]:
    """Load the weights by their names in :class:`LungNet`; a ModelError where they are damaged."""
    _, index = read_json(LungsFile, folder / INDEX, ModelError, "copy the model anew")
    data = read_weights(folder / index.file, index.sha256, INDEX)
    return {name: values.float() for name, values in load(data).items()}


@torch.inference_mode()
def probabilities(network: LungNet, grid: np.ndarray, halved: bool = False) -> np.ndarray:
    """Probability of each class, `(class, row, column)` float32, of one grid, or at half its px."""
    seen = torch.from_numpy(grid)[None, None].to(network.head.weight.dtype)
    return np.asarray(network(seen, halved).float().softmax(1)[0])


@torch.inference_mode()
def mean_of_views(network: LungNet, grid: np.ndarray) -> np.ndarray:
    """Probabilities `(class, row, column)`: the mean over a grid, smaller and mirrored ones."""
    total = torch.zeros(1, CLASSES, GRID_PX, GRID_PX)
    for zoom in ZOOMS:
        side = round(GRID_PX * zoom)
        before = (GRID_PX - side) // 2
        here = slice(before, before + side)
        seen = torch.full((1, 1, GRID_PX, GRID_PX), -1.0)
        seen[..., here, here] = _resized(torch.from_numpy(grid)[None, None], side)
        total += _resized(network(seen).softmax(1)[..., here, here], GRID_PX)
        mirrored = network(seen.flip(3)).softmax(1)[:, [0, 2, 1]].flip(3)
        total += _resized(mirrored[..., here, here], GRID_PX)
    return np.asarray(total[0] / (2 * len(ZOOMS)))


def _resized(image: torch.Tensor, side: int) -> torch.Tensor:
    return nn.functional.interpolate(image, side, mode="bilinear", antialias=True)
