"""What detectors on whole radiographs have in common: their images, their training, their test."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.errors import SettingError
from nodegen.evaluation.utility.cache import code_hash
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes

SIDE_PX = 512  # of what a network sees; radiographs are padded to a square

State = dict[str, torch.Tensor]


def need(module: str, model: str) -> ModuleType:
    """Import a module of an optional package.

    Raises
    ------
    SettingError
        Where it is missing, or does not load beside the torch that is installed.
    """
    try:
        return import_module(module)
    except (ImportError, RuntimeError, OSError) as error:  # torchvision fails so beside a torch
        package = module.partition(".")[0]
        extra = "fasterrcnn" if package == "torchvision" else "utility"
        raise SettingError(
            f"Model {model} needs {package}, which cannot be loaded ({error}); install it with "
            f"`pip install '.[{extra}]'` in the clone, or take another model."
        ) from error


@dataclass(frozen=True)
class ScaledRadiograph:
    """A radiograph as a network sees it.

    Attributes
    ----------
    image : ndarray of float16, shape (SIDE_PX, SIDE_PX)
        Mean 0 and standard deviation 1 beside the padding.
    boxes : ndarray, shape (nodule, 4)
        x, y, width, height of the nodules, px of ``image``.
    scale : float
        px of the radiograph to one of ``image``.
    """

    image: np.ndarray
    boxes: np.ndarray
    scale: float


def scaled(pixels: np.ndarray, nodules: Sequence[Box] = ()) -> ScaledRadiograph:
    """Bring a radiograph (row, column) and its nodules to the network's size and grey scale."""
    scale = max(pixels.shape) / SIDE_PX
    size = [max(round(n / scale), 1) for n in pixels.shape]
    image = torch.from_numpy(pixels.astype(np.float32))[None, None]
    small = F.interpolate(image, size, mode="bilinear", antialias=True)[0, 0].numpy()
    inside = small[small > small.min()]
    mean, std = (float(inside.mean()), float(inside.std())) if inside.size else (0.0, 1.0)
    framed = np.zeros((SIDE_PX, SIDE_PX), np.float16)
    framed[: size[0], : size[1]] = (small - mean) / max(std, 1e-6)
    boxes = [(b.left / scale, b.top / scale, b.width / scale, b.height / scale) for b in nodules]
    return ScaledRadiograph(framed, np.reshape(boxes, (-1, 4)).astype(np.float32), scale)


@dataclass(frozen=True)
class Detector(ABC):
    """A detector and how it learns; the same for every arm.

    Attributes
    ----------
    rounds : int or None
        Through all radiographs; None: until there were enough ``steps``.
    steps : int or None
        Batches; None: until there were enough ``rounds``.
    batch : int
        Radiographs.
    device : str
        As torch names it.
    """

    name: ClassVar[str]
    steps_schedule: ClassVar[bool]  # whether the learning rate changes by batches, or by rounds

    rounds: int | None = None
    steps: int | None = None
    batch: int = 2
    device: str = "cpu"

    @abstractmethod
    def network(self) -> torch.nn.Module:
        """A network that has learned nothing."""

    @abstractmethod
    def optimiser(self, network: torch.nn.Module) -> tuple[torch.optim.Optimizer, Any]:
        """The optimiser and the schedule of its learning rate."""

    @abstractmethod
    def loss(
        self, network: torch.nn.Module, images: list[ScaledRadiograph], rng: np.random.Generator
    ) -> torch.Tensor:
        """The loss of a batch, with the augmentation that ``rng`` draws."""

    @abstractmethod
    def boxes(self, network: torch.nn.Module, image: ScaledRadiograph) -> np.ndarray:
        """Boxes with scores, (box, 5): x, y, width, height in px of the image, and the score."""

    def halved(self) -> Self:
        """The same with half as many steps, or rounds."""
        rounds, steps = (n and max(n // 2, 1) for n in (self.rounds, self.steps))
        return replace(self, rounds=rounds, steps=steps)

    def identity(self) -> list[Any]:
        """What a trained network depends on besides its data and seed."""
        settings = {k: v for k, v in asdict(self).items() if k != "device"}
        code = code_hash(*(f"evaluation/utility/{name}.py" for name in ("detector", self.name)))
        return [self.name, settings, code, torch.__version__]

    def train(
        self,
        images: Sequence[ScaledRadiograph],
        seed: int,
        start: State | None = None,
        checkpoint: Path | None = None,
    ) -> State:
        """Train a network; deterministic by ``seed``.

        Parameters
        ----------
        images : sequence of ScaledRadiograph
            What is learned from, each with the boxes of its nodules.
        seed : int
            Of the weights at the start, the order of the radiographs and the augmentation.
        start : dict of Tensor, optional
            Where to go on from; None: from scratch.
        checkpoint : Path, optional
            Holds the state of the training after each round, while it goes on; from there it is
            resumed, to the same end.
        """
        torch.manual_seed(seed)
        network = self.network().to(self.device)
        if start is not None:
            network.load_state_dict(start)
        optimiser, schedule = self.optimiser(network)
        parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
        step = round_ = 0
        if checkpoint and checkpoint.is_file():
            kept = torch.load(checkpoint, weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(kept[name])
            step, round_ = kept["step"], kept["round"]
        network.train()
        while step != self.steps and round_ != self.rounds:
            # All that is random follows from the round, so that a resumed training draws the same.
            torch.manual_seed(seed * 100_003 + round_)
            rng = np.random.default_rng((seed, round_))
            order = rng.permutation(len(images))
            for first in range(0, len(order), self.batch):
                batch = [images[i] for i in order[first : first + self.batch]]
                loss = self.loss(network, batch, rng)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                step += 1
                if self.steps_schedule:
                    schedule.step()
                if step == self.steps:
                    break
            round_ += 1
            if not self.steps_schedule:
                schedule.step()
            if checkpoint:
                content = io.BytesIO()
                states = {name: part.state_dict() for name, part in parts.items()}
                torch.save({**states, "step": step, "round": round_}, content)
                write_bytes(checkpoint, content.getvalue())
        if checkpoint:
            checkpoint.unlink(missing_ok=True)
        return {name: value.cpu() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def detect(self, state: State, images: Sequence[ScaledRadiograph]) -> list[np.ndarray]:
        """Find nodules.

        Parameters
        ----------
        state : dict of Tensor
            As :meth:`train` gives it.
        images : sequence of ScaledRadiograph
            Where nodules are looked for; their own boxes are not used.

        Returns
        -------
        list of ndarray, shape (box, 5)
            Of each radiograph: x, y, width, height in its own px, and the score.
        """
        network = self.network().to(self.device)
        network.load_state_dict(state)
        network.eval()
        return [self.boxes(network, image) * [*(image.scale,) * 4, 1.0] for image in images]
