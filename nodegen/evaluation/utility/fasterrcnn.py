"""Depth ``fasterrcnn``: the paper's own detector, torchvision's, for those who have a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.detector import Keep, State, Take
from nodegen.evaluation.utility.extras import need
from nodegen.evaluation.utility.wholes import Whole, whole

INPUT_PX = 512  # what is given is at the size of the depth ``detector``
SHOWN_STDS = 2.5  # standard deviations to either side of the mean that 0..1 stands for


@dataclass(frozen=True)
class FasterRCNNTraining:
    """As the organisers' detection baseline trains, which the paper takes as it is.

    Attributes
    ----------
    epochs : int
        Rounds through all radiographs.
    """

    epochs: int = 10
    batch: int = 8
    learning_rate: float = 0.005
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay_every: int = 3
    decay: float = 0.1


def fasterrcnn_network() -> torch.nn.Module:
    """Faster R-CNN with a ResNet-50 and a feature pyramid, one class, from scratch.

    Raises
    ------
    SettingError
        Where torchvision is missing or does not load beside this torch.
    """
    models = need("torchvision.models.detection", "fasterrcnn")
    network: torch.nn.Module = models.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=2, min_size=INPUT_PX, max_size=INPUT_PX
    )
    return network


def picture(one: Whole) -> torch.Tensor:
    """The radiograph in 0..1, three times the same channel, shape (3, row, column)."""
    grey = torch.from_numpy(one.image.astype(np.float32)) / (2 * SHOWN_STDS) + 0.5
    return grey.clamp(0, 1).expand(3, -1, -1)


def target(one: Whole) -> dict[str, torch.Tensor]:
    """Boxes as torchvision wants them: x0, y0, x1, y1, and a label for each."""
    boxes = torch.from_numpy(one.boxes.copy())
    boxes[:, 2:] += boxes[:, :2]
    return {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64)}


def train(
    take: Take,
    seed: int,
    settings: FasterRCNNTraining,
    start: State | None = None,
    device: str = "cpu",
    resume: dict[str, Any] | None = None,
    keep: Keep | None = None,
) -> State:
    """Train as :func:`nodegen.evaluation.utility.detector.train` does."""
    torch.manual_seed(seed)
    network = fasterrcnn_network().to(device)
    if start is not None:
        network.load_state_dict(start)
    optimiser = torch.optim.SGD(
        network.parameters(), settings.learning_rate, settings.momentum,
        weight_decay=settings.weight_decay,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, settings.decay_every, settings.decay)
    first = 0
    if resume:
        network.load_state_dict(resume["network"])
        optimiser.load_state_dict(resume["optimiser"])
        schedule.load_state_dict(resume["schedule"])
        first = resume["round"]
    network.train()
    for round_ in range(first, settings.epochs):
        torch.manual_seed(seed * 100_003 + round_)  # torchvision draws the proposals it samples
        rng = np.random.default_rng((seed, round_))
        order = rng.permutation(len(images := take(round_)))
        for start_ in range(0, len(order), settings.batch):
            batch = [mirrored(images[i], bool(rng.integers(2)))
                     for i in order[start_ : start_ + settings.batch]]  # fmt: skip
            losses = network(
                [picture(one).to(device) for one in batch],
                [{k: v.to(device) for k, v in target(one).items()} for one in batch],
            )
            optimiser.zero_grad()
            sum(losses.values()).backward()
            optimiser.step()
        schedule.step()
        if keep:
            keep({"network": network.state_dict(), "optimiser": optimiser.state_dict(),
                  "schedule": schedule.state_dict(), "round": round_ + 1})  # fmt: skip
    return {name: value.cpu() for name, value in network.state_dict().items()}


def mirrored(one: Whole, mirror: bool) -> Whole:
    """The radiograph, or its mirror image with its boxes."""
    if not mirror:
        return one
    boxes = one.boxes.copy()
    boxes[:, 0] = one.image.shape[1] - boxes[:, 0] - boxes[:, 2]
    return Whole(np.ascontiguousarray(one.image[:, ::-1]), boxes, one.scale)


@torch.no_grad()
def detect(
    state: State, radiographs: Sequence[Radiograph], device: str = "cpu"
) -> list[np.ndarray]:
    """Boxes with scores of each radiograph, (box, 5): x, y, width, height in px, and the score."""
    network = fasterrcnn_network().to(device)
    network.load_state_dict(state)
    network.eval()
    found = []
    for one in radiographs:
        seen = whole(one.load())
        made = network([picture(seen).to(device)])[0]
        boxes = made["boxes"].cpu().numpy()
        boxes[:, 2:] -= boxes[:, :2]
        scores = made["scores"].cpu().numpy()[:, None]
        found.append(np.concatenate([boxes * seen.scale, scores], axis=1).astype(np.float64))
    return found
