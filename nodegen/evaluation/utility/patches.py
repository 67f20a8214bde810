"""Depth ``patches``: a small network tells boxes with a nodule from places without."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.network import patch_network
from nodegen.io.boxes import Box

SIDES = 2.5  # a patch shows so many of the box's larger sides
PATCH_PX = 64
CUT_PX = 88  # of what is cut: room for turning and zooming
# Augmentation; set by eye, so that a nodule stays a nodule.
TURN_RAD = 0.35
ZOOM_LOG = 0.18
SHIFT = 0.07  # of what is cut
LEAST_STD = 1e-3  # of a patch, that a flat one is not divided by zero


@dataclass(frozen=True)
class PatchTraining:
    """How long and how fast the network learns; the same for every arm.

    Attributes
    ----------
    steps : int
        Batches. 700 of 32: 15 rounds of 600 nodules and 840 places, after which the AUC of the
        strawman no longer rises.
    """

    steps: int = 700
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class Patches:
    """Patches and their labels.

    Attributes
    ----------
    pixels : Tensor, shape (patch, 1, CUT_PX, CUT_PX)
    labels : Tensor, shape (patch,)
        1: a nodule. 0: a place without.
    """

    pixels: torch.Tensor
    labels: torch.Tensor


def cut(pixels: np.ndarray, box: Box) -> torch.Tensor:
    """The box's surround, ``SIDES`` of its larger side and the room to move, (CUT_PX, CUT_PX)."""
    half = max(box.width, box.height) * SIDES * CUT_PX / PATCH_PX / 2
    x, y = box.centre
    left, top, right, bottom = (round(v) for v in (x - half, y - half, x + half, y + half))
    rows, columns = pixels.shape
    inside = pixels[max(top, 0) : bottom, max(left, 0) : right].astype(np.float32)
    pad = (
        (max(-top, 0), max(bottom - rows, 0)),
        (max(-left, 0), max(right - columns, 0)),
    )
    padded = torch.from_numpy(np.pad(inside, pad, mode="edge"))[None, None]
    made = F.interpolate(padded, (CUT_PX, CUT_PX), mode="bilinear", antialias=True)
    return made[0, 0]


def patches_of(radiographs: Sequence[Radiograph]) -> Patches:
    """The patches of all nodules, then of all places, radiograph by radiograph."""
    pixels, labels = [], []
    for one in radiographs:
        image = one.load()
        pixels += [cut(image, box) for box in (*one.nodules, *one.places)]
        labels += [1.0] * len(one.nodules) + [0.0] * len(one.places)
    shape = (len(labels), 1, CUT_PX, CUT_PX)
    stacked = torch.stack(pixels).reshape(shape) if pixels else torch.zeros(shape)
    return Patches(stacked, torch.tensor(labels))


def thin(patches: Patches, nodules: int, generator: torch.Generator) -> Patches:
    """Keep so many nodules, drawn at random, and as large a part of the places."""
    kept = []
    share = min(nodules / max(int(patches.labels.sum()), 1), 1.0)
    for label in (1.0, 0.0):
        where = torch.nonzero(patches.labels == label)[:, 0]
        order = torch.randperm(len(where), generator=generator)
        kept.append(where[order[: round(share * len(where))]])
    index = torch.cat(kept)
    return Patches(patches.pixels[index], patches.labels[index])


def joined(parts: Sequence[Patches]) -> Patches:
    """Several sets as one."""
    return Patches(torch.cat([p.pixels for p in parts]), torch.cat([p.labels for p in parts]))


def view(cuts: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """What the network sees: the middle, or turned, zoomed, moved and mirrored at random.

    Returns
    -------
    Tensor, shape (patch, 1, PATCH_PX, PATCH_PX)
        Each patch with its mean taken off, divided by its standard deviation.
    """
    n, scale = len(cuts), PATCH_PX / CUT_PX
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = scale
    if generator is not None:
        turn, zoom, x, y = (torch.rand(4, n, generator=generator) * 2 - 1).unbind()
        mirror = torch.randint(0, 2, (n,), generator=generator) * 2 - 1
        turn, size = turn * TURN_RAD, scale * torch.exp(zoom * ZOOM_LOG)
        affine[:, 0] = torch.stack([size * turn.cos() * mirror, -size * turn.sin(), x * SHIFT], 1)
        affine[:, 1] = torch.stack([size * turn.sin() * mirror, size * turn.cos(), y * SHIFT], 1)
    grid = F.affine_grid(affine, [n, 1, PATCH_PX, PATCH_PX], align_corners=False)
    seen = F.grid_sample(cuts, grid, padding_mode="border", align_corners=False)
    mean = seen.mean((1, 2, 3), keepdim=True)
    return (seen - mean) / (seen.std((1, 2, 3), keepdim=True) + LEAST_STD)


State = dict[str, torch.Tensor]


def train(
    patches: Patches,
    seed: int,
    settings: PatchTraining,
    start: State | None = None,
    device: str = "cpu",
) -> State:
    """Train the network from scratch, or on from ``start``; deterministic by ``seed``."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = patch_network().to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # twice as quick
    if start is not None:
        network.load_state_dict(start)
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, settings.steps
    )
    order = torch.empty(0, dtype=torch.long)
    for _ in range(settings.steps):
        while len(order) < settings.batch:
            order = torch.cat([order, torch.randperm(len(patches.labels), generator=generator)])
        index, order = order[: settings.batch], order[settings.batch :]
        seen = view(patches.pixels[index], generator).to(device, memory_format=torch.channels_last)
        logits = network(seen)[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, patches.labels[index].to(device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return {name: value.cpu() for name, value in network.state_dict().items()}


@torch.no_grad()
def scores(state: State, pixels: torch.Tensor) -> np.ndarray:
    """The network's logit of each patch: the mean of the patch and its mirror image, (patch,)."""
    network = patch_network()
    network.load_state_dict(state)
    network.eval()
    if not len(pixels):
        return np.zeros(0, np.float32)
    both = [network(view(x))[:, 0] for x in (pixels, pixels.flip(3))]
    return np.asarray(((both[0] + both[1]) / 2).numpy())
