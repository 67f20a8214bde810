"""Boxes and recipes: ``nodules.json`` and ``recipes.json``, the two files beside a stack.

Corners are pixel indices, x the column, y the row, z the slice, whatever origin and spacing are.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodegen.constants import SMALLEST_BOX_PX
from nodegen.errors import BoxesError, RecipeError
from nodegen.io.files import write_text
from nodegen.schemas import KIND, BoxesFile, RecipesFile, read_json
from nodegen.schemas import Box as Box
from nodegen.schemas import Recipe as Recipe

BOXES, RECIPES = "nodules.json", "recipes.json"  # beside the stack
VIEWER_Z = 0.501  # of corners that Grand Challenge's viewer sets in a single image


def read_boxes(path: Path, shape: tuple[int, int, int]) -> list[Box]:
    """Read the boxes of ``nodules.json``, fitted into their stack as :func:`fit_boxes` does.

    Parameters
    ----------
    path : Path
        The file.
    shape : (slices, rows, columns)
        Of the stack.

    Raises
    ------
    BoxesError
        Where the file is missing or malformed, or a box lies wholly outside; the message names it.
    """
    return fit_boxes(given_boxes(path), shape)


def clipped_boxes(path: Path, shape: tuple[int, int, int]) -> list[int]:
    """Which boxes of ``nodules.json`` reach beyond their slice, and so are clipped.

    Takes and raises what :func:`read_boxes` does.
    """
    return [
        box.index
        for box in given_boxes(path)
        if min(box.edges) < 0 or box.right > shape[2] or box.bottom > shape[1]
    ]


def given_boxes(path: Path) -> list[Box]:
    """The boxes of a file as they stand there: their edges may be fractions, and lie outside."""
    _, checked = read_json(BoxesFile, path, BoxesError, "see the README for its form")
    boxes = []
    for index, entry in enumerate(checked.boxes):
        corners = ((*corner, 0.0)[:3] for corner in entry.corners)  # a single image's may lack z
        x, y, z = (list[Any](values) for values in zip(*corners, strict=True))
        z = [0.0 if abs(value - VIEWER_Z) < 1e-3 else value for value in z]
        if max(z) != min(z) or not float(z[0]).is_integer():
            raise BoxesError(
                f"The corners of box {index} have z {', '.join(f'{v:g}' for v in z)} where one "
                "whole number, the index of a slice, is wanted; give all four the same."
            )
        boxes.append(Box(int(z[0]), min(x), min(y), max(x), max(y), index))
    return boxes


def fit_boxes(boxes: Sequence[Box], shape: tuple[int, ...]) -> list[Box]:
    """Fit boxes into a stack: rounded to whole px, clipped to their slices, and numbered in order.

    Parameters
    ----------
    boxes : sequence of Box
        Those below 5 px are grown to it.
    shape : (slices, rows, columns)
        Of the stack.

    Raises
    ------
    BoxesError
        Where one is no box, holds no finite numbers, runs backwards, or lies wholly outside.
    """
    if isinstance(boxes, Box):
        raise BoxesError("One Box is given where a list of them is wanted; put it into brackets.")
    return [_fitted(box, index, shape) for index, box in enumerate(boxes)]


def _fitted(box: Box, index: int, shape: tuple[int, ...]) -> Box:
    try:
        place, *corners = map(float, (box.slice, *box.edges))
    except (AttributeError, TypeError, ValueError) as error:
        raise BoxesError(
            f"Box {index} is {box!r} ({error}); give nodegen.Box(slice, left, top, right, bottom)."
        ) from error
    left, top, right, bottom = corners
    if not all(map(math.isfinite, (place, *corners))) or place % 1:
        raise BoxesError(
            f"Box {index} is {box}, where a whole number for the slice and finite numbers for its "
            "edges are wanted."
        )
    ends = f"x {left:g} to {right:g}, y {top:g} to {bottom:g}"
    if right < left or bottom < top:
        raise BoxesError(
            f"Box {index} runs backwards ({ends}); give left, top, right and bottom, not x, y, "
            "width and height."
        )
    slices, rows, columns = shape
    if not 0 <= place < slices:
        raise BoxesError(
            f"Box {index} lies in slice {place:g} and the stack has {slices}; give a z of 0 to "
            f"{slices - 1}."
        )
    x, y = _span(left, right, columns), _span(top, bottom, rows)
    if x is None or y is None:
        raise BoxesError(
            f"Box {index} ({ends}) lies wholly outside the slice of {columns} x {rows} px; move it "
            "inside."
        )
    return Box(int(place), x[0], y[0], x[1], y[1], index)


def _span(low: float, high: float, length: int) -> tuple[int, int] | None:
    """Half-open px of one axis: rounded, grown to the least size, clipped to 0..length."""
    start, stop = round(low), round(high)
    if stop <= 0 or start >= length:
        return None
    lacking = SMALLEST_BOX_PX - (stop - start)
    if lacking > 0:
        start -= lacking // 2
        stop = start + SMALLEST_BOX_PX
    start, stop = max(start, 0), min(stop, length)
    if stop - start < SMALLEST_BOX_PX:  # clipped too small: grow inwards
        start = max(min(start, length - SMALLEST_BOX_PX), 0)
        stop = min(max(stop, SMALLEST_BOX_PX), length)
    return start, stop


def write_boxes(path: Path, boxes: list[Box]) -> None:
    """Write boxes in the platform's form."""
    entries = []
    for box in boxes:
        x, y = (box.left, box.right), (box.top, box.bottom)
        places = ((0, 0), (1, 0), (1, 1), (0, 1))
        entries.append({"corners": [[x[i], y[k], box.slice] for i, k in places]})
    content = {"type": KIND, "boxes": entries, "version": {"major": 1, "minor": 0}}
    write_text(path, json.dumps(content) + "\n")


def position(box: Box) -> tuple[int, ...]:
    """What boxes are sorted by, so that their order in the file does not matter."""
    return box.slice, box.top, box.left, box.bottom, box.right


# --- recipes -------------------------------------------------------------------------------------

_ANEW = "take the recipes from a run anew"


def recipes_text(header: dict[str, Any], recipes: list[dict[str, Any]]) -> str:
    """Write the text of ``recipes.json``.

    Parameters
    ----------
    header : dict
        Of the run.
    recipes : list of dict
        Their fields, one recipe a line.
    """
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    boxes = ",\n".join(f"    {json.dumps(recipe)}" for recipe in recipes)
    lines.append('  "recipes": [\n' + boxes + ("\n" if boxes else "") + "  ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_recipes(path: Path) -> tuple[dict[str, Any], list[Recipe]]:
    """Read ``recipes.json``.

    Returns
    -------
    header, recipes : dict, list of Recipe
        The header with all that stands there, and the checked recipes.

    Raises
    ------
    RecipeError
        Where the file is missing or malformed, or a box is empty or there twice.
    """
    header, checked = read_json(RecipesFile, path, RecipeError, _ANEW)
    recipes = checked.recipes
    seen: set[int] = set()
    for number, recipe in enumerate(recipes):
        if recipe.right <= recipe.left or recipe.bottom <= recipe.top:
            raise RecipeError(
                f"Recipe {number} in {path} has a box from x {recipe.left} to {recipe.right} and y "
                f"{recipe.top} to {recipe.bottom}, which is empty; {_ANEW}."
            )
        if recipe.index in seen:
            raise RecipeError(
                f"Recipe {number} in {path} has the index {recipe.index} of another one; {_ANEW}."
            )
        seen.add(recipe.index)
    del header["recipes"]
    return header, recipes
