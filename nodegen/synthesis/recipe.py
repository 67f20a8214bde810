"""Recipes: everything that is drawn at random, for each box, before anything is rendered.

A recipe depends on the seed, on the box's slice and corners, and on nothing else: not on the order
of the boxes, the other slices or the number of threads. Rendering only follows it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import RecipeError
from nodegen.io.boxes import Box
from nodegen.schemas import RecipeEntry, RecipesFile, SchemaFault, check

RECIPES = "recipes.json"  # beside the written stack
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
    flags : list of str
        What is noteworthy about the box, to be read by people and sorted by programs; see
        :mod:`nodegen.synthesis.flags`.
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
    contrast_fraction: float
    noise: int
    fill: float = 0.0
    blur_px: float = 0.0
    margin_exponent: float = 1.0
    visibility_asked: float = 0.0
    visibility: float = 0.0
    paper_contrast_factor: float = 0.0
    flags: list[str] = field(default_factory=list)

    @property
    def box(self) -> Box:
        """The recipe's box."""
        return Box(self.slice, self.left, self.top, self.right, self.bottom, self.index)


def hash_of(pixels: np.ndarray) -> Any:
    """The SHA-256 of a stack's pixels as they lie in memory, slice by slice, row by row."""
    digest = hashlib.sha256()
    for slice_ in pixels:
        digest.update(np.ascontiguousarray(slice_).data)
    return digest


def seed_of_inputs(pixels: np.ndarray, boxes: Iterable[Box], digest: Any = None) -> int:
    """The seed of a run that was given none: 63 bits of a hash of its pixels and boxes.

    Parameters
    ----------
    digest : hash, optional
        What :func:`hash_of` gave for ``pixels``; not altered.
    """
    places = repr(sorted(position(box) for box in boxes))
    digest = (hash_of(pixels) if digest is None else digest).copy()
    digest.update(places.encode())
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def position(box: Box) -> tuple[int, ...]:
    """What boxes are sorted by, so that their order in the file does not matter."""
    return box.slice, box.top, box.left, box.bottom, box.right


def box_stream(seed: int, box: Box, occurrence: int) -> np.random.Generator:
    """The stream of what is drawn in a box, the ``occurrence``-th with its corners in its slice."""
    key = (seed, _BOX, box.slice, box.left, box.top, box.right, box.bottom, occurrence)
    return np.random.default_rng(key)


def noise_stream(recipe: Recipe) -> np.random.Generator:
    """The stream of the cascade's noise in one box."""
    return np.random.default_rng((recipe.noise, _NOISE))


def noise_and_blur_stream(seed: int, slice_: int) -> np.random.Generator:
    """The stream of the noise and blur of one slice."""
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
        header = json.loads(path.read_bytes())
    except OSError as error:
        raise RecipeError(
            f"The recipes {path} cannot be read ({error.strerror}); give a recipes.json that a run "
            "wrote."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            f"The recipes {path} are not JSON ({error}); give a recipes.json that a run wrote."
        ) from error
    try:
        checked = check(RecipesFile, header, path)
    except SchemaFault as fault:
        raise RecipeError(f"{fault}; {_REMEDY}.") from None
    recipes = [_recipe(entry, i, path) for i, entry in enumerate(checked.recipes)]
    seen: set[int] = set()
    for number, recipe in enumerate(recipes):
        if recipe.index in seen:
            raise RecipeError(
                f"Recipe {number} in {path} has the index {recipe.index} of another one; {_REMEDY}."
            )
        seen.add(recipe.index)
    del header["recipes"]
    return header, recipes


_REMEDY = "take the recipes from a run anew"


def _recipe(entry: RecipeEntry, number: int, path: Path) -> Recipe:
    if entry.right <= entry.left or entry.bottom <= entry.top:
        raise RecipeError(
            f"Recipe {number} in {path} has a box from x {entry.left} to {entry.right} and y "
            f"{entry.top} to {entry.bottom}, which is empty; {_REMEDY}."
        )
    return Recipe(**{field.name: getattr(entry, field.name) for field in fields(Recipe)})
