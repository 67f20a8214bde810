"""Recipes: everything that is drawn at random, for each box, before anything is rendered.

A recipe depends on the seed, on the box's slice and corners, and on nothing else: not on the order
of the boxes, the other slices or the number of threads. Rendering only follows it.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.constants import CLASSES, DETECTOR_BLUR_PX, FILL, N0, SCALES, WEIGHT
from nodegen.errors import RecipeError
from nodegen.io.boxes import Box
from nodegen.steps.library import Library

RECIPES = "recipes.json"  # beside the written stack
OTHERS = 2  # nodules drawn besides the first; of them all, the one that fits its box best is taken
_BOX, _SLICE, _NOISE = 1, 2, 3  # what a random stream is for; part of its key


@dataclass(frozen=True)
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
    contrast : float
        What the nodule adds in the middle of its box, in 0..1 of the slice's range; with the
        paper's contrast, the factor on the projection in 0..1.
    noise : int
        Seed of the cascade's noise.
    fill : float
        Side of the visible disc over the box's; 0 with the paper's contrast.
    blur_px : float
        Detector's blur, standard deviation.
    asked : float
        Visibility asked for, see :mod:`nodegen.steps.visibility`; 0 with the paper's contrast.
    got : float
        Visibility of what was drawn, before the finish; 0 until it is drawn.
    flags : str
        Words with blanks between them. ``"limit"``: what was asked is more than any nodule shows;
        ``"white"``: the place is too bright for it; ``"off"``: what was got is more than 15 % off.
    """

    index: int
    slice: int
    left: int
    top: int
    right: int
    bottom: int
    nodule: int
    name: str
    mirror: bool
    turn_deg: float
    signal: str
    n0: int
    weight: float
    contrast: float
    noise: int
    fill: float = 0.0
    blur_px: float = 0.0
    asked: float = 0.0
    got: float = 0.0
    flags: str = ""

    @property
    def box(self) -> Box:
        """The recipe's box."""
        return Box(self.slice, self.left, self.top, self.right, self.bottom, self.index)


@dataclass(frozen=True)
class Draw:
    """The random part of a recipe, before the slice has been looked at."""

    nodule: int
    mirror: bool
    turn_deg: float
    n0: dict[str, int]
    weight: dict[str, float]
    fill: float
    blur_px: float
    noise: int
    others: tuple[int, ...]
    deviate: float
    shares: tuple[float, float]


def seed_of(*parts: bytes | memoryview) -> int:
    """A seed of 63 bits from a hash of the inputs, for runs without ``--seed``."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def seed_of_inputs(pixels: np.ndarray, boxes: Iterable[Box]) -> int:
    """The seed of a run that was given none: a hash of its pixels and boxes."""
    places = repr(sorted(position(box) for box in boxes))
    return seed_of(np.ascontiguousarray(pixels).data, places.encode())


def position(box: Box) -> tuple[int, ...]:
    """What boxes are sorted by, so that their order in the file does not matter."""
    return box.slice, box.top, box.left, box.bottom, box.right


def draw(seed: int, box: Box, occurrence: int, library: Library, paper: bool = False) -> Draw:
    """Draw what is random in ``box``.

    Parameters
    ----------
    occurrence : int
        0 for the first box with these corners in this slice, 1 for its first repetition, …
    paper : bool
        Choose the nodule as the baseline does, without an upper bound on its diameter.
    """
    key = (seed, _BOX, box.slice, box.left, box.top, box.right, box.bottom, occurrence)
    rng = np.random.default_rng(key)
    candidates = (library.candidates if paper else library.alike)(float(box.side))
    return Draw(
        nodule=int(candidates[rng.integers(len(candidates))]),
        mirror=bool(rng.integers(2)),
        turn_deg=round(float(rng.uniform(0.0, 360.0)), 2),
        n0={k: int(rng.integers(N0[k][0], N0[k][1] + 1)) for k in CLASSES},
        weight={k: round(float(rng.uniform(*WEIGHT[k])), 4) for k in CLASSES},
        fill=round(float(rng.uniform(*FILL)), 4),
        blur_px=round(float(rng.uniform(*DETECTOR_BLUR_PX)), 2),
        noise=int(rng.integers(2**63)),
        others=tuple(int(candidates[i]) for i in rng.integers(len(candidates), size=OTHERS)),
        deviate=float(rng.standard_normal()),
        shares=(float(rng.random()), float(rng.random())),
    )


def noise_stream(recipe: Recipe) -> np.random.Generator:
    """The stream of the cascade's noise in one box."""
    return np.random.default_rng((recipe.noise, _NOISE))


def finish_stream(seed: int, slice_: int) -> np.random.Generator:
    """The stream of the finish of one slice."""
    return np.random.default_rng((seed, _SLICE, slice_))


# --- the file -----------------------------------------------------------------------------------


def dump(header: dict[str, Any], recipes: list[Recipe]) -> str:
    """The text of ``recipes.json``: the run's header, then one recipe a line."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    boxes = ",\n".join(f"    {json.dumps(asdict(recipe))}" for recipe in recipes)
    lines.append('  "recipes": [\n' + boxes + ("\n" if boxes else "") + "  ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(path: Path) -> tuple[dict[str, Any], list[Recipe]]:
    """Read ``recipes.json``: the header and the recipes.

    Raises
    ------
    RecipeError
        Where the file is missing, is no JSON, or a recipe lacks a field or has a wrong one.
    """
    try:
        header = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"The recipes {path} cannot be read ({error}); give a recipes.json that a run wrote."
        ) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise RecipeError(
            f"The recipes {path} are not JSON ({error}); give a recipes.json that a run wrote."
        ) from error
    if not isinstance(header, dict) or not isinstance(header.get("recipes"), list):
        raise RecipeError(f'{path} holds no list "recipes"; give a recipes.json that a run wrote.')
    seed = header.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise RecipeError(
            f"{path} holds no seed of 0 or more but {seed!r}; give a recipes.json that a run wrote."
        )
    entries = header.pop("recipes")
    return header, [_recipe(entry, i, path) for i, entry in enumerate(entries)]


_KINDS: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


def _recipe(entry: Any, number: int, path: Path) -> Recipe:
    if not isinstance(entry, dict):
        raise RecipeError(f"Recipe {number} of {path} is not an object; take it from a run anew.")
    for field in fields(Recipe):
        value = entry.get(field.name)
        good = isinstance(value, _KINDS[field.type]) and (
            field.type is bool or not isinstance(value, bool)
        )
        if not good:
            raise RecipeError(
                f'Recipe {number} of {path} has {value!r} as "{field.name}", where '
                f"{field.type.__name__} is wanted; take it from a run anew."  # type: ignore[union-attr]
            )
    recipe = Recipe(**{field.name: entry[field.name] for field in fields(Recipe)})
    sizes = recipe.fill, recipe.blur_px, recipe.contrast, recipe.weight, recipe.turn_deg
    if not all(map(math.isfinite, sizes)) or not 0 <= recipe.fill <= 2 or recipe.blur_px < 0:
        raise RecipeError(
            f"Recipe {number} of {path} has fill {recipe.fill}, blur_px {recipe.blur_px}, contrast "
            f"{recipe.contrast}, weight {recipe.weight} and turn_deg {recipe.turn_deg}, where "
            "finite numbers, a fill of 0 to 2 and a blur not below 0 are allowed; take it from a "
            "run anew."
        )
    if recipe.signal not in CLASSES or not 0 <= recipe.n0 < SCALES or recipe.noise < 0:
        raise RecipeError(
            f"Recipe {number} of {path} has signal {recipe.signal!r}, n0 {recipe.n0} and noise "
            f"{recipe.noise}, where one of {', '.join(CLASSES)}, 0..{SCALES - 1} and a number "
            "not below 0 are allowed; take it from a run anew."
        )
    return recipe
