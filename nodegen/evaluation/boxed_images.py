"""Radiographs with the boxes of their nodules, real or synthetic, one after the other."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nodegen.dataset.sources import BY_ID, find_patient
from nodegen.dataset.standardise import LungCrop
from nodegen.errors import EvaluationError, StackError
from nodegen.io.box_tables import BoxTable, TableImage
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
    others_unboxed: bool = False  # whether it holds other nodules that have no box
    patient: str = ""  # what stands for the patient; empty where that is not known
    file: tuple[Path, int] = (Path(), 0)  # and its slice in it

    def in_crop(
        self, pixels: np.ndarray, crop: LungCrop, spacing: tuple[float, float] | None = None
    ) -> "BoxedImage":
        """The standardised radiograph, with its boxes; those off the crop are named and left out.

        Parameters
        ----------
        pixels, crop, spacing : ndarray, LungCrop, (float, float) or None
            As :func:`nodegen.dataset.standardise.standardise` gives them.
        """
        kept: dict[Box, str] = {}
        for box, source in zip(self.boxes, self.sources, strict=True):
            if edges := crop.apply_box(box.edges):
                kept[Box(0, *edges, box.index)] = source
            else:
                print(f"left out box {box.index} of {self.name}: off the lungs", file=sys.stderr)
        boxes, sources = tuple(fit_boxes([*kept], (1, *pixels.shape))), tuple(kept.values())
        return replace(self, pixels=pixels, spacing=spacing, boxes=boxes, sources=sources)


def read_real(
    folders: Sequence[Path], tables: Sequence[BoxTable] = (), *, without_nodules: bool = False
) -> Iterator[BoxedImage]:
    """Read the radiographs of folders, of any format, and of those below, sorted by name.

    A radiograph that cannot be read is named on stderr and left out.

    Parameters
    ----------
    folders : sequence of Path
        Each folder below them is a group.
    tables : sequence of BoxTable
        Boxes of their nodules; none: all radiographs, without boxes.
    without_nodules : bool
        Whether those in which the tables have no nodule are read, too.

    Raises
    ------
    StackError, EvaluationError
        Where no radiograph can be read; where none has a box.
    BoxesError
        Where a table's rows match no radiograph, or a box lies outside its own.
    """
    said = ", ".join(map(str, folders))
    slices: list[tuple[Path, int, str]] = []
    roots = dict(find_radiographs([*folders]))
    for path in roots:
        with left_out(str(path)):
            count = count_slices(path)
            slices += [(path, n, f":{n}" if count > 1 else "") for n in range(count)]
    names = [f"{path}{part}" for path, _, part in slices]
    matches = [table.match(names) for table in tables if names]
    wanted: dict[Path, list[tuple[int, str, list[TableImage]]]] = {}
    for place, (path, number, part) in enumerate(slices):
        rows = [row for match in matches if (row := match[place])]
        if without_nodules or not tables or any(row.boxes for row in rows):
            wanted.setdefault(path, []).append((number, part, rows))
    if slices and not wanted:
        listed = ", ".join(str(table.path) for table in tables)
        raise EvaluationError(f"{listed} holds no boxes of images in {said}; give one at least.")
    used = False
    for path in track(wanted, len(wanted), "reading", "radiograph"):
        within = path.relative_to(roots[path])
        with left_out(str(path)):
            stack, patient = read_stack(path), find_patient(path, within.as_posix())
            for number, part, rows in wanted[path]:
                used = True
                yield BoxedImage(
                    bare_name(path.name) + part,
                    within.parent.as_posix() if within.parent.name else roots[path].resolve().name,
                    stack.pixels[number],
                    known_spacing(stack),
                    tuple(box for row in rows for box in row.fitted(stack.pixels.shape[1:])),
                    tuple(box.source for row in rows for box in row.boxes),
                    any(row.others_unboxed for row in rows),
                    patient if patient.startswith(BY_ID) else Path(patient).name + part,
                    (path, number),
                )
    if not used:
        raise StackError(f"None of the radiographs in {said} can be used; see why above.")


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
            yield BoxedImage(name, group, pixels, known_spacing(stack), here, patient=name)
