"""The schemas of the JSON files that people and other programs write: the one place for each.

``nodules.json``, ``recipes.json``, ``library.json`` and ``cascade.json`` are checked by the models
below, field by field: a field's description says what is allowed in it, in the JSON schema and in
the sentence that names what is wrong.

``python -m nodegen.schemas DIR`` writes the JSON schemas into a folder.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.dataclasses import is_pydantic_dataclass

from nodegen.constants import CLASSES, SCALES

_SIGNALS = f"one of {', '.join(CLASSES)}"
KIND = "Multiple 2D bounding boxes"
LIBRARY_FORMAT, LIBRARY_VERSION = "nodegen nodule library", 3
CASCADE_FORMAT = "nodegen-cascade-1"


Whole = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Items of a list: what one of them is called, and what is allowed in it.
_ITEMS = {
    "boxes": ("box", "an object"),
    "corners": ("corner", "[x, y, z] in finite numbers"),
    "recipes": ("recipe", "an object"),
    "flags": ("flag", "text"),
    "lobes": ("lobe", "a number of -0.5 to 0.5"),
    "strands": ("strand", "an object"),
    "satellites": ("satellite", "an object"),
    "files": ("file", "an object"),
    "amplitudes": ("amplitude", "a finite number of 0 or more"),
    "margins": ("margin", "a whole number of px, 0 or more"),
}


@dataclass(frozen=True)
class Box:
    """A box in half-open pixels, inside its slice.

    Attributes
    ----------
    slice : int
        Of the stack.
    left, top, right, bottom : int
        px; ``right`` and ``bottom`` are the first beyond it.
    index : int
        Its place in the file.

    Examples
    --------
    >>> box = Box(slice=0, left=10, top=20, right=40, bottom=60)
    >>> box.width, box.height, box.side, box.centre
    (30, 40, 30, (25.0, 40.0))
    """

    slice: int
    left: int
    top: int
    right: int
    bottom: int
    index: int = 0

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.bottom - self.top

    @property
    def side(self) -> int:
        """The smaller of width and height, px."""
        return min(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y), in px from the slice's top left edge."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def gap(self, other: Box) -> int:
        """Pixels between two boxes of one slice, along x or y; below 0 where they overlap.

        Examples
        --------
        >>> Box(0, 0, 0, 10, 10).gap(Box(0, 15, 2, 20, 8))
        5
        """
        return max(
            self.left - other.right,
            other.left - self.right,
            self.top - other.bottom,
            other.top - self.bottom,
        )


class _Model(BaseModel):
    # Strict: "60" is no number. What is not known is kept: others may add to these files.
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class BoxEntry(_Model):
    """A box by its corners, in any order."""

    corners: list[Annotated[list[float], Field(min_length=2, max_length=3)]] = Field(
        min_length=4, max_length=4, description="a list of 4 corners [x, y, z], in px and slices"
    )


class BoxesFile(_Model):
    """``nodules.json``: the platform's "Multiple 2D bounding boxes"."""

    type: Literal["Multiple 2D bounding boxes"] = Field(description=f'"{KIND}"')
    boxes: list[BoxEntry] = Field(description="a list")


@pydantic_dataclass(frozen=True, config=ConfigDict(strict=True, allow_inf_nan=False))
class Strand:
    """A vessel, spicule or tail that leads away from a nodule.

    Attributes
    ----------
    angle_deg : float
        Its direction, counter-clockwise as displayed from the right.
    root_px, length_px : float
        Where it begins, from the box's centre, and how long it is.
    width_px : float
        Full width at half its height, at its root.
    height : float
        Its thickness at its root, over that of the nodule's plateau.
    bend : float
        How far its end lies off its first direction, over its length.
    """

    angle_deg: float = Field(ge=-360, le=360, description="a number of degrees, -360 to 360")
    root_px: float = Field(ge=0, description="a number of px, 0 or more")
    length_px: float = Field(gt=0, le=100, description="a number of px above 0 and up to 100")
    width_px: float = Field(gt=0, le=50, description="a number of px above 0 and up to 50")
    height: float = Field(ge=0, le=2, description="a number of 0 to 2, plateaus")
    bend: float = Field(ge=-1, le=1, description="a number of -1 to 1")


@pydantic_dataclass(frozen=True, config=ConfigDict(strict=True, allow_inf_nan=False))
class Satellite:
    """A small ball beside a nodule.

    Attributes
    ----------
    angle_deg : float
        Its direction from the box's centre, as that of a strand.
    away_px : float
        Its distance from there.
    radius_px : float
        Its own.
    height : float
        Its thickness in its middle, over that of the nodule's plateau.
    """

    angle_deg: float = Field(ge=-360, le=360, description="a number of degrees, -360 to 360")
    away_px: float = Field(ge=0, description="a number of px, 0 or more")
    radius_px: float = Field(gt=0, le=100, description="a number of px above 0 and up to 100")
    height: float = Field(ge=0, le=2, description="a number of 0 to 2, plateaus")


@pydantic_dataclass(frozen=True, config=ConfigDict(strict=True, allow_inf_nan=False))
class Recipe:
    """What is done in one box.

    Attributes
    ----------
    index : int
        The box's place in ``nodules.json``.
    slice : int
        Of the stack.
    left, top, right, bottom : int
        The box, half-open, px.
    nodule : int
        Row of the library.
    name : str
        The nodule's name there, to be read by people.
    mirror : bool
        Whether the nodule is mirrored, before it is turned.
    turn_deg : float
        Turn in the plane.
    signal : {"hyposignal", "hypersignal"}
        Class of the box, and so the cascade.
    n0 : int
        First scale of the cascade that is used.
    weight : float
        Of the harmonised crop in the add-back.
    contrast_fraction : float
        What the nodule adds in its central disc, in the mean, in 0..1 of the slice's range; 0 with
        the paper's contrast.
    noise : int
        Seed of the cascade's noise.
    fill : float
        Side of the visible disc over the box's; 0 with the paper's contrast.
    blur_px : float
        Detector's blur, standard deviation.
    margin_exponent : float
        On the thickness, 1 at its plateau: below 1 its margin is steeper.
    visibility_asked : float
        Visibility asked for, see :mod:`nodegen.synthesis.visibility`; 0 with the paper's contrast.
    visibility : float
        Visibility of what was drawn, before noise and blur; 0 until it is drawn.
    paper_contrast_factor : float
        The paper's contrast, a factor on the projection in 0..1; 0 with any other contrast.
    lobes : list of float
        How the nodule's outline strays from its own: cosine and sine of 3, 4, … waves around it,
        over its radius.
    strands : list of Strand
        Vessels, spicules and a tail that lead away from the nodule; not in its mask.
    satellites : list of Satellite
        Small balls beside the nodule; not in its mask.
    flags : list of str
        What is noteworthy about the box, to be read by people and sorted by programs; see
        :mod:`nodegen.synthesis.visibility`.
    """

    index: Annotated[int, Field(ge=0, lt=2**32 - 1)] = Field(
        description="a whole number of 0 or more, the box's place in nodules.json"
    )
    slice: Whole = Field(description="a whole number of 0 or more, the slice of the stack")
    left: Whole = Field(description="a whole number of px, 0 or more")
    top: Whole = Field(description="a whole number of px, 0 or more")
    right: Whole = Field(description="a whole number of px, beyond left")
    bottom: Whole = Field(description="a whole number of px, beyond top")
    nodule: Whole = Field(description="a whole number of 0 or more, the row of the library")
    name: str = Field(description="text, the nodule's name in the library")
    mirror: bool = Field(description="true or false")
    turn_deg: float = Field(ge=-360, le=360, description="a number of degrees, -360 to 360")
    signal: str = Field(pattern=f"^({'|'.join(CLASSES)})$", description=_SIGNALS)
    n0: int = Field(ge=0, lt=SCALES, description=f"a whole number of 0 to {SCALES - 1}, a scale")
    weight: float = Field(ge=0, le=1, description="a number of 0 to 1")
    contrast_fraction: float = Field(ge=0, le=10, description="a number of 0 to 10")
    noise: Annotated[int, Field(ge=0, lt=2**64)] = Field(
        description="a whole number of 0 to 2^64 - 1, a seed"
    )
    fill: float = Field(default=0.0, ge=0, le=2, description="a number of 0 to 2, sides of the box")
    blur_px: float = Field(default=0.0, ge=0, le=50, description="a number of px, 0 to 50")
    margin_exponent: float = Field(
        default=1.0, gt=0, le=4, description="a number above 0 and up to 4"
    )
    visibility_asked: float = Field(
        default=0.0, ge=0, description="a number of 0 or more, a visibility"
    )
    visibility: float = Field(default=0.0, description="a finite number, a visibility")
    paper_contrast_factor: float = Field(
        default=0.0, ge=0, le=10, description="a number of 0 to 10"
    )
    lobes: list[Annotated[float, Field(ge=-0.5, le=0.5)]] = Field(
        default_factory=list, description="a list of numbers of -0.5 to 0.5"
    )
    strands: list[Strand] = Field(default_factory=list, description="a list of strands")
    satellites: list[Satellite] = Field(default_factory=list, description="a list of satellites")
    flags: list[str] = Field(
        default_factory=list, description="a list of words for what is noteworthy"
    )

    @property
    def box(self) -> Box:
        """The recipe's box."""
        return Box(self.slice, self.left, self.top, self.right, self.bottom, self.index)


class RecipesFile(_Model):
    """``recipes.json``: a run's header and the recipe of each box."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        description="a whole number of 0 to 2^63 - 1"
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="an object, the settings that decide the run's pixels"
    )
    pixels_sha256: Sha256 | None = Field(None, description="64 hexadecimal digits")
    model_sha256: Sha256 | None = Field(None, description="64 hexadecimal digits")
    library_sha256: Sha256 | None = Field(None, description="64 hexadecimal digits")
    run: str | None = Field(None, description="text, the hash in the mark of the run's images")
    recipes_hash: str | None = Field(
        None, description="text, a hash of the recipes, which differs where they were edited"
    )
    recipes: list[Recipe] = Field(description="a list")


class LibraryFile(_Model):
    """``library.json``: the index of a nodule library."""

    format: Literal["nodegen nodule library"] = Field(description=f'"{LIBRARY_FORMAT}"')
    version: Literal[3] = Field(description=str(LIBRARY_VERSION))
    entries: int = Field(ge=1, description="a whole number from 1 on")
    pixels: int = Field(ge=1, description="a whole number from 1 on")
    samples: int = Field(ge=1, description="a whole number from 1 on")
    nodules_csv_sha256: Sha256 = Field(description="64 hexadecimal digits")


class WeightsEntry(_Model):
    """A file of weights."""

    name: str = Field(
        pattern=r"^[^/\\\x00]+\.safetensors$", description="a file's name, without a folder"
    )
    sha256: Sha256 = Field(description="64 hexadecimal digits")


class CascadeFile(_Model):
    """``cascade.json``: the index of a cascade."""

    format: Literal["nodegen-cascade-1"] = Field(description=f'"{CASCADE_FORMAT}"')
    amplitudes: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=SCALES, max_length=SCALES, description=f"a list of {SCALES} numbers"
    )
    files: list[WeightsEntry] = Field(min_length=1, description="a list of files, not empty")
    margins: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, min_length=SCALES, max_length=SCALES, description=f"a list of {SCALES} numbers of px"
    )
    card: dict[str, Any] = Field(default_factory=dict, description="an object")


FILES: dict[str, type[_Model]] = {
    "nodules.json": BoxesFile,
    "recipes.json": RecipesFile,
    "library.json": LibraryFile,
    "cascade.json": CascadeFile,
}
_Checked = TypeVar("_Checked", bound=_Model)


class SchemaFault(ValueError):
    """A file is not of its schema; the message says what was given and what is wanted."""


def read_json(model: type[_Checked], path: Path) -> tuple[dict[str, Any], _Checked]:
    """Read a JSON file and check it.

    Returns
    -------
    content : dict
        As it stands in the file.
    checked : BaseModel
        The same as its model has it.

    Raises
    ------
    SchemaFault
        Where it is missing, cannot be read, is not JSON, or as :func:`check`; without a remedy.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SchemaFault(f"There is no {path.name} in {path.parent}") from None
    except OSError as error:
        raise SchemaFault(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise SchemaFault(f"{path} is not JSON ({error})") from None
    return content, check(model, content, path)


def check(model: type[_Checked], content: Any, path: Path) -> _Checked:
    """Check what was read from a JSON file.

    Raises
    ------
    SchemaFault
        With the place in the file, what stands there and what is wanted, without a remedy.
    """
    if not isinstance(content, dict):
        raise SchemaFault(f"{path} holds {_said(content)} where an object is wanted")
    try:
        return model.model_validate_json(json.dumps(content))  # strict, yet objects for dataclasses
    except ValidationError as error:
        raise SchemaFault(_sentence(model, content, path, error)) from None


def _sentence(model: type[_Model], content: Any, path: Path, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    loc = first["loc"]
    if not loc:
        return f"{path} holds what JSON does not allow ({first['msg']})"
    place, wanted, value = "", "another form", content
    listed = ""
    for part in loc:
        if isinstance(part, str):
            field = getattr(model, "__pydantic_fields__", {}).get(part)
            if field is None:
                break
            place = f'"{part}"' + (f" of {place}" if place else "")
            wanted, listed = field.description or wanted, part
            value = value.get(part, _MISSING)
            model = _inner(field.annotation)
        elif listed in _ITEMS:
            name, wanted = _ITEMS[listed]
            around = place.partition(" of ")[2]
            place = f"{name} {part}" + (f" of {around}" if around else "")
            value, listed = value[part], ""
        else:
            break  # a number within a corner: the corner is named
    place = place[0].upper() + place[1:]
    return f"{place} in {path} is {_said(value)} where {wanted} is wanted"


_MISSING = object()


def _inner(annotation: Any) -> Any:
    """The model within a field's type."""
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or is_pydantic_dataclass(annotation)
    ):
        return annotation
    inner = (_inner(each) for each in getattr(annotation, "__args__", ()))
    return next((each for each in inner if each is not None), None)


def _said(value: Any) -> str:
    if value is _MISSING:
        return "missing"
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value)
    if isinstance(value, list) and (len(text) > 60 or any(isinstance(v, list) for v in value)):
        return f"a list of {len(value)}"
    return text if len(text) <= 60 else text[:57] + "..."


def main(arguments: list[str]) -> int:
    """Write the JSON schema of each file into a folder, as ``NAME.schema.json``."""
    if len(arguments) != 1:
        print("usage: python -m nodegen.schemas DIR", file=sys.stderr)
        return 2
    Path(arguments[0]).mkdir(parents=True, exist_ok=True)
    for name, model in FILES.items():
        schema = model.model_json_schema()
        path = Path(arguments[0]) / name.replace(".json", ".schema.json")
        path.write_text(json.dumps(schema, indent=2) + "\n")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
