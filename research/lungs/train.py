"""Train the network for lungs: on simulated chests, then on real ones that it is sure of.

The first part learns from simulated chests, whose lungs are known exactly. In the second, the
network labels real radiographs, from the mean of several views; where it is confident it learns
from its own labels under strong variation, half of each batch being simulated chests still. The
labels are made anew in the middle of this part.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch.nn import functional

from nodegen.errors import TrainingError
from nodegen.io.files import write_bytes, write_text
from nodegen.lungs.network import FORMAT, INDEX, LungNet, mean_of_views
from nodegen.lungs.region import CLASSES, labelled, to_grid
from nodegen.workers import track
from research.lungs.cases import CASE_PX, UNKNOWN, confident_labels, phantom_case
from research.lungs.views import view

CHECKPOINT, STATE = "checkpoint.pt", "state.json"


@dataclass(frozen=True)
class LungTraining:
    """How the network is trained.

    Attributes
    ----------
    phantoms : int
        Simulated chests.
    steps, real_steps : int
        Batches of the first and of the second part.
    batch : int
        Views in a batch.
    rate : float
        Highest learning rate of Adam (one-cycle schedule); a third of it in the second part.
    seed : int
    """

    phantoms: int = 64
    steps: int = 420
    real_steps: int = 330
    batch: int = 8
    rate: float = 3e-3
    seed: int = 0


Case = tuple[np.ndarray, np.ndarray]  # images (kind, row, column), labels (row, column)


def train_lungs(
    radiographs: list[np.ndarray], work: Path, how: LungTraining, *, progress: bool = True
) -> LungNet:
    """Train, going on where a run in the same folder was stopped.

    Parameters
    ----------
    radiographs : list of numpy.ndarray, shape (row, column)
        Real ones, without labels; an empty list leaves the second part out.
    work : pathlib.Path
        Folder for the simulated chests and the checkpoint.
    how : LungTraining
        Steps, batch, learning rate and seed.
    progress : bool
        Show how far it is.

    Raises
    ------
    TrainingError
        Where `work` holds a run with other settings.
    """
    work.mkdir(parents=True, exist_ok=True)
    told = json.dumps({**asdict(how), "radiographs": len(radiographs)})
    if (work / STATE).exists() and (work / STATE).read_text() != told:
        raise TrainingError(
            f"{work} holds a run with other settings; give another folder, or delete this one."
        )
    (work / STATE).write_text(told)
    phantoms = _phantoms(work, how, progress)
    network = LungNet()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=how.rate, weight_decay=1e-4)
    done = _restore(work, network, optimiser, how.seed)
    total = how.steps + (how.real_steps if radiographs else 0)
    relabel = {how.steps, how.steps + how.real_steps // 2}
    real: list[Case] = []
    start = time.monotonic()
    for step in track(range(done, total), total - done, "training", "step", progress):
        if radiographs and step >= how.steps and (step in relabel or not real):
            real = _labelled(network, radiographs)
            print(f"step {step}: sure of {len(real)} of {len(radiographs)} radiographs", flush=True)
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, how)
        loss = _step(network, optimiser, phantoms, real if step >= how.steps else [], step, how)
        if step % 25 == 24:
            print(f"step {step + 1}: {loss:.4f}, {time.monotonic() - start:.0f} s", flush=True)
        if step % 50 == 49 or step + 1 == total:
            torch.save(
                {"step": step + 1, "network": network.state_dict(), "adam": optimiser.state_dict()},
                work / (CHECKPOINT + ".partial"),
            )
            (work / (CHECKPOINT + ".partial")).replace(work / CHECKPOINT)
    return network.eval()


def _phantoms(work: Path, how: LungTraining, progress: bool) -> list[Case]:
    cases = []
    for number in track(range(how.phantoms), how.phantoms, "simulating", "chest", progress):
        path = work / f"phantom-{number:03d}.npz"
        if not path.exists():
            rng = np.random.default_rng([how.seed, 1, number])
            images, labels = phantom_case(rng)
            partial = path.with_name("partial.npz")
            np.savez(partial, images=images, labels=labels)
            partial.replace(path)
        with np.load(path) as file:
            cases.append((file["images"], file["labels"]))
    return cases


def _restore(work: Path, network: LungNet, optimiser: torch.optim.Optimizer, seed: int) -> int:
    if not (work / CHECKPOINT).exists():
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
        return 0
    kept = torch.load(work / CHECKPOINT, weights_only=True)
    network.load_state_dict(kept["network"])
    optimiser.load_state_dict(kept["adam"])
    return int(kept["step"])


def _rate(step: int, how: LungTraining) -> float:
    """A warm-up, then a cosine down to a hundredth, in each part."""
    first = step < how.steps
    part = (step if first else step - how.steps) / (how.steps if first else how.real_steps)
    rise = min(1.0, part / 0.08)
    top = how.rate if first else how.rate / 3
    return float(top * rise * (0.505 + 0.495 * np.cos(np.pi * part)))


def _step(
    network: LungNet,
    optimiser: torch.optim.Optimizer,
    phantoms: list[Case],
    real: list[Case],
    step: int,
    how: LungTraining,
) -> float:
    views = []
    for item in range(how.batch):
        rng = np.random.default_rng([how.seed, 2, step, item])
        cases = real if real and item % 2 else phantoms
        images, labels = cases[int(rng.integers(len(cases)))]
        mix = rng.dirichlet(np.ones(len(images))).astype(np.float32)
        views.append(view(np.tensordot(mix, images.astype(np.float32), 1), labels, rng))
    grids = torch.from_numpy(np.stack([grid for grid, _ in views]))[:, None]
    targets = torch.from_numpy(np.stack([label for _, label in views]))
    network.train()
    logits = network(grids.contiguous(memory_format=torch.channels_last))
    loss = _loss(logits, targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy and one minus the soft Dice of both lungs, over pixels whose label is known."""
    known = (labels != UNKNOWN)[:, None]
    entropy = functional.cross_entropy(logits, labels, ignore_index=UNKNOWN)
    target = functional.one_hot(labels * known[:, 0], CLASSES).permute(0, 3, 1, 2)[:, 1:] * known
    chance = logits.softmax(1)[:, 1:] * known
    both = 2 * (chance * target).sum((0, 2, 3)) + 1
    return entropy + 1 - (both / (chance.sum((0, 2, 3)) + target.sum((0, 2, 3)) + 1)).mean()


def _labelled(network: LungNet, radiographs: list[np.ndarray]) -> list[Case]:
    network.eval()
    cases = []
    for pixels in radiographs:
        grid, _ = to_grid(pixels)
        chances = mean_of_views(network, grid)
        labels = confident_labels(chances, labelled(chances))
        if labels is not None:
            cases.append((_case_size((grid + 1) / 2, "bilinear")[None], _case_size(labels)))
    return cases


def _case_size(image: np.ndarray, mode: str = "nearest") -> np.ndarray:
    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
    return (
        functional.interpolate(tensor, CASE_PX, mode=mode)[0, 0]
        .numpy()
        .astype(np.float16 if mode != "nearest" else np.uint8)
    )


def save_network(network: LungNet, folder: Path, card: dict[str, Any]) -> Path:
    """Write the weights in half precision, named with their hash, and ``lungs.json``.

    Parameters
    ----------
    network : LungNet
        The trained network.
    folder : pathlib.Path
        Where both files go.
    card : dict
        How they were trained.

    Returns
    -------
    pathlib.Path
        The weights.
    """
    tensors = {
        name: value.detach().half().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    data = save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"lungs-{digest[:12]}.safetensors"
    write_bytes(path, data)
    index = {"format": FORMAT, "file": path.name, "sha256": digest, "card": card}
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    return path
