"""The network that labels lung fields: a small U-Net on a grid of 256 × 256 px."""

from itertools import pairwise

import numpy as np
import torch
from scipy import ndimage
from torch import nn

GRID_PX = 256  # side of the network's input; a radiograph's longer side fills it
WIDTHS = (16, 32, 48, 64, 96)  # channels of each level, the first at half the grid
CLASSES = 3  # elsewhere, the patient's right lung, the left one
ZOOMS = (1.0, 0.85)  # of the views whose mean is taken
# Of a lung's outline what is thinner than this is no lung: a disc of 9 px across.
DISC = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4.2
RANGE_PERCENTILES = (1.0, 99.0)  # of the pixels that are no padding; they become -1 and 1


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

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """Logits `(batch, class, row, column)` of a grid `(batch, 1, row, column)`."""
        features = self.stem(grid)
        skips = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else nn.functional.max_pool2d(features, 2))
            skips.append(features)
        for block, skip in zip(reversed(self.up), reversed(skips[:-1]), strict=True):
            features = block(torch.cat([_doubled(features), skip], 1))
        return _doubled(self.head(features))


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


def to_grid(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Bring a radiograph to the network's grid, its upper left corner kept, the rest padded.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
        Any grey scale.

    Returns
    -------
    grid : numpy.ndarray of float32, shape (256, 256)
        In -1..1, padding at -1.
    scale : float
        px of the grid for each px of the radiograph.
    """
    scale = GRID_PX / max(pixels.shape)
    grid = np.zeros((GRID_PX, GRID_PX), np.float32)
    small = _reduced(pixels.astype(np.float32), scale)
    grid[: small.shape[0], : small.shape[1]] = standardised(small)
    grid[small.shape[0] :] = grid[:, small.shape[1] :] = -1
    return grid, scale


def standardised(pixels: np.ndarray) -> np.ndarray:
    """Scale grey levels to -1..1 by percentiles of what is neither padding nor burnt out."""
    floor = pixels.min()
    shown = pixels[pixels > floor] if (pixels > floor).any() else pixels
    low, high = np.percentile(shown, RANGE_PERCENTILES)
    made: np.ndarray = np.clip((pixels - low) * (2 / max(high - low, 1e-6)) - 1, -1, 1).astype(
        np.float32
    )
    return made


def _reduced(pixels: np.ndarray, scale: float) -> np.ndarray:
    # Pillow's box filter is exact for whole factors and needs no blur before it.
    from PIL import Image

    rows, columns = (max(1, round(length * scale)) for length in pixels.shape)
    return np.asarray(Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BOX))


def probabilities(network: LungNet, grid: np.ndarray) -> np.ndarray:
    """Probability of each class, `(class, row, column)` float32, of one grid."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(grid)[None, None])
        return np.asarray(logits.softmax(1)[0])


def mean_of_views(network: LungNet, grid: np.ndarray) -> np.ndarray:
    """Probabilities `(class, row, column)`: the mean over a grid, smaller and mirrored ones."""
    total = np.zeros((CLASSES, GRID_PX, GRID_PX), np.float32)
    for zoom in ZOOMS:
        side = round(GRID_PX * zoom)
        small = nn.functional.interpolate(
            torch.from_numpy(grid)[None, None], side, mode="bilinear", antialias=True
        )[0, 0].numpy()
        padded = np.full((GRID_PX, GRID_PX), -1, np.float32)
        before = (GRID_PX - side) // 2
        here = slice(before, before + side)
        padded[here, here] = small
        for mirrored in (False, True):
            seen = padded[:, ::-1].copy() if mirrored else padded
            chances = probabilities(network, seen)
            if mirrored:
                chances = chances[[0, 2, 1], :, ::-1].copy()
            total += nn.functional.interpolate(
                torch.from_numpy(chances[:, here, here].copy())[None], GRID_PX, mode="bilinear"
            )[0].numpy()
    return total / (2 * len(ZOOMS))


def labelled(chances: np.ndarray) -> np.ndarray:
    """Turn probabilities into labels: of each lung its largest part, without spurs and holes.

    Returns
    -------
    numpy.ndarray of uint8, shape (row, column)
        0 elsewhere, 1 the lung on the left of the image, 2 the one on its right.
    """
    best = chances.argmax(0)
    labels = np.zeros(best.shape, np.uint8)
    for lung in (1, 2):
        smooth = ndimage.binary_opening(best == lung, DISC)
        parts, count = ndimage.label(smooth)
        if count:
            sizes = np.bincount(parts.ravel())[1:]
            whole = ndimage.binary_fill_holes(parts == 1 + sizes.argmax())
            labels[whole & (labels == 0)] = lung
    return labels
