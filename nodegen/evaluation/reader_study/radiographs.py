"""The radiographs of a study: with real nodules, without any, and with synthetic ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nodegen.errors import StackError
from nodegen.evaluation.fidelity.crop import crop_around
from nodegen.evaluation.synthetic_stacks import read_synthetic_stack
from nodegen.io.box_tables import TableImage, read_box_table
from nodegen.io.boxes import Box
from nodegen.io.stack import READABLE, radiographs_in, read_stack

MIDDLE = 0.375  # its radius, in half sides


@dataclass(frozen=True)
class StudyImage:
    """One radiograph.

    Attributes
    ----------
    pixels : ndarray, shape (row, column)
        In the file's own grey levels.
    group : str
        The folder it came from. Nodules are drawn into radiographs of their real partner's group,
        so that the kind of radiograph gives nothing away.
    boxes : tuple of Box
        Every nodule known in it.
    source : tuple of str
        Of each box: its annotation source, as the table says.
    """

    name: str
    group: str
    pixels: np.ndarray
    spacing: tuple[float, float]
    boxes: tuple[Box, ...] = ()
    source: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Place:
    """A box in a radiograph: a real nodule, a synthetic one, or nothing; ``pixels`` show it.

    ``method`` is how a synthetic one was drawn, or the folder it came from.
    """

    kind: str
    image: StudyImage
    box: Box
    pixels: np.ndarray
    source: str = ""
    seed: int | None = None
    method: str = ""

    @property
    def size(self) -> int:
        """Larger side of the box, px."""
        return max(self.box.width, self.box.height)

    @property
    def zone(self) -> str:
        """Third of the radiograph's height: upper, middle or lower."""
        share = self.box.centre[1] / self.pixels.shape[0]
        return ("upper", "middle", "lower")[min(int(share * 3), 2)]

    @property
    def contrast_to_noise(self) -> float:
        """How far the middle exceeds its surround, in standard deviations of the surround."""
        return contrast_to_noise(self.pixels, self.box)


def contrast_to_noise(pixels: np.ndarray, box: Box) -> float:
    """Mean of a box's middle minus the median around it, over the standard deviation around it."""
    level, spread, middle = surround(pixels, box)
    return (middle - level) / spread if spread else 0.0


def surround(pixels: np.ndarray, box: Box) -> tuple[float, float, float]:
    """Median and standard deviation around a box, and the mean of its middle, grey levels."""
    crop = crop_around(pixels, box)
    around = crop.pixels[crop.surround & (crop.pixels > 0)]
    if not around.size:
        return 0.0, 0.0, 0.0
    middle = crop.pixels[crop.radius < MIDDLE].mean()
    return float(np.median(around)), float(around.std()), float(middle)


def read_radiographs(folder: Path, boxes: Path | None = None) -> list[StudyImage]:
    """Read a folder's radiographs, and those of its folders, with their boxes.

    Parameters
    ----------
    folder : Path
        Each folder below it is a group.
    boxes : Path, optional
        See :func:`nodegen.io.box_tables.read_box_table`. A radiograph that no row names has none.

    Raises
    ------
    StackError
        Where there is no radiograph, or one is a stack of several.
    BoxesError
        Where the table is missing or malformed, or its rows match no radiograph.
    """
    paths = sorted(radiographs_in(folder))
    if not paths:
        raise StackError(
            f"{folder} holds no radiograph ({', '.join(READABLE)}); give a folder of them."
        )
    names = [path.relative_to(folder).as_posix() for path in paths]
    rows = read_box_table(boxes).match(names) if boxes else [None] * len(names)
    return [_read(path, folder, row) for path, row in zip(paths, rows, strict=True)]


def _read(path: Path, folder: Path, row: TableImage | None) -> StudyImage:
    stack = read_stack(path)
    if len(stack.pixels) != 1:
        raise StackError(
            f"{path} is a stack of {len(stack.pixels)} slices where single radiographs are wanted; "
            "write each slice to a file of its own."
        )
    group = path.parent.relative_to(folder).as_posix()
    return StudyImage(
        path.stem,
        folder.name if group == "." else group,
        stack.pixels[0],
        (float(stack.geometry.spacing[0]), float(stack.geometry.spacing[1])),
        tuple(row.fitted(stack.pixels.shape[1:]) if row else ()),
        tuple(box.source for box in row.boxes) if row else (),
    )


def read_synthetic(folder: Path) -> Iterator[StudyImage]:
    """Read a stack and its synthetic nodules from ``recipes.json`` or ``nodules.json``.

    Yields
    ------
    StudyImage
        One a slice that has boxes.
    """
    stack, boxes = read_synthetic_stack(folder)
    x, y, *_ = stack.geometry.spacing
    for number, pixels in enumerate(stack.pixels):
        here = tuple(box for box in boxes if box.slice == number)
        if here:
            yield StudyImage(
                f"{stack.path.stem}/{number}", folder.name, pixels, (float(x), float(y)), here
            )
