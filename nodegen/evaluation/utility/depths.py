"""The three depths behind one interface: prepare, mix, learn, test."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch

from nodegen.evaluation.utility import detector, fasterrcnn, patches, wholes
from nodegen.evaluation.utility.arms import Arm
from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.store import Store, code_hash, content_hash
from nodegen.io.files import write_bytes

State = dict[str, torch.Tensor]
HERE = "evaluation/utility"
CODE = {
    depth: code_hash(*(f"{HERE}/{name}.py" for name in names))
    for depth, names in {
        "patches": ("patches", "network"),
        "detector": ("wholes", "detector"),
        "fasterrcnn": ("wholes", "detector", "fasterrcnn"),
    }.items()
}


class Depth(Protocol):
    """What the protocol asks of a depth."""

    name: str

    def prepare(self, radiographs: Sequence[Radiograph]) -> Any:
        """What a network is trained on, from radiographs with their nodules and places."""

    def identity(self) -> list[Any]:
        """What a trained network depends on besides its data and seed."""

    def content(self, data: Any) -> str:
        """Hash of what :meth:`prepare` gave."""

    def mix(self, made: Any, real: Any, ratio: float | None, seed: int) -> Any:
        """Synthetic and real together, ``ratio`` synthetic nodules to a real one; None: all."""

    def learn(self, data: Any, seed: int, start: State | None, store: Store, key: str) -> State:
        """Train; ``key`` names what is kept in ``store`` while it goes on."""

    def test(self, state: State, radiographs: Sequence[Radiograph]) -> list[np.ndarray]:
        """The network's scores on each radiograph."""


class PatchDepth:
    """A small network on patches; see :mod:`nodegen.evaluation.utility.patches`."""

    name = "patches"

    def __init__(self, training: patches.PatchTraining, device: str = "cpu"):
        self.training, self.device = training, device
        self._cut: dict[tuple[int, ...], torch.Tensor] = {}

    def prepare(self, radiographs: Sequence[Radiograph]) -> patches.Patches:
        """Patches of all nodules and places."""
        return patches.patches_of(radiographs)

    def identity(self) -> list[Any]:
        """Training settings, code and torch."""
        return [asdict(self.training), CODE["patches"], torch.__version__]

    def content(self, data: patches.Patches) -> str:
        """Hash of patches and labels."""
        return content_hash(data.pixels.numpy(), data.labels.numpy())

    def mix(self, made: patches.Patches, real: patches.Patches, ratio: float | None,
            seed: int) -> patches.Patches:  # fmt: skip
        """Thin the synthetic patches to ``ratio`` nodules to a real one."""
        if ratio is not None:
            generator = torch.Generator().manual_seed(seed)
            made = patches.thin(made, round(ratio * float(real.labels.sum())), generator)
        return patches.joined([made, real])

    def learn(self, data: patches.Patches, seed: int, start: State | None, store: Store,
              key: str) -> State:  # fmt: skip
        """Train; under a minute, so nothing is kept in between."""
        return patches.train(data, seed, self.training, start, self.device)

    def test(self, state: State, radiographs: Sequence[Radiograph]) -> list[np.ndarray]:
        """Scores of each radiograph's nodules, then of its places."""
        made = []
        for one in radiographs:
            key = (id(one),)
            if key not in self._cut:  # every network is tested on the same patches
                self._cut[key] = patches.patches_of([one]).pixels
            made.append(self._cut[key])
        values = patches.scores(state, torch.cat(made))
        return np.split(values, np.cumsum([len(one) for one in made])[:-1])


class WholeDepth:
    """A network on whole radiographs: MONAI's, or torchvision's Faster R-CNN."""

    def __init__(self, name: str, training: Any, device: str = "cpu", fly: Any = None):
        self.name, self.training, self.device, self.fly = name, training, device, fly
        self.module: Any = {"detector": detector, "fasterrcnn": fasterrcnn}[name]

    def prepare(self, radiographs: Sequence[Radiograph]) -> list[wholes.Whole]:
        """Radiographs at the network's size."""
        return wholes.wholes_of(radiographs)

    def identity(self) -> list[Any]:
        """Training settings, code and torch."""
        return [self.name, asdict(self.training), CODE[self.name], torch.__version__]

    def content(self, data: Any) -> str:
        """Hash of images and boxes; of on-the-fly data, of what it is drawn from."""
        if hasattr(data, "content"):
            return str(data.content())
        return content_hash(*(part for one in data for part in (one.image, one.boxes)))

    def mix(self, made: list[wholes.Whole], real: list[wholes.Whole], ratio: float | None,
            seed: int) -> list[wholes.Whole]:  # fmt: skip
        """``ratio`` synthetic radiographs to a real one; a radiograph keeps all its nodules."""
        if ratio is not None:
            order = np.random.default_rng(seed).permutation(len(made))
            made = [made[i] for i in order[: round(ratio * len(real))]]
        return [*made, *real]

    def learn(self, data: Any, seed: int, start: State | None, store: Store,
              key: str) -> State:  # fmt: skip
        """Train; what a kill would lose is at most a round."""
        path = store.path("training", key).with_suffix(".pt")

        def keep(state: dict[str, Any]) -> None:
            made = io.BytesIO()
            torch.save(state, made)
            write_bytes(path, made.getvalue())

        resume = torch.load(path, weights_only=True) if path.is_file() else None
        take = data if callable(data) else (lambda round_: data)
        state: State = self.module.train(
            take, seed, self.training, start, self.device, resume, keep
        )
        path.unlink(missing_ok=True)
        return state

    def test(self, state: State, radiographs: Sequence[Radiograph]) -> list[np.ndarray]:
        """Boxes with scores."""
        found: list[np.ndarray] = self.module.detect(state, radiographs, self.device)
        return found


class Fly:
    """Radiographs whose nodules are drawn anew in every round of the training.

    Parameters
    ----------
    maker : nodegen.evaluation.utility.made.Maker
    backgrounds : list of Radiograph
        With the places at which nodules are drawn.
    """

    def __init__(self, maker: Any, arm: Arm, backgrounds: Sequence[Radiograph]):
        self.maker, self.arm, self.backgrounds = maker, arm, list(backgrounds)

    def __call__(self, round_: int) -> list[wholes.Whole]:
        """The radiographs of a round."""
        made = str(self.arm.made)
        seed = self.maker.seed + round_
        return [
            wholes.whole(self.maker.make(made, one.load(), one.nodules, seed), one.nodules)
            for one in self.backgrounds
        ]

    def content(self) -> str:
        """Hash of what is drawn from."""
        boxes = [str(one.nodules) for one in self.backgrounds]
        pixels = [content_hash(one.load()) for one in self.backgrounds]
        return content_hash("fly", self.maker.identity(str(self.arm.made)), boxes, pixels,
                            self.maker.seed)  # fmt: skip
