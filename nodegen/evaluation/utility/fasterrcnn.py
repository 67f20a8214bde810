"""Model ``fasterrcnn``: the paper's own detector, torchvision's, for those who have a GPU.

It learns as the organisers' detection baseline does, which the paper takes as it is.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from nodegen.errors import SettingError
from nodegen.evaluation.utility.trained_detector import SIDE_PX, Batch, Detector, ScaledRadiograph

SHOWN_STDS = 2.5  # standard deviations to either side of the mean that 0..1 stands for
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.005, 0.9, 5e-4
DECAY_EVERY, DECAY = 375, 0.1  # batches, three epochs of the ten, and the rate's factor


def network() -> nn.Module:
    """Torchvision's ResNet-50 with a feature pyramid, one class, from scratch."""
    try:
        from torchvision.models.detection import fasterrcnn_resnet50_fpn
    except (RuntimeError, OSError) as error:
        raise SettingError(
            f"torchvision does not load beside torch {torch.__version__} ({error}); install "
            "the release that belongs to it, or take --detector segresnet."
        ) from error
    made: nn.Module = fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=2, min_size=SIDE_PX, max_size=SIDE_PX
    )
    return made


def _optimiser(weights: Iterator[nn.Parameter], _: int) -> tuple[torch.optim.Optimizer, Any]:
    """Gradient descent with momentum; the learning rate falls in steps."""
    optimiser = torch.optim.SGD(weights, LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY)
    return optimiser, torch.optim.lr_scheduler.StepLR(optimiser, DECAY_EVERY, DECAY)


def _loss(network: nn.Module, images: Batch, rng: np.random.Generator, device: str) -> torch.Tensor:
    """The sum of torchvision's losses, on images of which half are mirrored."""
    batch = [mirrored(one) if rng.integers(2) else one for one in images]
    targets = [{k: v.to(device) for k, v in target(one).items()} for one in batch]
    losses = network([picture(one).to(device) for one in batch], targets)
    return torch.stack(list(losses.values())).sum()


def _boxes(network: nn.Module, image: ScaledRadiograph, device: str) -> np.ndarray:
    """Torchvision's boxes and scores."""
    found = network([picture(image).to(device)])[0]
    boxes = found["boxes"].cpu().numpy()
    boxes[:, 2:] -= boxes[:, :2]
    scores = found["scores"].cpu().numpy()[:, None]
    return np.concatenate([boxes, scores], axis=1).astype(np.float64)


def picture(one: ScaledRadiograph) -> torch.Tensor:
    """The radiograph in 0..1, three times the same channel, shape (3, row, column)."""
    grey = torch.from_numpy(one.image.astype(np.float32)) / (2 * SHOWN_STDS) + 0.5
    return grey.clamp(0, 1).expand(3, -1, -1)


def target(one: ScaledRadiograph) -> dict[str, torch.Tensor]:
    """Boxes as torchvision wants them: x0, y0, x1, y1, and a label for each."""
    boxes = torch.from_numpy(one.boxes.copy())
    boxes[:, 2:] += boxes[:, :2]
    return {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64)}


def mirrored(one: ScaledRadiograph) -> ScaledRadiograph:
    """The mirror image with its boxes."""
    boxes = one.boxes.copy()
    boxes[:, 0] = one.image.shape[1] - boxes[:, 0] - boxes[:, 2]
    return ScaledRadiograph(np.ascontiguousarray(one.image[:, ::-1]), boxes, one.scale)


# 1250 batches are ten epochs of NODE21's 1,000 radiographs.
FASTER_RCNN = Detector("fasterrcnn", network, _optimiser, _loss, _boxes, steps=1250, batch=8)
