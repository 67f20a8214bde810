"""Real radiographs with nodules: a folder of images, and a table of boxes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodegen.errors import EvaluationError
from nodegen.evaluation.fidelity.grey_levels import full_range, to_grey_levels
from nodegen.io.box_tables import read_box_table
from nodegen.io.boxes import Box
from nodegen.io.stack import radiographs_in, read_stack
from nodegen.progress import track

UNKNOWN = "unknown"  # the trust of boxes whose file says nothing of it


@dataclass(frozen=True)
class RealRadiograph:
    """A real radiograph with its nodules.

    Attributes
    ----------
    pixels : ndarray, shape (row, column)
        Grey levels of 0..4095.
    boxes : list of Box
    trusts : list of str
        Of each box: where it comes from.
    mm_per_px : float or None
        None where the image does not say (a spacing of 1).
    """

    pixels: np.ndarray
    boxes: list[Box]
    trusts: list[str]
    mm_per_px: float | None


def read_real(folder: Path, boxes: Path, *, progress: bool = True) -> Iterator[RealRadiograph]:
    """Read the radiographs with nodules in a folder, one at a time, in the table's order.

    Parameters
    ----------
    folder : Path
        Holds the images, one a file, of any format, in itself or in folders below it.
    boxes : Path
        See :func:`nodegen.io.box_tables.read_box_table`; of an annotation source the first word
        counts.

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
        stack = read_stack(path)
        pixels = to_grey_levels(stack.pixels, *full_range(stack.pixels))
        spacing = stack.spacing[0] if stack.spacing else 1
        yield RealRadiograph(
            pixels[0],
            row.fitted(pixels.shape[1:]),
            [(box.source.replace(",", " ").split() or [UNKNOWN])[0] for box in row.boxes],
            spacing if spacing != 1 else None,
        )
