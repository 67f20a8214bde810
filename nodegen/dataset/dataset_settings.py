"""What a user may choose of a training set."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field

from nodegen.errors import SettingError
from nodegen.settings import IntegerRange, Integers, Range, Seed, Settings, Words, check

SPLITS = ("train", "val", "test")
FORMATS = ("coco", "yolo", "node21", "csv", "monai", "nndetection", "dicom")
# Of :mod:`nodegen.synthesis.visibility`. Below, set by eye on sheets of nodules, hardly one is
# found in the enlarged picture by who knows the place.
VISIBILITY = Range((0.3, 100.0))
# Settings that change no pixel here, or are told by others or by the hashes in the recipes.
_NO_MATTER = {"recipe", "render", "device", "workers", "model", "library", "intensity"}
NONE = "not given"  # an option
# Options of the command whose names are not those of their settings.
OPTIONS = {"bits": "pixels", "boxes": "annotate", "formats": "format", "signal": "class"}
# For a purpose, nodules in an image, and whether more visible ones come more often. detector: four
# instead of one to three gained .054 (.018 to .110) mean sensitivity, more visible ones .029 (.008
# to .054); see docs/utility.md.
RECIPES = {"detector": (IntegerRange((4, 4)), True), "plain": (IntegerRange((1, 3)), False)}
RecipeName = Literal["detector", "plain"]


def derived_seed(seed: int, *parts: object) -> int:
    """A seed of 63 bits for one of many draws, from the seed of all and what the draw is of."""
    digest = hashlib.sha256(" ".join(map(str, (seed, *parts))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class DatasetSettings:
    """What a user may choose of a training set.

    Attributes
    ----------
    images : int or None
        Images in all; give either this or copies.
    copies : int or None
        Images for each radiograph.
    recipe : {"detector", "plain"}
        What is not given of the next two. detector, from which one learns most: --nodules 4
        --prefer-visible; plain: --nodules 1-3 --no-prefer-visible.
    nodules : (int, int) or None
        Nodules in an image, a number or a range, each number as likely; 0 leaves it untouched.
    prefer_visible : bool or None
        Whether nodules are chosen among 2.5 times as many, with chances in proportion to their
        contrast-to-noise ratio.
    size_mm : (float, float) or None
        Range of the larger side; if it is not given, sizes are NODE21's.
    visibility : (float, float)
        Range of a nodule's contrast-to-noise ratio against its surroundings; others are drawn
        again.
    signal : {"hyposignal", "hypersignal"} or None
        Class of all nodules; if it is not given, each one's place decides.
    split : (int, int, int)
        Shares of train, val and test; a patient is never in two of them.
    formats : tuple of str
        Of coco, yolo, node21, csv, monai, nndetection, dicom.
    bits : {8, 16}
        Bits of the images' pixels, whose range the radiograph's window fills: NODE21's 0..4095
        becomes 0..65535 or 0..255. Radiographs of 8 bit stay 8 bit.
    boxes : {"tight", "given"}
        Which boxes annotations hold. tight: around what is visible; given: as placed.
    masks : bool
        Whether each nodule's mask is written, a PNG.
    pairs : bool
        Whether the same images without nodules are written as well.
    standardise : bool
        Whether radiographs are first brought to NODE21's grey scale and crop.
    space : {"drawn", "original"}
        That images are given in. drawn: that of the drawing; original: the radiographs' own grey
        scale and geometry, changed at the nodules alone.
    keep_identity : bool
        Whether DICOM files say who the patient is, as the radiographs do.
    patient_pattern : str or None
        Regular expression whose first group is the patient in a file's name or path; if it is not
        given: DICOM's patient, NIH's names, CheXpert's and MIMIC-CXR's folders, else each file is
        a patient.
    seed : int
        Of all that is random.
    render : Settings
        How nodules are drawn.
    subtlety : tuple of str
        How subtle nodules are, as for `nodegen generate`, in place of that of ``render``; train:,
        val: or test: before it says it of that split, as in train:obvious.
    """

    images: Annotated[int, Field(ge=1)] | None = None
    copies: Annotated[int, Field(ge=1)] | None = None
    recipe: RecipeName = "detector"
    nodules: IntegerRange | None = None
    prefer_visible: bool | None = None
    size_mm: Range | None = None
    visibility: Range = VISIBILITY
    signal: Literal["hyposignal", "hypersignal"] | None = None
    split: Integers = Integers((80, 10, 10))
    formats: Words = Words(("coco",))
    bits: Literal[8, 16] = 16
    boxes: Literal["tight", "given"] = "tight"
    masks: bool = True
    pairs: bool = False
    standardise: bool = False
    space: Literal["drawn", "original"] = "drawn"
    keep_identity: bool = False
    patient_pattern: str | None = None
    seed: Seed = 0
    render: Settings = field(default_factory=Settings)
    subtlety: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(self)
        if self.prefer_visible is None:
            object.__setattr__(self, "prefer_visible", RECIPES[self.recipe][1])
        if (self.images is None) == (self.copies is None):
            raise SettingError("Give either --images or --copies, and not both.")
        if self.size_mm is not None and not self.size_mm[0] > 0:
            raise SettingError(f"--size-mm is {self.size_mm}; give a range above 0, such as 6-30.")
        if self.visibility[0] == self.visibility[1]:
            raise SettingError(
                f"--visibility is {self.visibility}; give a range such as 0.5-2, from faint to "
                "obvious."
            )
        if len(self.split) != 3 or sum(self.split) == 0:
            raise SettingError(f"--split is {self.split}; give three shares such as 80,10,10.")
        given: list[tuple[str, str, tuple[str, ...]]]
        given = [("format", name, FORMATS) for name in self.formats]
        given += [("subtlety SPLIT:", split, SPLITS) for split in self._grades if split]
        for option, value, allowed in given:
            if value not in allowed:
                raise SettingError(
                    f"--{option} is {value!r}, where one of {', '.join(allowed)} is allowed; "
                    "choose one of them."
                )
        for grades in self._grades.values():
            replace(self.render, subtlety=grades)  # checked by the settings of rendering
        if self.space == "original" and self.render.noise_and_blur:
            raise SettingError(
                "--space original changes pixels at nodules alone; leave --noise-and-blur out."
            )

    @property
    def per_image(self) -> IntegerRange:
        """Fewest and most nodules in an image: as given, or the recipe's."""
        return self.nodules or RECIPES[self.recipe][0]

    @property
    def _grades(self) -> dict[str, str]:
        """Subtlety by split; that of the others by an empty name."""
        given = (text.rpartition(":") for text in self.subtlety)
        return {"": self.render.subtlety} | {split: grades for split, _, grades in given}

    def subtlety_of(self, split: str) -> str:
        """Of the nodules of one split."""
        return self._grades.get(split, self._grades[""])

    def empty(self, filled: Collection[str]) -> tuple[str, ...]:
        """Splits that were to have a share, and are not among those that have images."""
        shares = zip(SPLITS, self.split, strict=True)
        return tuple(split for split, share in shares if share and split not in filled)

    def described(self) -> dict[str, str]:
        """All choices that matter as the command's options, as they are kept beside the set."""
        told = asdict(self.render) | asdict(self)
        subtlety = " ".join(":".join(pair).lstrip(":") for pair in self._grades.items())
        told |= {"nodules": self.per_image, "subtlety": subtlety}
        told["noise_and_blur"] = bool(self.render.noise_and_blur)
        texts = {name: NONE if value is None else str(value) for name, value in told.items()}
        names = sorted(told.keys() - _NO_MATTER)
        return {f"--{OPTIONS.get(n, n.replace('_', '-'))}": texts[n] for n in names}
