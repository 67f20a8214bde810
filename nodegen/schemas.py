"""The schemas of the JSON files that people and other programs write, and of those that ship.

The manual shows them as JSON schemas: fields say what they mean and what is allowed in them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from nodegen.constants import CLASSES, SCALES
from nodegen.errors import NodegenError
from nodegen.settings import AddBack, Intensity, Method, Seed, Windows

KIND = "Multiple 2D bounding boxes"
LIBRARY_FORMAT, LIBRARY_VERSION = "nodegen nodule library", 3
CASCADE_FORMAT = "nodegen-cascade-1"

Whole = Annotated[int, Field(ge=0)]
Degrees = Annotated[float, Field(ge=-360, le=360)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Box:
    """A box in half-open pixels, inside its slice.

    Examples
    --------
    >>> box = Box(slice=0, left=10, top=20, right=40, bottom=60)
    >>> box.width, box.height, box.side, box.centre
    (30, 40, 30, (25.0, 40.0))
    """

    slice: int  # of the stack
    left: int  # px
    top: int
    right: int  # the first column beyond it
    bottom: int  # the first row beyond it
    index: int = 0  # its place in the file

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom, px."""
        return self.left, self.top, self.right, self.bottom

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


_STRICT = ConfigDict(strict=True, allow_inf_nan=False)  # "60" is no number


class JsonModel(BaseModel):
    """A part of a JSON file, strictly of its types."""

    model_config = ConfigDict(**_STRICT, extra="allow")  # others may add to these files


class BoxEntry(JsonModel):
    """A box by its corners, in any order."""

    corners: list[Annotated[list[float], Field(min_length=2, max_length=3)]] = Field(
        min_length=4, max_length=4, description="[x, y, z] each, in px and slices"
    )


class BoxesFile(JsonModel):
    """``nodules.json``: the platform's "Multiple 2D bounding boxes"."""

    type: Literal["Multiple 2D bounding boxes"]
    boxes: list[BoxEntry]


@pydantic_dataclass(frozen=True, config=_STRICT)
class Strand:
    """A vessel, spicule or tail that leads away from a nodule."""

    angle_deg: Degrees = Field(description="direction, counter-clockwise from the right")
    root_px: float = Field(ge=0, description="where it begins, from the box's centre")
    length_px: float = Field(gt=0, le=100)
    width_px: float = Field(gt=0, le=50, description="full width at half its height, at its root")
    height: float = Field(ge=0, le=2, description="thickness at its root, over the plateau's")
    bend: float = Field(ge=-1, le=1, description="how far its end lies off, over its length")


@pydantic_dataclass(frozen=True, config=_STRICT)
class Satellite:
    """The nodule once more, small and turned, beside itself."""

    angle_deg: Degrees = Field(description="direction from the box's centre, as of a strand")
    away_px: float = Field(ge=0, description="distance from the box's centre")
    radius_px: float = Field(gt=0, le=100, description="half of its visible disc's side")
    height: float = Field(ge=0, le=2, description="thickness of its plateau, over the nodule's")
    turn_deg: Degrees = Field(default=0.0, description="turn in the plane")


@pydantic_dataclass(frozen=True, config=_STRICT)
class Recipe:
    """What is done in one box; each field's description says what it means."""

    index: int = Field(ge=0, lt=2**32 - 1, description="the box's place in nodules.json")
    slice: Whole = Field(description="of the stack")
    left: Whole = Field(description="first column of the box, px")
    top: Whole = Field(description="first row")
    right: Whole = Field(description="first column beyond the box")
    bottom: Whole = Field(description="first row beyond it")
    nodule: Whole = Field(description="row of the library")
    name: str = Field(description="the nodule's name in the library, to be read by people")
    mirror: bool = Field(description="whether the nodule is mirrored, before it is turned")
    turn_deg: Degrees = Field(description="turn in the plane")
    signal: str = Field(
        pattern=f"^({'|'.join(CLASSES)})$", description="class of the box, and so the cascade"
    )
    n0: int = Field(ge=0, lt=SCALES, description="first scale of the cascade that is used")
    weight: float = Field(ge=0, le=1, description="of the harmonised crop in the add-back")
    contrast_fraction: float = Field(
        ge=0,
        le=10,
        description="what the nodule adds in the mean of its central disc, over the slice's range; "
        "0 with the paper's contrast",
    )
    noise: int = Field(ge=0, lt=2**64, description="seed of the cascade's noise")
    fill: float = Field(
        0.0,
        ge=0,
        le=2,
        description="side of the visible disc over the box's; 0 with the paper's contrast",
    )
    blur_px: float = Field(0.0, ge=0, le=50, description="detector's blur, standard deviation")
    margin_exponent: float = Field(
        1.0, gt=0, le=4, description="on the thickness: below 1 the margin is steeper"
    )
    visibility_asked: float = Field(
        0.0, ge=0, description="see nodegen.synthesis.visibility; 0 with the paper's contrast"
    )
    visibility: float = Field(
        0.0, description="of what was drawn, before noise and blur; 0 until it is drawn"
    )
    paper_contrast_factor: float = Field(
        0.0, ge=0, le=10, description="on the projection in 0..1; 0 with any other contrast"
    )
    lobes: list[Annotated[float, Field(ge=-0.5, le=0.5)]] = Field(
        default_factory=list,
        description="how the outline strays: cosine and sine of 3, 4, ... waves, over its radius",
    )
    strands: list[Strand] = Field(default_factory=list, description="not in the nodule's mask")
    satellites: list[Satellite] = Field(default_factory=list, description="nor are these")
    flags: list[str] = Field(
        default_factory=list, description="what is noteworthy, see nodegen.synthesis.visibility"
    )

    @property
    def box(self) -> Box:
        """The recipe's box."""
        return Box(self.slice, self.left, self.top, self.right, self.bottom, self.index)


class ReplayedSettings(JsonModel):
    """The settings that decide a run's pixels."""

    method: Method | None = None
    intensity: Intensity | None = None
    noise_and_blur: bool | None = None
    add_back: AddBack | None = None
    contrast: str | None = None
    subtlety: str | None = None
    surroundings: bool | None = None
    windows: Windows | None = None


class RecipesFile(JsonModel):
    """``recipes.json``: a run's header and the recipe of each box."""

    seed: Seed
    settings: ReplayedSettings = ReplayedSettings()
    pixels_sha256: Sha256 | None = None
    model_sha256: Sha256 | None = None
    library_sha256: Sha256 | None = None
    run: str | None = Field(None, description="the hash in the mark of the run's images")
    recipes_hash: str | None = Field(None, description="differs where the recipes were edited")
    recipes: list[Recipe]


class LibraryFile(JsonModel):
    """``library.json``: the index of a nodule library."""

    format: Literal["nodegen nodule library"]
    version: Literal[3]
    entries: int = Field(ge=1)
    pixels: int = Field(ge=1)
    samples: int = Field(ge=1)
    nodules_csv_sha256: Sha256


class WeightsEntry(JsonModel):
    """A file of weights."""

    name: str = Field(pattern=r"^[^/\\\x00]+\.safetensors$", description="without a folder")
    sha256: Sha256


class CascadeFile(JsonModel):
    """``cascade.json``: the index of a cascade."""

    format: Literal["nodegen-cascade-1"]
    amplitudes: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=SCALES, max_length=SCALES, description="of the noise, coarse to fine"
    )
    files: list[WeightsEntry] = Field(min_length=1)
    margins: list[Whole] | None = Field(
        None, min_length=SCALES, max_length=SCALES, description="px around a window, by scale"
    )
    card: dict[str, Any] = Field(default_factory=dict, description="of the model")


class LungsFile(JsonModel):
    """``lungs.json``: the index of the network that finds lungs."""

    format: Literal["nodegen-lungs-1"]
    file: str
    sha256: Sha256


_Pair = tuple[float, float]


class PlacesFile(JsonModel):
    """``places.json``: the law of nodules' places and sizes, in px of the mean chest."""

    format: Literal["nodegen-places-1"]
    mean_chest: dict[Literal["right", "left"], tuple[float, float, float, float]] = Field(
        min_length=2
    )
    weights: list[float]
    means: list[_Pair]
    covariances: list[tuple[_Pair, _Pair]]
    log_side: _Pair
    side_limits: _Pair
    log_ratio: float
    hidden: float = 1.0


FILES: dict[str, type[JsonModel]] = {
    "nodules.json": BoxesFile,
    "recipes.json": RecipesFile,
    "library.json": LibraryFile,
    "cascade.json": CascadeFile,
}
_Checked = TypeVar("_Checked", bound=JsonModel)


def read_json(
    model: type[_Checked], path: Path, fault: type[NodegenError], remedy: str
) -> tuple[dict[str, Any], _Checked]:
    """Read a JSON file and check it: its content, and the same as its model has it.

    Raises
    ------
    NodegenError
        ``fault``, where the file is missing, cannot be read, is not JSON, or not of the model: then
        with the place in the file, what stands there and what should. It ends in the remedy.
    """
    try:
        content = json.loads(path.read_bytes())
        # Text again: strict, and yet pydantic takes objects for dataclasses.
        return content, model.model_validate_json(json.dumps(content))
    except FileNotFoundError:
        said = f"There is no {path.name} in {path.parent}"
    except OSError as error:
        said = f"{path} cannot be read ({error.strerror})"
    except ValidationError as error:
        said = _sentence(content, path, error)
    except (ValueError, RecursionError) as error:
        said = f"{path} is not JSON ({error})"
    raise fault(f"{said}; {remedy}.")


def _sentence(content: Any, path: Path, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place, value = "", content
    for part in first["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
        value = value.get(part) if isinstance(value, dict) else value[part]
    where = f"{place.lstrip('.')} in {path}" if place else str(path)
    if first["type"] == "missing":
        return f"{where} is missing"
    said = json.dumps(value)
    said = said if len(said) <= 60 else said[:57] + "..."
    return f"{where} is {said}, and {re.sub('^[A-Z][a-z]+ should', 'should', first['msg'])}"
