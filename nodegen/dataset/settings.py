"""What a user may choose of a training set."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nodegen.constants import CLASSES
from nodegen.errors import SettingError
from nodegen.settings import Settings

SPLITS = ("train", "val", "test")
FORMATS = ("coco", "yolo", "node21", "csv", "monai", "nndetection", "dicom")
BOXES = ("tight", "given")
SPACES = ("drawn", "original")
# Of :mod:`nodegen.synthesis.visibility`. Below, set by eye on sheets of nodules, hardly one is
# found in the enlarged picture by who knows the place.
VISIBILITY = (0.3, 100.0)
# Settings of the rendering that change no pixel here, or are told by the hashes in the recipes.
_NO_MATTER = ("seed", "device", "workers", "model", "library", "intensity")


def derived_seed(seed: int, *parts: object) -> int:
    """A seed of 63 bits for one of many draws, from the seed of all.

    Examples
    --------
    >>> derived_seed(0, "image", 1) == derived_seed(0, "image", 2)
    False
    """
    digest = hashlib.sha256(" ".join(map(str, (seed, *parts))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class DatasetSettings:
    """What a user may choose; `nodegen dataset --help` says what each choice does.

    Attributes
    ----------
    images, copies : int or None
        Images in all, or for each radiograph; one of them.
    nodules : tuple of int
        Fewest and most nodules in an image, each number as likely; 0 leaves an image untouched.
    size_mm : tuple of float or None
        Range of the larger side of a nodule; None: as NODE21's.
    visibility : tuple of float
        Range of a nodule's contrast over the spread of the ground around it; others are drawn
        again.
    signal : {"hyposignal", "hypersignal"} or None
        Class of all nodules; None: decided for each by its place.
    split : tuple of int
        Shares of train, val and test; patients are never parted.
    formats : tuple of str
        Of ``FORMATS``.
    bits : {8, 16}
        Of the images' pixels.
    boxes : {"tight", "given"}
        What annotations hold: the box around what is visible, or the one that was drawn.
    masks, pairs : bool
        Whether a mask for each nodule, and the same image without nodules, are written.
    seed : int
    patient_pattern : str or None
        Regular expression whose first group is the patient in a file's name.
    standardise : bool
        Whether radiographs are brought to NODE21's form first.
    space : {"drawn", "original"}
        What images are given in: as nodules are drawn in them, finished; or the radiographs' own
        grey scale and geometry, changed at the nodules alone, which leaves noise and blur out.
    keep_identity : bool
        Whether DICOM files carry over who the patient is.
    render : Settings
        How nodules are drawn.
    subtlety : tuple of (str, str)
        Split, and the subtlety of its nodules, where it is not that of ``render``.
    """

    images: int | None = None
    copies: int | None = None
    nodules: tuple[int, int] = (1, 3)
    size_mm: tuple[float, float] | None = None
    visibility: tuple[float, float] = VISIBILITY
    signal: str | None = None
    split: tuple[int, int, int] = (80, 10, 10)
    formats: tuple[str, ...] = ("coco",)
    bits: int = 16
    boxes: str = "tight"
    masks: bool = True
    pairs: bool = False
    seed: int = 0
    patient_pattern: str | None = None
    standardise: bool = False
    space: str = "drawn"
    keep_identity: bool = False
    render: Settings = field(default_factory=Settings)
    subtlety: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if (self.images is None) == (self.copies is None):
            raise SettingError("Give either --images or --copies, and not both.")
        for name, value in (("images", self.images), ("copies", self.copies)):
            if value is not None and value < 1:
                raise SettingError(f"--{name} is {value}, where at least 1 is allowed.")
        low, high = self.nodules
        if not 0 <= low <= high:
            raise SettingError(
                f"--nodules is {low}-{high}; give a number or a range such as 0-3, from few to "
                "many."
            )
        if self.size_mm is not None and not 0 < self.size_mm[0] <= self.size_mm[1]:
            raise SettingError(
                f"--size-mm is {self.size_mm[0]:g}-{self.size_mm[1]:g}; give a range such as 6-30, "
                "from small to large."
            )
        if not 0 <= self.visibility[0] < self.visibility[1]:
            raise SettingError(
                f"--visibility is {self.visibility[0]:g}-{self.visibility[1]:g}; give a range such "
                "as 0.5-2, from faint to obvious."
            )
        if min(self.split) < 0 or sum(self.split) <= 0:
            raise SettingError(
                f"--split is {','.join(map(str, self.split))}; give three shares such as 80,10,10."
            )
        for name, given, allowed in (
            ("format", self.formats, FORMATS),
            ("pixels", (self.bits,), (8, 16)),
            ("annotate", (self.boxes,), BOXES),
            ("space", (self.space,), SPACES),
            ("class", (self.signal,), (None, *CLASSES)),
            ("subtlety SPLIT:", [split for split, _ in self.subtlety], SPLITS),
        ):
            unknown = [value for value in given if value not in allowed]
            if unknown:
                raise SettingError(
                    f"--{name} is {unknown[0]!r}, where one of "
                    f"{', '.join(str(value) for value in allowed if value is not None)} is "
                    "allowed; choose one of them."
                )
        for _, grades in self.subtlety:
            replace(self.render, subtlety=grades)  # checked by the settings of rendering
        if not 0 <= self.seed < 2**63:
            raise SettingError(f"--seed is {self.seed}, where 0 to 2^63 - 1 is allowed.")
        if self.space == "original" and self.render.noise_and_blur:
            object.__setattr__(self, "render", replace(self.render, noise_and_blur=False))

    def subtlety_of(self, split: str) -> str:
        """Of the nodules of one split."""
        return dict(self.subtlety).get(split, self.render.subtlety)

    def described(self) -> dict[str, Any]:
        """All choices, as they are kept beside the set; folders of models as their names alone."""
        told = asdict(self)
        render = asdict(self.render)
        told["render"] = {name: render[name] for name in sorted(render) if name not in _NO_MATTER}
        return told
