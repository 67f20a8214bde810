"""Model ``segresnet``: MONAI's SegResNet learns the ellipse of each box; its peaks are boxes."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from monai import transforms
from monai.losses import DiceFocalLoss
from monai.networks import nets
from scipy.ndimage import gaussian_filter
from skimage.draw import ellipse
from torch import nn
from torch.nn import functional as F

from nodegen.evaluation.utility.trained_detector import Batch, Detector, ScaledRadiograph

FILTERS = 8
STRIDE = 4  # of the first convolution; a nodule has 15 px and more
BLOCKS_DOWN, BLOCKS_UP = (1, 2, 2, 4), (1, 1, 1)  # MONAI's own defaults
NODULE_SHARE = 0.01  # of the pixels, about; the output's bias begins at its log odds
LEAST_SCORE = 0.02  # of a box that is given
PEAK_SIGMA_PX = 2.0  # blur of the probability before its peaks are sought
PEAK_PX = 25  # side of the square around a peak in which no other is sought: a small nodule
BOXES = 30  # of a radiograph at most
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-4  # the highest of the one cycle
# Radians, px, and a part of the size; set by eye, so that a radiograph stays one.
AUGMENTATION = transforms.Compose(
    [
        transforms.RandFlipd(("image", "mask"), prob=0.5, spatial_axis=1),
        transforms.RandAffined(
            ("image", "mask"), prob=1.0, rotate_range=0.15, translate_range=24, scale_range=0.15,
            mode=("bilinear", "nearest"), padding_mode="zeros",
        ),
        transforms.RandAdjustContrastd("image", prob=0.5, gamma=(0.7, 1.4)),
    ]
)  # fmt: skip
LOSS = DiceFocalLoss(sigmoid=True, batch=True)


def network() -> nn.Module:
    """SegResNet behind a strided convolution, 396 thousand weights, from scratch.

    From images (radiograph, 1, row, column) to logits, STRIDE times smaller.
    """
    deep = nets.SegResNet(
        spatial_dims=2, init_filters=FILTERS, in_channels=FILTERS, out_channels=1,
        blocks_down=BLOCKS_DOWN, blocks_up=BLOCKS_UP,
    )  # fmt: skip
    nn.init.constant_(deep.conv_final[-1].conv.bias, math.log(NODULE_SHARE))
    first = nn.Conv2d(1, FILTERS, 2 * STRIDE + 1, STRIDE, STRIDE)
    return nn.Sequential(first, deep).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _optimiser(weights: Iterator[nn.Parameter], steps: int) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW with one cycle of the learning rate."""
    optimiser = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps)


def _loss(network: nn.Module, images: Batch, rng: np.random.Generator, device: str) -> torch.Tensor:
    """Dice and focal loss against the ellipses of the boxes."""
    AUGMENTATION.set_random_state(seed=int(rng.integers(2**32)))
    drawn = [
        AUGMENTATION({"image": one.image.astype(np.float32)[None], "mask": nodule_mask(one)})
        for one in images
    ]
    x, y = (
        torch.stack([torch.as_tensor(np.asarray(d[key])) for d in drawn]).to(device)
        for key in ("image", "mask")
    )
    made: torch.Tensor = LOSS(network(x), F.avg_pool2d(y, STRIDE))
    return made


def _boxes(network: nn.Module, image: ScaledRadiograph, device: str) -> np.ndarray:
    """The peaks of the mean map of the image and its mirror image."""
    x = torch.from_numpy(image.image.astype(np.float32))[None, None].to(device)
    both = network(x) + network(x.flip(3)).flip(3)
    logits = F.interpolate(both / 2, scale_factor=STRIDE, mode="bilinear")
    return boxes_with_scores(torch.sigmoid(logits)[0, 0].cpu().numpy())


def nodule_mask(one: ScaledRadiograph) -> np.ndarray:
    """What is learned: 1 in the ellipse of each box, else 0; (1, row, column)."""
    rows, columns = one.image.shape
    mask = np.zeros((1, rows, columns), np.float32)
    for left, top, width, height in one.boxes:
        middle = top + height / 2 - 0.5, left + width / 2 - 0.5  # of pixels, row and column
        mask[0][ellipse(*middle, height / 2, width / 2, shape=(rows, columns))] = 1
    return mask


def boxes_with_scores(probability: np.ndarray) -> np.ndarray:
    """The peaks of a map (row, column), each with a square of ``PEAK_PX`` around it.

    Boxes (box, 5) are x, y, width, height in px of the map, and the score.
    """
    nms = transforms.ProbNMS(spatial_dims=2, prob_threshold=LEAST_SCORE, box_size=PEAK_PX)
    peaks = nms(gaussian_filter(probability, PEAK_SIGMA_PX))[:BOXES]
    half = PEAK_PX / 2 - 0.5
    made = [(x - half, y - half, PEAK_PX, PEAK_PX, score) for score, y, x in peaks]
    return np.reshape(made, (-1, 5))


SEGRESNET = Detector("segresnet", network, _optimiser, _loss, _boxes, steps=900, batch=4)
