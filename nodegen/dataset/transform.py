"""Nodules on the fly: a transform for training loops, in MONAI's dictionary style."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.constants import GRADES
from nodegen.dataset.example import make_example
from nodegen.errors import SettingError
from nodegen.io.boxes import Box, fit_boxes
from nodegen.io.radiograph import Radiograph
from nodegen.lungs.fields import Lungs, find_lungs
from nodegen.lungs.prior import Prior
from nodegen.renderer import Renderer
from nodegen.settings import Settings

KEPT_LUNGS = 4096  # radiographs whose lungs are kept in memory, packed to an eighth of a byte a px
Places = Callable[[np.ndarray, Lungs, np.random.Generator], list[Box] | None]


@dataclass(frozen=True)
class ObviousFirst:
    """A curriculum for :class:`AddNodules`: obvious nodules first, at last as real ones are.

    The first of ``epochs`` shows JSRT's most obvious grade alone; the others join one after the
    other, from obvious to extremely subtle.

    Attributes
    ----------
    epochs : int
        Until subtlety is as that of real nodules.

    Examples
    --------
    >>> [ObviousFirst(10)(epoch) for epoch in (0, 3, 10)]
    ['obvious', 'obvious,relatively-obvious', 'real']
    """

    epochs: int = 10

    def __call__(self, epoch: int) -> str:
        """Subtlety in an epoch, counted from 0."""
        if epoch >= self.epochs:
            return "real"
        grades = list(reversed(GRADES))
        return ",".join(grades[: 1 + epoch * len(grades) // self.epochs])


class AddNodules:
    """Draws nodules into the radiograph of a dictionary, and adds boxes, labels and masks.

    It works in any data loader. In a worker process of torch's ``DataLoader`` the random stream
    follows from ``seed`` and from the worker's own seed, which differs for each worker and epoch;
    so ``torch.manual_seed`` before the loop makes a training repeatable.

    Parameters
    ----------
    key : str
        The radiograph's: an array or tensor, `(row, column)` or `(1, row, column)`.
    nodules : tuple of int
        Fewest and most nodules, each number as likely.
    size_mm : tuple of float, optional
        Range of the larger side; None: as NODE21's.
    signal : {"hyposignal", "hypersignal"}, optional
        None: decided for each nodule by its place.
    boxes : {"tight", "given"}
        Around what is visible, or as drawn.
    seed : int
    settings : Settings, optional
        How nodules are drawn.
    places : callable or str, optional
        Boxes to be used instead of drawn ones, such as those that a detector missed: a function of
        (pixels, lungs, rng) that returns a list of `Box`, or the key under which the dictionary
        holds them, `(nodule, 4)`, x_min, y_min, x_max, y_max in px. None of them leaves the image
        untouched; where the function returns None, or the dictionary has no such key, they are
        drawn.
    subtlety : callable, optional
        Of the epoch, see :meth:`set_epoch`; returns the subtlety of its nodules, as
        `Settings.subtlety` takes it: a curriculum, such as :class:`ObviousFirst`.

    Examples
    --------
    >>> from nodegen.phantom.anatomy import draw_anatomy
    >>> from nodegen.phantom.render import radiograph
    >>> add = AddNodules(nodules=(2, 2), settings=Settings(method="paste"))
    >>> made = add({"image": radiograph(draw_anatomy(np.random.default_rng(0)))[None]})
    >>> made["image"].shape, made["box"].shape, made["label"].tolist(), made["mask"].shape
    ((1, 1024, 1024), (2, 4), [0, 0], (2, 1024, 1024))
    """

    def __init__(
        self,
        key: str = "image",
        *,
        nodules: tuple[int, int] = (1, 3),
        size_mm: tuple[float, float] | None = None,
        signal: str | None = None,
        boxes: str = "tight",
        seed: int = 0,
        settings: Settings | None = None,
        places: Places | str | None = None,
        subtlety: Callable[[int], str] | None = None,
    ):
        import torch

        if not 0 <= nodules[0] <= nodules[1]:
            raise SettingError(f"nodules is {nodules}; give fewest and most, such as (1, 3).")
        if boxes not in ("tight", "given"):
            raise SettingError(f"boxes is {boxes!r}, where tight or given is allowed.")
        self.key, self.nodules, self.size_mm, self.signal = key, nodules, size_mm, signal
        self.boxes, self.seed, self.places = boxes, seed, places
        self.renderer, self.subtlety = Renderer(settings), subtlety
        # In shared memory, so that workers that are kept for several epochs see it as well.
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._rng: np.random.Generator | None = None
        self._stream: int | None = None
        self._lungs: OrderedDict[bytes, tuple[np.ndarray, tuple[int, ...], float]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Without the lungs that were found: copies find their own."""
        return {**self.__dict__, "_lungs": OrderedDict()}

    def set_epoch(self, epoch: int) -> None:
        """Say before an epoch which one it is, counted from 0; workers of a loader see it too."""
        self._epoch[0] = epoch

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the dictionary with nodules.

        Returns
        -------
        dict
            ``key`` with nodules, in its own type and shape; ``box``, float32 `(nodule, 4)`, x_min,
            y_min, x_max, y_max in px; ``label``, int64 `(nodule,)` of zeros; ``mask``, uint8
            `(nodule, row, column)`.
        """
        return self.add(data, self._random())

    def add(self, data: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """The same, with all that is random drawn from ``rng``."""
        given = data[self.key]
        pixels = np.asarray(given)
        flat = pixels[0] if pixels.ndim == 3 and pixels.shape[0] == 1 else pixels
        lungs = self._lungs_of(flat)
        boxes = self._places(data, flat, lungs, rng)
        low, high = self.nodules
        count = int(rng.integers(low, high + 1)) if boxes is None else len(boxes)
        example = make_example(
            Radiograph(flat, None, Path()),
            lungs,
            count,
            int(rng.integers(2**63)),
            self._renderer(),
            Prior.load(),
            size_mm=self.size_mm,
            signal=self.signal,
            boxes=boxes,
        )
        corners = [n.tight if self.boxes == "tight" else n.given for n in example.nodules]
        masks = [nodule.mask for nodule in example.nodules]
        return {
            **data,
            self.key: _like(given, example.image.reshape(pixels.shape)),
            "box": np.array(corners, np.float32).reshape(-1, 4),
            "label": np.zeros(len(corners), np.int64),
            "mask": np.array(masks, np.uint8).reshape(-1, *flat.shape),
        }

    def _renderer(self) -> Renderer:
        if self.subtlety is None:
            return self.renderer
        return self.renderer.with_subtlety(self.subtlety(int(self._epoch[0])))

    def _places(
        self, data: Mapping[str, Any], pixels: np.ndarray, lungs: Lungs, rng: np.random.Generator
    ) -> list[Box] | None:
        """Boxes that are asked for; None where they are to be drawn."""
        if isinstance(self.places, str):
            told = data.get(self.places)
            corners = None if told is None else np.asarray(told, float).reshape(-1, 4)
            boxes = None if corners is None else [Box(0, *map(round, c)) for c in corners]
        else:
            boxes = self.places(pixels, lungs, rng) if self.places else None
        return None if boxes is None else fit_boxes(boxes, (1, *pixels.shape))

    def _random(self) -> np.random.Generator:
        """The stream of this process; a new one where a loader has started a new epoch."""
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        stream = None if worker is None else int(worker.seed)
        if self._rng is None or stream != self._stream:
            key = [self.seed] if stream is None else [self.seed, stream]
            self._rng, self._stream = np.random.default_rng(key), stream
        return self._rng

    def _lungs_of(self, pixels: np.ndarray) -> Lungs:
        """Lungs, kept from an earlier epoch where the same radiograph came."""
        key = blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
        if key not in self._lungs:
            found = find_lungs(pixels)
            bits = np.packbits([found.labels == 1, found.labels == 2])
            self._lungs[key] = bits, (2, *pixels.shape), found.confidence
            if len(self._lungs) > KEPT_LUNGS:
                self._lungs.popitem(last=False)
        bits, shape, confidence = self._lungs[key]
        right, left = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)
        return Lungs(right + 2 * left, confidence)


def _like(given: Any, made: np.ndarray) -> Any:
    if isinstance(given, np.ndarray):
        return made
    import torch

    return torch.as_tensor(made).to(given.dtype)
