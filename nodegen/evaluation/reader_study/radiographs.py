"""The films of a study: radiographs with real nodules, without any, and with synthetic ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nodegen.errors import StackError
from nodegen.evaluation.synthetic_stacks import read_synthetic_stack
from nodegen.io.box_tables import TableImage, read_box_table
from nodegen.io.boxes import Box
from nodegen.io.stack import READABLE, radiographs_in, read_stack

INNER, SURROUND = 0.375, (1.3, 2.0)  # radii in half sides: the middle, and what lies around


@dataclass(frozen=True)
class Film:
    """One radiograph.

    Attributes
    ----------
    pixels : ndarray, shape (row, column)
        In the file's own grey levels.
    group : str
        The folder it came from; nodules are drawn into films of their real partner's group, so that
        the kind of film gives nothing away.
    boxes : tuple of Box
        Every nodule known in it.
    trust : tuple of str
        Of each box: its annotation source, as the table says.
    """

    name: str
    group: str
    pixels: np.ndarray
    spacing: tuple[float, float]
    boxes: tuple[Box, ...] = ()
    trust: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Place:
    """A box in a film: a real nodule, a synthetic one, or nothing; ``pixels`` show it.

    ``method`` is how a synthetic one was drawn, or the folder it came from.
    """

    kind: str
    film: Film
    box: Box
    pixels: np.ndarray
    trust: str = ""
    seed: int | None = None
    method: str = ""

    @property
    def size(self) -> int:
        """Larger side of the box, px."""
        return max(self.box.width, self.box.height)

    @property
    def zone(self) -> str:
        """Third of the film's height: upper, middle or lower."""
        share = self.box.centre[1] / self.pixels.shape[0]
        return ("upper", "middle", "lower")[min(int(share * 3), 2)]

    @property
    def subtlety(self) -> float:
        """How far the middle stands out of its surround, in standard deviations of the surround."""
        return contrast_to_noise(self.pixels, self.box)


def contrast_to_noise(pixels: np.ndarray, box: Box) -> float:
    """Mean of a box's middle minus the median around it, over the standard deviation around it."""
    level, spread, middle = surround(pixels, box)
    return (middle - level) / spread if spread else 0.0


def surround(pixels: np.ndarray, box: Box) -> tuple[float, float, float]:
    """Median and standard deviation around a box, and the mean of its middle, grey levels."""
    x, y = box.centre
    reach_x, reach_y = (SURROUND[1] * side / 2 for side in (box.width, box.height))
    top, left = max(int(y - reach_y), 0), max(int(x - reach_x), 0)
    part = pixels[top : int(y + reach_y) + 1, left : int(x + reach_x) + 1].astype(np.float64)
    rows, columns = np.indices(part.shape) + 0.5
    radius = np.hypot((columns + left - x) * 2 / box.width, (rows + top - y) * 2 / box.height)
    around = part[(radius >= SURROUND[0]) & (radius <= SURROUND[1]) & (part > 0)]
    if not around.size:
        return 0.0, 0.0, 0.0
    return float(np.median(around)), float(around.std()), float(part[radius < INNER].mean())


def read_films(folder: Path, boxes: Path | None = None) -> list[Film]:
    """Read a folder's radiographs, and those of its folders, with their boxes.

    Parameters
    ----------
    boxes : Path, optional
        See :func:`nodegen.io.box_tables.read_box_table`. A film that no row names has none.

    Raises
    ------
    StackError
        Where there is no radiograph, or one is a stack of several.
    BoxesError
        Where the table is missing or malformed, or its rows match no film.
    """
    paths = sorted(radiographs_in(folder))
    if not paths:
        raise StackError(
            f"{folder} holds no radiograph ({', '.join(READABLE)}); give a folder of them."
        )
    names = [path.relative_to(folder).as_posix() for path in paths]
    rows = read_box_table(boxes).match(names) if boxes else [None] * len(names)
    return [_read_film(path, folder, row) for path, row in zip(paths, rows, strict=True)]


def _read_film(path: Path, folder: Path, row: TableImage | None) -> Film:
    stack = read_stack(path)
    if len(stack.pixels) != 1:
        raise StackError(
            f"{path} is a stack of {len(stack.pixels)} slices where single radiographs are wanted; "
            "write each slice to a file of its own."
        )
    group = path.parent.relative_to(folder).as_posix()
    return Film(
        path.stem,
        folder.name if group == "." else group,
        stack.pixels[0],
        (float(stack.geometry.spacing[0]), float(stack.geometry.spacing[1])),
        tuple(row.fitted(stack.pixels.shape[1:]) if row else ()),
        tuple(box.source for box in row.boxes) if row else (),
    )


def read_synthetic(folder: Path) -> Iterator[Film]:
    """Read a stack and its synthetic nodules from ``recipes.json`` or ``nodules.json``.

    Yields
    ------
    Film
        One a slice that has boxes.
    """
    stack, boxes = read_synthetic_stack(folder)
    x, y, *_ = stack.geometry.spacing
    for number, pixels in enumerate(stack.pixels):
        here = tuple(box for box in boxes if box.slice == number)
        if here:
            yield Film(
                f"{stack.path.stem}/{number}", folder.name, pixels, (float(x), float(y)), here
            )
