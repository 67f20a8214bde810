"""What a user may choose, and the device and the shipped files that follow from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    LiteralString,
    Self,
    get_args,
    get_type_hints,
)

from pydantic import Field, NonNegativeInt, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from nodegen.constants import GRADES, GREY_MAX
from nodegen.errors import SettingError

if TYPE_CHECKING:
    import torch

Method = Literal["singan", "poisson", "paste", "none"]
Intensity = Literal["challenge", "input"]
Device = Literal["auto", "cpu", "cuda"]
AddBack = Literal["grain", "paper"]
Windows = Literal["default", "exact", "full"]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

METHODS: tuple[Method, ...] = get_args(Method)
WINDOWS: tuple[Windows, ...] = get_args(Windows)
CONTRASTS = ("real", "paper")  # or a number or a range

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str, clone: str) -> Path:
    """A folder that nodegen ships: inside an installed package, beside it in a clone or image."""
    places = _PACKAGE / name, _PACKAGE.parent / clone
    return next((folder for folder in places if folder.is_dir()), _PACKAGE)


MODEL = _shipped("model", "model")
# A stack of simulated radiographs, with its boxes beside it.
SAMPLE = _shipped("sample", "test/sample/input") / "phantom.mha"


# --- several values in one word -------------------------------------------------------------------


class _Several(tuple[Any, ...]):
    """Several values, given as a sequence or as text; :func:`check` and the command line read both.

    pydantic, and with it the command line, takes text for one of these classes by :meth:`parse`.
    """

    separator = ","
    wanted: LiteralString
    items: TypeAdapter[tuple[Any, ...]]

    @classmethod
    def parse(cls, given: object) -> Self:
        """Read text, or take a sequence as it is."""
        parts = given.split(cls.separator) if isinstance(given, str) else given
        try:
            return cls(cls.items.validate_python(parts if isinstance(parts, Iterable) else [parts]))
        except ValidationError:
            raise PydanticCustomError("several", cls.wanted) from None

    def __str__(self) -> str:
        return self.separator.join(map(str, self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)


class Range(_Several):
    """Two numbers, the smaller first. As text ``6-30``, or one number for both ends."""

    separator = "-"
    wanted = "a number or a range as 6-30 is allowed, the smaller number first"
    items: TypeAdapter[tuple[Any, ...]] = TypeAdapter(tuple[_Number, ...])

    @classmethod
    def parse(cls, given: object) -> Self:
        """Read ``6-30`` or ``6``, or take two numbers."""
        ends = super().parse(given)
        if len(ends) == 1:
            ends = cls(ends * 2)
        if len(ends) != 2 or ends[0] > ends[1]:
            raise PydanticCustomError("several", cls.wanted)
        return ends

    def __str__(self) -> str:
        return "-".join(f"{end:g}" for end in self)


class IntegerRange(Range):
    """Two whole numbers, the smaller first. As text ``1-3``, or one number for both ends."""

    items = TypeAdapter(tuple[NonNegativeInt, ...])


class Integers(_Several):
    """Whole numbers from 0 on. As text ``80,10,10``."""

    wanted = "whole numbers from 0 on with commas between them are allowed"
    items = TypeAdapter(tuple[NonNegativeInt, ...])


class Words(_Several):
    """Words. As text ``coco,yolo``."""

    wanted = "words with commas between them are allowed"
    items = TypeAdapter(tuple[_Word, ...])


# --- choices --------------------------------------------------------------------------------------


@cache
def _adapters(choices: Any) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(choices, include_extras=True)
    return {field.name: TypeAdapter(hints[field.name]) for field in fields(choices)}


def check(choices: object) -> None:
    """Convert each field of a frozen dataclass to the field's type, in its ``__post_init__``.

    Parameters
    ----------
    choices : object
        An instance of the dataclass, whose types are those that pydantic knows.

    Raises
    ------
    SettingError
        Where a value is none of those that its type allows.
    """
    for name, adapter in _adapters(type(choices)).items():  # type: ignore[arg-type]
        value = getattr(choices, name)
        try:
            object.__setattr__(choices, name, adapter.validate_python(value))
        except ValidationError as error:
            wanted = error.errors()[0]["msg"].replace("Input should", "it should")
            allowed = error.errors()[0].get("ctx", {}).get("expected", "").split("'")
            likely = difflib.get_close_matches(str(value), allowed, n=1)
            question = f"; did you mean {likely[0]}?" if likely else "."
            raise SettingError(f"{name} is {value!r}; {wanted}{question}") from None


@dataclass(frozen=True)
class Settings:
    """What a user may choose of the rendering.

    Attributes
    ----------
    method : str
        How nodules are blended in.
    intensity : str
        Grey levels of the output. challenge: uint8 0..255, each slice by its own minimum and
        maximum; input: pixel type and grey levels of the input.
    noise_and_blur : bool or None
        Whether every slice gets noise, blur and noise, also outside of nodules; if it is not given,
        stacks do, as the challenge has it, and images for training do not.
    seed : int or None
        Of all that is random; if it is not given, a hash of the inputs.
    device : str
        auto: CUDA where there is one.
    workers : int or None
        Slices rendered side by side, which changes no byte; if it is not given, one for each
        processor that may be used.
    model : Path or None
        Folder that holds hyposignal and hypersignal; if it is not given, the cascades that nodegen
        ships.
    library : Path or None
        Nodule library, from `nodegen prepare`; if it is not given, the one that nodegen ships.
    add_back : str
        How the harmonised nodule is added to the untouched slice. grain keeps the radiograph's own
        grain; paper is the weighted mean.
    contrast : str
        real: as far as real nodules stand out; paper: projection and contrast as the paper has
        them; 300 or 200-500: what a nodule adds in its middle, grey levels of 0..4095.
    subtlety : str
        How subtle nodules are. real: as real ones are; one of JSRT's grades: extremely-subtle,
        very-subtle, subtle, relatively-obvious, obvious; or weights as in subtle=2,obvious=1.
    surroundings : bool
        Whether some nodules have strands, spicules, a tail or satellites, as real ones do.
    windows : str
        What the generators compute around a box.
    """

    method: Method = "singan"
    intensity: Intensity = "challenge"
    noise_and_blur: bool | None = None
    seed: Seed | None = None
    device: Device = "auto"
    workers: Annotated[int, Field(ge=1)] | None = None
    model: Path | None = None
    library: Path | None = None
    add_back: AddBack = "grain"
    contrast: str = "real"
    subtlety: str = "real"
    surroundings: bool = True
    windows: Windows = "default"

    def __post_init__(self) -> None:
        check(self)
        _contrast_ends(self.contrast)
        _grades(self.subtlety)
        if self.contrast != "real" and self.subtlety != "real":
            raise SettingError(
                f"contrast is {self.contrast!r} and subtlety is {self.subtlety!r}; both say how "
                "far nodules stand out; leave one of them out."
            )

    @property
    def noise_in_stacks(self) -> bool:
        """Whether stacks get noise and blur: unless these are said to be off."""
        return self.noise_and_blur is not False

    @property
    def contrast_ends(self) -> tuple[float, float] | None:
        """Both ends of ``contrast``, grey levels of 0..4095; None where it is a name."""
        return _contrast_ends(self.contrast)

    @property
    def grades(self) -> dict[str, float] | None:
        """Weight of each grade in ``subtlety``; None where it is ``real``."""
        return _grades(self.subtlety)


def _contrast_ends(text: str) -> tuple[float, float] | None:
    if text in CONTRASTS:
        return None
    try:
        ends = Range.parse(text)
    except PydanticCustomError:
        ends = Range((0.0, 0.0))
    if not 0 < ends[0] <= ends[1] <= GREY_MAX:
        raise SettingError(
            f"contrast is {text!r}, where {', '.join(CONTRASTS)}, a number of grey levels above 0 "
            f"and up to {GREY_MAX}, or a range as in 200-500 is allowed; choose one of them."
        )
    return ends[0], ends[1]


def _grades(text: str) -> dict[str, float] | None:
    if text == "real":
        return None
    parts = [part.partition("=") for part in text.split(",")]
    names = [name.strip().replace(" ", "-") for name, _, _ in parts]
    try:
        weights = Range.items.validate_python([weight or 1 for _, _, weight in parts])
    except ValidationError:
        weights = ()
    if not any(weights) or set(names) - GRADES.keys() or len(set(names)) < len(names):
        raise SettingError(
            f"subtlety is {text!r}, where real, one of {', '.join(GRADES)}, or weights as in "
            "subtle=2,obvious=1 are allowed; choose one of them."
        )
    return dict(zip(names, weights, strict=True))


def choose_device(name: str) -> torch.device:
    """Choose the torch device of `Settings.device`: ``auto``, ``cpu`` or ``cuda``.

    Parameters
    ----------
    name : str
        auto: CUDA where torch finds it.

    Raises
    ------
    SettingError
        Where cuda is asked for and there is none.
    """
    import torch  # not before a device is wanted: `--help` and `import nodegen` stay quick

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            "device is 'cuda', but torch finds no CUDA device here; choose auto or cpu."
        )
    return torch.device(name)


def quick_dtype(device: torch.device) -> torch.dtype:
    """The type in which a device convolves quickest: half precision where it is made for it.

    On a processor with AMX tiles bfloat16 is seven times as fast as float32 (32 channels, one
    thread), without them slower.

    Parameters
    ----------
    device : torch.device
        Where it convolves.
    """
    import torch

    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32
