"""Recipes: everything that is drawn at random, for each box, before anything is rendered.

A recipe depends on the seed, on the box's slice and corners, and on nothing else: not on the order
of the boxes, the other slices or the number of threads. Rendering only follows it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import RecipeError
from nodegen.io.boxes import Box
from nodegen.schemas import Recipe as Recipe
from nodegen.schemas import RecipesFile, SchemaFault, check

RECIPES = "recipes.json"  # beside the written stack
_BOX, _SLICE, _NOISE = 1, 2, 3  # what a random stream is for; part of its key


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
    pixels : ndarray, shape (slice, row, column)
        The stack, of any pixel type.
    boxes : iterable of Box
        Their order does not count.
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
    recipes = checked.recipes
    seen: set[int] = set()
    for number, recipe in enumerate(recipes):
        if recipe.right <= recipe.left or recipe.bottom <= recipe.top:
            raise RecipeError(
                f"Recipe {number} in {path} has a box from x {recipe.left} to {recipe.right} and y "
                f"{recipe.top} to {recipe.bottom}, which is empty; {_REMEDY}."
            )
        if recipe.index in seen:
            raise RecipeError(
                f"Recipe {number} in {path} has the index {recipe.index} of another one; {_REMEDY}."
            )
        seen.add(recipe.index)
    del header["recipes"]
    return header, recipes


_REMEDY = "take the recipes from a run anew"
