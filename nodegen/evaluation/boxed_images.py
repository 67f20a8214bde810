"""Radiographs with the boxes of their nodules, real or synthetic, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nodegen.errors import EvaluationError, StackError
from nodegen.io.box_tables import TableImage, read_box_table
from nodegen.io.boxes import BOXES, RECIPES, Box, fit_boxes, read_boxes, read_recipes
from nodegen.io.radiograph import find_radiographs, left_out
from nodegen.io.stack import Stack, bare_name, count_slices, find_image, read_stack
from nodegen.workers import track


@dataclass(frozen=True)
class BoxedImage:
    """One radiograph and the nodules that are known in it."""

    name: str  # the file's, without its suffix; ``:NUMBER`` behind it names a slice of a stack
    group: str  # the folder that it came from
    pixels: np.ndarray  # (row, column), in the file's own grey levels
    spacing: tuple[float, float] | None = None  # x and y, mm; None where the file says none, or 1
    boxes: tuple[Box, ...] = ()  # every nodule known in it, of slice 0
    # Of each box: its annotation source, as the table says. Of synthetic ones there are none.
    sources: tuple[str, ...] = field(default=(), compare=False)


def read_real(folder: Path, boxes: Path | None = None) -> Iterator[BoxedImage]:
    """Read a folder's radiographs of any format, and those of its folders, sorted by name.

    A radiograph that cannot be read is named on stderr and left out.

    Parameters
    ----------
    folder : Path
        Each folder below it is a group.
    boxes : Path, optional
        See :func:`nodegen.io.box_tables.read_box_table`; radiographs without a nodule in it are
        left out. None: all, without boxes.

    Raises
    ------
    StackError, EvaluationError
        Where no radiograph can be read; where none has a box.
    BoxesError
        Where the table is malformed, its rows match no radiograph, or a box lies outside its own.
    """
    roots = dict(find_radiographs([folder]))
    slices: list[tuple[Path, int, str]] = []
    for path, root in roots.items():
        name = path.relative_to(root).as_posix()
        with left_out(name):
            count = count_slices(path)
            slices += [(path, n, f":{n}" if count > 1 else "") for n in range(count)]
    names = [path.relative_to(roots[path]).as_posix() + part for path, _, part in slices]
    found = read_box_table(boxes).match(names) if boxes else [TableImage("")] * len(slices)
    wanted: dict[Path, list[tuple[int, str, TableImage]]] = {}
    for (path, number, part), row in zip(slices, found, strict=True):
        if row and (row.boxes or boxes is None):
            wanted.setdefault(path, []).append((number, part, row))
    if boxes and not wanted:
        raise EvaluationError(f"{boxes} holds no boxes of images in {folder}; give one at least.")
    used = False
    for path in track(wanted, len(wanted), "reading", "radiograph"):
        group = path.parent.relative_to(roots[path]).as_posix()
        with left_out(path.name):
            stack = read_stack(path)
            for number, part, row in wanted[path]:
                used = True
                yield BoxedImage(
                    bare_name(path.name) + part,
                    roots[path].resolve().name if group == "." else group,
                    stack.pixels[number],
                    known_spacing(stack),
                    tuple(row.fitted(stack.pixels.shape[1:])),
                    tuple(box.source for box in row.boxes),
                )
    if not used:
        raise StackError(f"None of the radiographs in {folder} can be used; see why above.")


def known_spacing(stack: Stack) -> tuple[float, float] | None:
    """Size of a stack's pixels (x, y), mm; None where the file says none, or 1."""
    return None if stack.spacing is None or set(stack.spacing) == {1} else stack.spacing


def read_synthetic(folder: Path) -> Iterator[BoxedImage]:
    """Read those slices of a folder's stack that have boxes.

    Parameters
    ----------
    folder : Path
        With one image, and ``recipes.json`` or ``nodules.json``; its name is the group's.

    Raises
    ------
    StackError
        Where there is no image, or several, or it cannot be read.
    RecipeError, BoxesError
        Where ``recipes.json`` or, without it, ``nodules.json`` is missing or malformed.
    """
    stack = read_stack(find_image(folder))
    if (folder / RECIPES).is_file():
        drawn = [recipe.box for recipe in read_recipes(folder / RECIPES)[1]]
        boxes = fit_boxes(drawn, stack.pixels.shape)
    else:
        boxes = read_boxes(folder / BOXES, stack.pixels.shape)
    for number, pixels in enumerate(stack.pixels):
        here = tuple(box for box in boxes if box.slice == number)
        if here:
            name, group = f"{stack.path.stem}/{number}", folder.resolve().name
            yield BoxedImage(name, group, pixels, known_spacing(stack), here)
