"""Boxes and recipes: ``nodules.json`` and ``recipes.json``, the two files beside a stack.

``nodules.json`` holds the platform's "Multiple 2D bounding boxes". A box covers the pixels from its
smallest corner up to, not including, its largest. Corners come in any order; x is the column, y the
row, z the slice. The numbers are pixel indices whatever the stack's origin and spacing are, as the
organisers' own code reads them.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodegen.constants import SMALLEST_BOX_PX
from nodegen.errors import BoxesError, RecipeError
from nodegen.io.files import write_text
from nodegen.schemas import KIND, BoxEntry, BoxesFile, RecipesFile, read_json
from nodegen.schemas import Box as Box
from nodegen.schemas import Recipe as Recipe

BOXES, RECIPES = "nodules.json", "recipes.json"  # beside the stack


def read_boxes(path: Path, shape: tuple[int, int, int]) -> list[Box]:
    """Read the boxes of a stack of ``shape`` (slice, row, column).

    Those that stick out are clipped, and those below 5 px are grown.

    Raises
    ------
    BoxesError
        Where the file is missing or malformed, or a box lies wholly outside; the message names it.
    """
    return [
        _fitted(*ends_of(entry.corners, index), index, shape)
        for index, entry in enumerate(read_entries(path))
    ]


def read_entries(path: Path) -> list[BoxEntry]:
    """Read the boxes of ``nodules.json`` as they stand there; see :func:`read_boxes`."""
    return read_json(BoxesFile, path, BoxesError, "see the README for its form")[1].boxes


def clipped_boxes(path: Path, shape: tuple[int, int, int]) -> list[int]:
    """Which boxes of ``nodules.json`` reach beyond their slice, and so are clipped."""
    places = [ends_of(entry.corners, number) for number, entry in enumerate(read_entries(path))]
    return [
        number
        for number, (_, x, y) in enumerate(places)
        if min(*x, *y) < 0 or max(x) > shape[2] or max(y) > shape[1]
    ]


def fit_boxes(boxes: Sequence[Box], shape: tuple[int, ...]) -> list[Box]:
    """Fit boxes into a stack as :func:`read_boxes` does, and number them in their order.

    Raises
    ------
    BoxesError
        Where one is no box, holds no finite numbers, runs backwards, or lies wholly outside.
    """
    if isinstance(boxes, Box):
        raise BoxesError("One Box is given where a list of them is wanted; put it into brackets.")
    return [_checked(box, index, shape) for index, box in enumerate(boxes)]


def _checked(box: Box, index: int, shape: tuple[int, ...]) -> Box:
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
    if right < left or bottom < top:
        raise BoxesError(
            f"Box {index} runs from x {left:g} to {right:g} and from y {top:g} to {bottom:g}; give "
            "left, top, right and bottom, not x, y, width and height."
        )
    return _fitted(int(place), (left, right), (top, bottom), index, shape)


def write_boxes(path: Path, boxes: list[Box]) -> None:
    """Write boxes in the platform's form."""
    entries = []
    for box in boxes:
        x, y = (box.left, box.right), (box.top, box.bottom)
        places = ((0, 0), (1, 0), (1, 1), (0, 1))
        entries.append({"corners": [[x[i], y[k], box.slice] for i, k in places]})
    content = {"type": KIND, "boxes": entries, "version": {"major": 1, "minor": 0}}
    write_text(path, json.dumps(content) + "\n")


def ends_of(
    corners: list[list[float]], index: int
) -> tuple[int, tuple[float, float], tuple[float, float]]:
    """The slice of a box, and its ends along x and y, px; a single image's boxes may lack z."""
    x, y, z = zip(*((*corner, 0.0)[:3] for corner in corners), strict=True)
    if max(z) != min(z) or not float(z[0]).is_integer():
        raise BoxesError(
            f"The corners of box {index} have z {', '.join(f'{v:g}' for v in z)} where one whole "
            "number, the index of a slice, is wanted; give all four the same."
        )
    return int(z[0]), (min(x), max(x)), (min(y), max(y))


def _fitted(
    slice_: int,
    x: tuple[float, float],
    y: tuple[float, float],
    index: int,
    shape: tuple[int, ...],
) -> Box:
    """Round a box, grow it to the least size, clip it to its slice."""
    slices, rows, columns = shape
    if not 0 <= slice_ < slices:
        raise BoxesError(
            f"Box {index} lies in slice {slice_} and the stack has {slices}; give a z of 0 to "
            f"{slices - 1}."
        )
    left, right = _span(*x, columns)
    top, bottom = _span(*y, rows)
    if right <= left or bottom <= top:
        raise BoxesError(
            f"Box {index} (x {x[0]:g} to {x[1]:g}, y {y[0]:g} to {y[1]:g}) lies wholly "
            f"outside the slice of {columns} x {rows} px; move it inside."
        )
    return Box(slice_, left, top, right, bottom, index)


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    """Half-open px of one axis: rounded, grown to the least size, clipped to 0..length."""
    start, stop = round(low), round(high)
    if stop <= 0 or start >= length:
        return 0, 0
    lacking = SMALLEST_BOX_PX - (stop - start)
    if lacking > 0:
        start -= lacking // 2
        stop = start + SMALLEST_BOX_PX
    start, stop = max(start, 0), min(stop, length)
    if stop - start < SMALLEST_BOX_PX:  # clipped too small: grow inwards
        start = max(min(start, length - SMALLEST_BOX_PX), 0)
        stop = min(max(stop, SMALLEST_BOX_PX), length)
    return start, stop


def position(box: Box) -> tuple[int, ...]:
    """What boxes are sorted by, so that their order in the file does not matter."""
    return box.slice, box.top, box.left, box.bottom, box.right


# --- recipes -------------------------------------------------------------------------------------

_ANEW = "take the recipes from a run anew"


def recipes_text(header: dict[str, Any], recipes: list[dict[str, Any]]) -> str:
    """The text of ``recipes.json``: the run's header, then the fields of one recipe a line."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    boxes = ",\n".join(f"    {json.dumps(recipe)}" for recipe in recipes)
    lines.append('  "recipes": [\n' + boxes + ("\n" if boxes else "") + "  ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_recipes(path: Path) -> tuple[dict[str, Any], list[Recipe]]:
    """Read ``recipes.json``: the header and the recipes.

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
