"""Real radiographs with nodules: folders of images, and a table of boxes for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodegen.dataset.standardise import standardise
from nodegen.errors import EvaluationError
from nodegen.evaluation.fidelity.grey_levels import full_range, to_grey_levels
from nodegen.io.box_tables import TableImage, read_box_table
from nodegen.io.boxes import Box, fit_boxes
from nodegen.io.radiograph import read_radiographs
from nodegen.io.stack import radiographs_in, read_stack
from nodegen.lungs.fields import Lungs
from nodegen.progress import track

UNKNOWN = "unknown"  # the annotation source of boxes whose table names none
NODE21_SHAPE = (1024, 1024)


@dataclass(frozen=True)
class RealRadiograph:
    """A real radiograph with its nodules.

    Attributes
    ----------
    pixels : ndarray, shape (row, column)
        Grey levels of 0..4095.
    boxes : list of Box
    annotation_sources : list of str
        Of each box: who or what drew it.
    mm_per_px : float or None
        None where the image does not say (a spacing of 1).
    lungs : Lungs or None
        Where they are known from bringing it to NODE21's form.
    """

    pixels: np.ndarray
    boxes: list[Box]
    annotation_sources: list[str]
    mm_per_px: float | None
    lungs: Lungs | None = None


def read_real(
    folder: Path, boxes: Path, *, to_node21: bool = False, progress: bool = True
) -> Iterator[RealRadiograph]:
    """Read the radiographs with nodules in a folder, one at a time, in the table's order.

    Parameters
    ----------
    folder : Path
        Holds the images, one a file, of any format, in itself or in folders below it.
    boxes : Path
        See :func:`nodegen.io.box_tables.read_box_table`; of an annotation source the first word
        counts, and ``-loose`` is added where it says so.
    to_node21 : bool
        Bring the images to NODE21's form, with their boxes, but for those that are in it
        (16 bit, 1024 × 1024 px); any format of radiographs.
    progress : bool
        Show a progress bar.

    Yields
    ------
    RealRadiograph

    Raises
    ------
    EvaluationError
        Where no image has a box.
    StackError, BoxesError
        Where an image or the table cannot be read, rows match no image, or a box lies outside.
    """
    table = read_box_table(boxes)
    paths = sorted(radiographs_in(folder))
    rows = table.match([path.relative_to(folder).as_posix() for path in paths])
    places = {image.name: number for number, image in reversed([*enumerate(table.images)])}
    wanted = sorted(
        ((row, path) for row, path in zip(rows, paths, strict=True) if row and row.boxes),
        key=lambda pair: places[pair[0].name],
    )
    if not wanted:
        raise EvaluationError(f"{boxes} holds no boxes of images in {folder}; give one at least.")
    for row, path in track(wanted, len(wanted), "real nodules", "radiograph", show=progress):
        yield (_standardised if to_node21 else _as_it_is)(row, path)


def _as_it_is(row: TableImage, path: Path) -> RealRadiograph:
    stack = read_stack(path)
    pixels = to_grey_levels(stack.pixels, *full_range(stack.pixels))[0]
    spacing = stack.spacing[0] if stack.spacing else 1
    mm_per_px = spacing if spacing != 1 else None
    return RealRadiograph(pixels, row.fitted(pixels.shape), _sources(row), mm_per_px)


def _standardised(row: TableImage, path: Path) -> RealRadiograph:
    given = next(iter(read_radiographs(path)))
    if given.pixels.shape == NODE21_SHAPE and given.pixels.dtype.itemsize > 1:
        return _as_it_is(row, path)
    made = standardise(given)
    crop, boxes = made.transformation.crop, []
    for box in row.fitted(given.pixels.shape):
        left, top = crop.apply(box.left, box.top)
        right, bottom = crop.apply(box.right, box.bottom)
        boxes.append(Box(0, round(left), round(top), round(right), round(bottom), box.index))
    pixels, spacing = made.radiograph.pixels, made.radiograph.spacing
    return RealRadiograph(
        pixels,
        fit_boxes(boxes, (1, *pixels.shape)),
        _sources(row),
        None if spacing is None else float(spacing[0]),
        made.lungs,
    )


def _sources(row: TableImage) -> list[str]:
    """Short names of the annotation sources of an image's boxes."""
    names = []
    for box in row.boxes:
        words = box.source.replace(",", " ").split() or [UNKNOWN]
        names.append(words[0] + ("-loose" if "loose" in words[1:] else ""))
    return names


def without_repeats(
    boxes: Sequence[Box], sources: Sequence[str], loose: Sequence[str]
) -> list[tuple[Box, str]]:
    """Boxes with their sources, but for loose ones around a nodule that has a tight box as well."""
    tight = [box for box, source in zip(boxes, sources, strict=True) if source not in loose]
    return [
        (box, source)
        for box, source in zip(boxes, sources, strict=True)
        if source not in loose or not any(_contains(box, other) for other in tight)
    ]


def _contains(box: Box, other: Box) -> bool:
    x, y = other.centre
    return box.left <= x <= box.right and box.top <= y <= box.bottom
