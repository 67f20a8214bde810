"""A stack with synthetic nodules, and where they lie."""

from pathlib import Path

from nodegen.io.boxes import BOXES, Box, fit_boxes, read_boxes
from nodegen.io.stack import Stack, find_image, read_stack
from nodegen.synthesis.recipe import RECIPES, load


def read_synthetic_stack(folder: Path) -> tuple[Stack, list[Box]]:
    """Read a stack and its synthetic nodules from ``recipes.json`` or ``nodules.json``.

    Raises
    ------
    StackError
        Where there is no image, or several, or it cannot be read.
    RecipeError, BoxesError
        Where the file of the boxes is missing or malformed.
    """
    stack = read_stack(find_image(folder))
    if (folder / RECIPES).is_file():
        boxes = [recipe.box for recipe in load(folder / RECIPES)[1]]
        return stack, fit_boxes(boxes, stack.pixels.shape)
    return stack, read_boxes(folder / BOXES, stack.pixels.shape)
