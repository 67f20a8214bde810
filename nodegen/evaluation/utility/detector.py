"""Depth ``detector``: a MONAI network on whole radiographs, boxes with scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.extras import need
from nodegen.evaluation.utility.wholes import Whole, nodule_mask, whole

CHANNELS = (8, 16, 32, 64, 128)
LEAST_SCORE = 0.02  # of a box that is given
PEAK_SIGMA_PX = 2.0  # blur of the probability before its peaks are sought
PEAK_PX = 25  # side of the square around a peak in which no other is sought: a small nodule
BOXES = 30  # of a radiograph at most
# Augmentation; set by eye, so that a radiograph stays one.
TURN_RAD, ZOOM, SHIFT_PX = 0.15, 0.15, 24
GAMMA = (0.7, 1.4)

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class DetectorTraining:
    """How long and how fast the network learns; the same for every arm.

    Attributes
    ----------
    steps : int
        Batches.
    """

    steps: int = 900
    batch: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4


def detector_network() -> torch.nn.Module:
    """The network: (radiograph, 1, row, column) to logits of the same shape."""
    nets = need("monai.networks.nets", "detector")
    network: torch.nn.Module = nets.UNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        channels=CHANNELS,
        strides=(2,) * (len(CHANNELS) - 1),
        num_res_units=0,
    )
    return network


def augmentation() -> Any:
    """Random turns, zooms, shifts, mirrors and grey scales, by MONAI's transforms."""
    t = need("monai.transforms", "detector")
    keys = ("image", "mask")
    affine = t.RandAffined(
        keys, prob=1.0, rotate_range=TURN_RAD, translate_range=SHIFT_PX, scale_range=ZOOM,
        mode=("bilinear", "nearest"), padding_mode="zeros",
    )  # fmt: skip
    mirror = t.RandFlipd(keys, prob=0.5, spatial_axis=1)
    return t.Compose([mirror, affine, t.RandAdjustContrastd("image", prob=0.5, gamma=GAMMA)])


Take = Callable[[int], Sequence[Whole]]
Keep = Callable[[dict[str, Any]], None]


def train(
    take: Take,
    seed: int,
    settings: DetectorTraining,
    start: State | None = None,
    device: str = "cpu",
    resume: dict[str, Any] | None = None,
    keep: Keep | None = None,
) -> State:
    """Train the network from scratch, or on from ``start``; deterministic by ``seed``.

    Parameters
    ----------
    take : callable
        Gives the radiographs of a round: the same ones, or with nodules drawn anew.
    resume : dict, optional
        What ``keep`` was given last; training goes on from there, to the same end.
    keep : callable, optional
        Is given the state of the training after every round.
    """
    losses = need("monai.losses", "detector")
    torch.manual_seed(seed)
    network = detector_network().to(device)
    if start is not None:
        network.load_state_dict(start)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, settings.steps
    )
    loss_of = losses.DiceFocalLoss(sigmoid=True, batch=True)
    augment, step, round_ = augmentation(), 0, 0
    if resume:
        network.load_state_dict(resume["network"])
        optimiser.load_state_dict(resume["optimiser"])
        schedule.load_state_dict(resume["schedule"])
        step, round_ = resume["step"], resume["round"]
    network.train()
    while step < settings.steps:
        # Everything random follows from the round, so that a resumed training draws the same.
        augment.set_random_state(seed=(seed * 100_003 + round_) % 2**32)
        order = np.random.default_rng((seed, round_)).permutation(len(images := take(round_)))
        for first in range(0, len(order), settings.batch):
            batch = [images[i] for i in order[first : first + settings.batch]]
            drawn = [
                augment({"image": one.image.astype(np.float32)[None],
                         "mask": nodule_mask(one.boxes)})
                for one in batch
            ]  # fmt: skip
            x, y = (
                torch.stack([torch.as_tensor(np.asarray(d[key])) for d in drawn]).to(device)
                for key in ("image", "mask")
            )
            loss = loss_of(network(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            if step == settings.steps:
                break
        round_ += 1
        if keep:
            keep({"network": network.state_dict(), "optimiser": optimiser.state_dict(),
                  "schedule": schedule.state_dict(), "step": step, "round": round_})  # fmt: skip
    return {name: value.cpu() for name, value in network.state_dict().items()}


@torch.no_grad()
def detect(
    state: State, radiographs: Sequence[Radiograph], device: str = "cpu"
) -> list[np.ndarray]:
    """Boxes with scores of each radiograph, (box, 5): x, y, width, height in px, and the score."""
    network = detector_network().to(device)
    network.load_state_dict(state)
    network.eval()
    found = []
    for one in radiographs:
        seen = whole(one.load())
        image = torch.from_numpy(seen.image.astype(np.float32))[None, None].to(device)
        both = [network(image), network(image.flip(3)).flip(3)]
        probability = torch.sigmoid((both[0] + both[1]) / 2)[0, 0].cpu().numpy()
        found.append(boxes_with_scores(probability) * [*(seen.scale,) * 4, 1.0])
    return found


def boxes_with_scores(probability: np.ndarray) -> np.ndarray:
    """The peaks of a map (row, column), each with the box of what is at least half as probable."""
    from scipy.ndimage import gaussian_filter, label

    nms = need("monai.transforms", "detector").ProbNMS(
        spatial_dims=2, prob_threshold=LEAST_SCORE, box_size=PEAK_PX
    )
    blurred = gaussian_filter(probability, PEAK_SIGMA_PX)
    made = []
    for score, row, column in nms(blurred.copy())[:BOXES]:
        parts = label(blurred >= score / 2)[0]
        rows, columns = np.nonzero(parts == parts[int(row), int(column)])
        half_rows = max(row - rows.min(), rows.max() + 1 - row)
        half_columns = max(column - columns.min(), columns.max() + 1 - column)
        # The peak is the middle: a region that runs on to one side does not move the box.
        made.append((column + 0.5 - half_columns, row + 0.5 - half_rows,
                     2 * half_columns, 2 * half_rows, score))  # fmt: skip
    return np.reshape(made, (-1, 5))
