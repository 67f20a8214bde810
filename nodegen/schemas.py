"""The schemas of the JSON files that people and other programs write: the one place for each.

``nodules.json``, ``recipes.json``, ``library.json`` and ``cascade.json`` are checked by the models
below, field by field: a field's description says what is allowed in it, in the JSON schema and in
the sentence that names what is wrong.

``python -m nodegen.schemas DIR`` writes the JSON schemas into a folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodegen.constants import CLASSES, SCALES

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
    "files": ("file", "an object"),
    "amplitudes": ("amplitude", "a finite number of 0 or more"),
    "margins": ("margin", "a whole number of px, 0 or more"),
}


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


class RecipeEntry(_Model):
    """What is done in one box."""

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
    signal: Literal["hyposignal", "hypersignal"] = Field(description=f"one of {', '.join(CLASSES)}")
    n0: int = Field(ge=0, lt=SCALES, description=f"a whole number of 0 to {SCALES - 1}, a scale")
    weight: float = Field(ge=0, le=1, description="a number of 0 to 1")
    contrast_fraction: float = Field(ge=0, le=10, description="a number of 0 to 10")
    noise: Annotated[int, Field(ge=0, lt=2**64)] = Field(
        description="a whole number of 0 to 2^64 - 1, a seed"
    )
    fill: float = Field(0.0, ge=0, le=2, description="a number of 0 to 2, sides of the box")
    blur_px: float = Field(0.0, ge=0, le=50, description="a number of px, 0 to 50")
    margin_exponent: float = Field(1.0, gt=0, le=4, description="a number above 0 and up to 4")
    visibility_asked: float = Field(0.0, ge=0, description="a number of 0 or more, a visibility")
    visibility: float = Field(0.0, description="a finite number, a visibility")
    paper_contrast_factor: float = Field(0.0, ge=0, le=10, description="a number of 0 to 10")
    flags: list[str] = Field(default=[], description="a list of words for what is noteworthy")


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
    recipes: list[RecipeEntry] = Field(description="a list")


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
        return model.model_validate(content)
    except ValidationError as error:
        raise SchemaFault(_sentence(model, content, path, error)) from None


def _sentence(model: type[_Model], content: Any, path: Path, error: ValidationError) -> str:
    loc = error.errors(include_url=False)[0]["loc"]
    place, wanted, value = "", "another form", content
    listed = ""
    for part in loc:
        if isinstance(part, str):
            field = getattr(model, "model_fields", {}).get(part)
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
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
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
