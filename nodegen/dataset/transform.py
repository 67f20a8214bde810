"""Nodules on the fly: a transform for training loops, in MONAI's dictionary style."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nodegen.constants import GRADES
from nodegen.dataset.dataset_settings import DatasetSettings, RecipeName
from nodegen.dataset.example import make_example
from nodegen.errors import BoxesError, SettingError, StackError
from nodegen.io.boxes import Box, fit_boxes
from nodegen.io.image import to_array
from nodegen.io.radiograph import Radiograph
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.prior import Places, Prior
from nodegen.renderer import Renderer
from nodegen.settings import Settings

# Radiographs whose lungs and places are kept in memory, of each copy of a transform: 260 KB of one
# of 1024 × 1024 px, so half a gigabyte at most in each worker of a loader.
KEPT = 2048
BOX, LABEL, MASK = "box", "label", "mask"  # MONAI's usual keys
NODULE = 0  # the label of what is drawn
Chooser = Callable[[np.ndarray, Places, np.random.Generator], list[Box] | None]


@dataclass(frozen=True)
class ObviousFirst:
    """A curriculum for :class:`AddNodules`: obvious nodules first, at last as real ones are.

    The first of ``epochs`` shows JSRT's most obvious grade alone; the others join one after the
    other, from obvious to extremely subtle. After the last, subtlety is that of real nodules.

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

    In a worker of torch's ``DataLoader`` the random stream follows from ``seed`` and from the
    worker's own seed, which differs for each worker and epoch; ``torch.manual_seed`` repeats it.

    A radiograph may lie upright, `(row, column)`, or on its side, `(column, row)`, as MONAI's
    ``LoadImaged`` and TorchIO read it: its lungs say which, and it comes back as it lay. One
    without a plausible pair of lungs stays without nodules, and a warning names the reason. What
    belongs to a radiograph is found once and kept for later epochs.

    Parameters
    ----------
    key : str
        The radiograph's: an array or tensor of one channel, with or without an axis for it.
    recipe, nodules, prefer_visible, size_mm, signal, boxes, seed : optional
        As of :class:`nodegen.dataset.dataset_settings.DatasetSettings`.
    axes : {"xy", "array"}
        Order of a box's numbers. xy: left, top, right, bottom of the upright radiograph, as
        torchvision reads them, and MONAI's box transforms for what ``LoadImaged`` reads. array: the
        array's first axis first, as those transforms need it for radiographs that lie upright.
    settings : Settings, optional
        How nodules are drawn; noise and blur only where it asks for them.
    places : callable or str, optional
        Boxes in place of drawn ones, such as those that a detector missed: the dictionary's key
        that holds them, `(nodule, 4)` in the order of ``axes``, or a function of (upright pixels,
        :class:`nodegen.lungs.prior.Places`, rng) that returns a list of `Box`. Where there is no
        such key, or the function returns None, they are drawn.
    subtlety : callable, optional
        A curriculum, such as :class:`ObviousFirst`: from the epoch to `Settings.subtlety`.

    Raises
    ------
    SettingError
        Where one of these is not allowed.

    Examples
    --------
    >>> from nodegen.io.stack import read_stack
    >>> from nodegen.settings import SAMPLE
    >>> add = AddNodules(nodules=(2, 2), settings=Settings(method="paste"))
    >>> made = add({"image": read_stack(SAMPLE).pixels[:1]})
    >>> made["image"].shape, made["box"].shape, made["label"].tolist(), made["mask"].shape
    ((1, 1024, 1024), (2, 4), [0, 0], (2, 1024, 1024))
    """

    def __init__(
        self,
        key: str = "image",
        *,
        recipe: RecipeName = "detector",
        nodules: tuple[int, int] | None = None,
        prefer_visible: bool | None = None,
        size_mm: tuple[float, float] | None = None,
        signal: str | None = None,
        boxes: Literal["tight", "given"] = "tight",
        axes: Literal["xy", "array"] = "xy",
        seed: int = 0,
        settings: Settings | None = None,
        places: Chooser | str | None = None,
        subtlety: Callable[[int], str] | None = None,
    ):
        import torch

        if axes not in ("xy", "array"):
            raise SettingError(f"axes is {axes!r}, where 'xy' or 'array' is allowed; choose one.")
        if subtlety is not None and not callable(subtlety):
            raise SettingError(
                f"subtlety is {subtlety!r}, where a function of the epoch is allowed, such as "
                "ObviousFirst(10); give one, or the grade as settings=Settings(subtlety=...)."
            )
        if places is not None and not isinstance(places, str) and not callable(places):
            raise SettingError(
                f"places is {places!r}, where a key or a function is allowed; give one."
            )
        choices: dict[str, Any] = {"nodules": nodules, "size_mm": size_mm, "signal": signal}
        choices["prefer_visible"] = prefer_visible
        self.choices = DatasetSettings(copies=1, recipe=recipe, boxes=boxes, seed=seed, **choices)
        self.key, self.axes, self.places, self.subtlety = key, axes, places, subtlety
        self.renderer = Renderer(settings)
        # In shared memory, so that workers that are kept for several epochs see it as well.
        self._epoch = torch.zeros(1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._rng: np.random.Generator | None = None
        self._stream: list[int] = []
        self._known: dict[bytes, tuple[Places | None, bool]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without what was found in radiographs: copies find their own."""
        return {**self.__dict__, "_known": {}}

    def set_epoch(self, epoch: int) -> None:
        """Say before an epoch which one it is, counted from 0; workers of a loader see it too."""
        self._epoch[0] = epoch

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Draw nodules into a copy of the dictionary; see :meth:`add`."""
        return self.add(data, self._random())

    def add(
        self, data: Mapping[str, Any], rng: np.random.Generator, on_side: bool = False
    ) -> dict[str, Any]:
        """Draw nodules as a call does, with all that is random drawn from ``rng``.

        Parameters
        ----------
        data : mapping
            Holds the radiograph, and may hold ``box``, ``label`` and ``mask``: they are kept, with
            those of drawn nodules behind them, which keep away from the boxes.
        rng : numpy.random.Generator
            It is moved on.
        on_side : bool
            Whether the radiograph is looked at on its side, `(column, row)`, first.

        Returns
        -------
        dict
            ``key`` with nodules, in its own type, shape and metadata; ``box``, float32
            `(nodule, 4)`, px, half-open; ``label``, int64 `(nodule,)`, 0 for what is drawn;
            ``mask``, uint8 `(nodule, *image)`, the box's pixels for one that came without a mask.

        Raises
        ------
        StackError, BoxesError, SettingError
            Where the radiograph, what is said of its nodules, or the dictionary is of another form.
        """
        if not isinstance(data, Mapping):
            raise SettingError(
                f"A {type(data).__name__} is given where a dictionary is wanted; give "
                f"{{{self.key!r}: radiograph}}."
            )
        if self.key not in data:
            raise SettingError(
                f"The dictionary has no {self.key!r}, only "
                f"{', '.join(map(repr, data)) or 'nothing'}; give AddNodules the radiograph's key."
            )
        flat = _flat_pixels(data[self.key])
        places, swapped = self._find(flat, on_side)
        upright = np.ascontiguousarray(flat.T) if swapped else flat
        known = self._boxes_of(data.get(BOX), upright.shape, swapped)
        image, nodules = data[self.key], []
        if places is not None:
            boxes = self._boxes_instead(data, upright, swapped, places, rng)
            low, high = self.choices.per_image
            count = int(rng.integers(low, high + 1)) if boxes is None else len(boxes)
            renderer = self.renderer
            if self.subtlety is not None:
                renderer = renderer.with_subtlety(self.subtlety(int(self._epoch[0])))
            example = make_example(
                Radiograph(upright, None, Path()),
                places,
                count,
                int(rng.integers(2**63)),
                renderer,
                self.choices,
                boxes=boxes,
                beside=known,
            )
            image = _in_form_of(image, example.image.T if swapped else example.image)
            nodules = example.nodules
        corners = [n.tight if self.choices.boxes == "tight" else n.given for n in nodules]
        added = self._turned(np.array(corners, np.float32).reshape(-1, 4), swapped)
        labels = len(added) + (len(known) if data.get(LABEL) is None else 0)
        filled = known if data.get(MASK) is None else []
        masks = np.zeros((len(filled) + len(nodules), *upright.shape), np.uint8)
        for mask, box in zip(masks, filled, strict=False):
            mask[box.top : box.bottom, box.left : box.right] = 1
        for mask, nodule in zip(masks[len(filled) :], nodules, strict=True):
            mask[:] = nodule.mask
        if swapped:
            masks = np.ascontiguousarray(masks.swapaxes(1, 2))
        return {
            **data,
            self.key: image,
            BOX: _extended(data, BOX, added),
            LABEL: _extended(data, LABEL, np.full(labels, NODULE, np.int64)),
            MASK: _extended(data, MASK, masks),
        }

    def _boxes_instead(
        self,
        data: Mapping[str, Any],
        upright: np.ndarray,
        swapped: bool,
        places: Places,
        rng: np.random.Generator,
    ) -> list[Box] | None:
        """Boxes that are given; None where they are drawn."""
        if isinstance(self.places, str):
            corners = data.get(self.places)
            return None if corners is None else self._boxes_of(corners, upright.shape, swapped)
        chosen = self.places and self.places(upright, places, rng)
        return None if chosen is None else fit_boxes(chosen, (1, *upright.shape))

    def _turned(self, boxes: np.ndarray, swapped: bool) -> np.ndarray:
        """Boxes from x, y of the upright radiograph to the order of ``axes``, and back."""
        return boxes[:, [1, 0, 3, 2]] if self.axes == "array" and not swapped else boxes

    def _boxes_of(self, corners: Any, shape: tuple[int, ...], swapped: bool) -> list[Box]:
        """Boxes of the upright radiograph from `(nodule, 4)` numbers in the order of ``axes``."""
        if corners is None:
            return []
        try:
            numbers = np.asarray(corners, float).reshape(-1, 4)
        except (TypeError, ValueError) as error:
            raise BoxesError(
                f"Boxes are given as {type(corners).__name__}, where (nodule, 4) numbers are "
                f"wanted ({error}); give two corners each."
            ) from error
        if not np.isfinite(numbers).all():
            raise BoxesError("A box holds a number that is NaN or infinite; give pixels.")
        turned = self._turned(numbers, swapped)
        return fit_boxes([Box(0, *map(round, box)) for box in turned], (1, *shape))

    def _random(self) -> np.random.Generator:
        """The stream of this process; a new one where a loader has started a new epoch."""
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        key = [self.choices.seed, *([] if worker is None else [int(worker.seed)])]
        if self._rng is None or key != self._stream:
            self._rng, self._stream = np.random.default_rng(key), key
        return self._rng

    def _find(self, flat: np.ndarray, on_side: bool) -> tuple[Places | None, bool]:
        """Where nodules may lie in a radiograph, and whether it lies on its side.

        Kept from an earlier epoch where the same radiograph came: by every fourth pixel, which is
        what places are made of.
        """
        sample = np.ascontiguousarray(flat[::4, ::4])
        digest = blake2b(sample.data, digest_size=16, key=f"{flat.shape} {flat.dtype}".encode())
        key = digest.digest()
        if key not in self._known:
            self._known[key] = _look(flat, on_side)
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return self._known[key]


def _look(flat: np.ndarray, on_side: bool) -> tuple[Places | None, bool]:
    faults = []
    for swapped in (on_side, not on_side):
        upright = np.ascontiguousarray(flat.T) if swapped else flat
        try:
            return Prior.load().places(find_lungs(upright), upright), swapped
        except StackError as error:
            faults.append(str(error))
    warnings.warn(f"A radiograph is left without nodules: {faults[0]}", stacklevel=5)
    return None, False


def _flat_pixels(given: Any) -> np.ndarray:
    """The pixels of an array or tensor of two axes, or of a first one of length 1 and two more."""
    if hasattr(given, "detach"):
        try:
            given = given.detach().cpu().numpy()
        except TypeError as error:
            raise StackError(
                f"The radiograph is a tensor of {given.dtype}, which NumPy does not have; convert "
                "it, by .float() for one."
            ) from error
    if not isinstance(given, np.ndarray):
        raise StackError(
            f"The radiograph is a {type(given).__name__}, where an array or a tensor is wanted; "
            "convert it, by numpy.asarray for one."
        )
    flat = given[0] if given.ndim == 3 and given.shape[0] == 1 else given
    if flat.ndim != 2:
        raise StackError(
            f"The radiograph has the shape {given.shape}, where (row, column) or (1, row, column) "
            "is wanted; give one image of one channel."
        )
    pixels: np.ndarray = to_array(flat)[0]
    return pixels


def _in_form_of(given: Any, made: np.ndarray) -> Any:
    """Pixels in the type, shape, device and metadata of what was given."""
    made = np.ascontiguousarray(made).reshape(given.shape)
    if isinstance(given, np.ndarray):
        return made.astype(given.dtype, copy=False)
    import torch

    pixels = given.detach().clone()  # a tensor of MONAI keeps affine and history
    return pixels.copy_(torch.from_numpy(made))


def _extended(data: Mapping[str, Any], key: str, drawn: np.ndarray) -> Any:
    """What a dictionary holds under a key, with `drawn`, (nodule, ...), behind it in its type."""
    given = data.get(key)
    if given is None:
        return drawn
    try:
        before = given if hasattr(given, "detach") else np.asarray(given)
        if len(given) == 0:
            before = before.reshape(0, *drawn.shape[1:])
        if isinstance(before, np.ndarray):
            return np.concatenate([before, drawn.astype(before.dtype)])
        import torch

        return torch.cat([before, torch.as_tensor(drawn).to(given)])
    except (TypeError, ValueError, RuntimeError) as error:
        form = ", ".join(map(str, ("nodule", *drawn.shape[1:])))
        raise BoxesError(
            f"The dictionary's {key!r} has another form than ({form}), to which drawn nodules are "
            f"added ({error}); bring it to that form."
        ) from error
