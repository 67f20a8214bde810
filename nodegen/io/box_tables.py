"""Boxes of many images, as a table has them, and which of the images given each row means."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from nodegen.errors import BoxesError
from nodegen.io.boxes import Box, fit_boxes

IMAGE_SUFFIX = re.compile(r"\.(mha|mhd|tiff?|png|jpe?g|dcm|dicom|ima|bmp|nii(\.gz)?)$", re.I)
ASPECT = 0.02  # relative difference of the two scales above which an image is no scaled copy
LISTED = 4  # names that a message lists

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableBox:
    """A nodule's box in a table, px of the image as the table has it; x is the column."""

    x: float
    y: float
    width: float
    height: float
    source: str = ""  # who or what drew it: column trust, annotation_source or source


@dataclass(frozen=True)
class TableImage:
    """An image in a table, with its boxes."""

    name: str  # as the table has it
    boxes: tuple[TableBox, ...] = ()
    size: tuple[float, float] | None = None  # (width, height), px, where the table says it
    others_unboxed: bool = False  # whether it holds other nodules that have no box
    folder: str = ""  # in which the table says that it lies, besides what the name says

    def scaled(self, columns: int, rows: int) -> list[TableBox]:
        """The boxes in px of an image of another size, (columns, rows).

        They are as the table has them where it says no size.
        """
        across, down = self._scales(columns, rows)
        return [
            replace(b, x=b.x * across, y=b.y * down, width=b.width * across, height=b.height * down)
            for b in self.boxes
        ]

    def fitted(self, shape: tuple[int, ...]) -> list[Box]:
        """The boxes in an image of ``shape`` (rows, columns), as :func:`fit_boxes` fits them.

        Raises
        ------
        BoxesError
            Where the image is no scaled copy of the table's, or a box lies wholly outside.
        """
        rows, columns = shape
        across, down = self._scales(columns, rows)
        if abs(across / down - 1) > ASPECT and self.size is not None:
            raise BoxesError(
                f"The boxes of {self.name} are given for {self.size[0]:g} x {self.size[1]:g} px, "
                f"and the image has {columns} x {rows}; give the boxes of this image."
            )
        boxes = [
            Box(0, round(b.x), round(b.y), round(b.x + b.width), round(b.y + b.height))
            for b in self.scaled(columns, rows)
        ]
        try:
            return fit_boxes(boxes, (1, rows, columns))
        except BoxesError as error:
            raise BoxesError(f"Of {self.name}: {error}") from None

    def _scales(self, columns: int, rows: int) -> tuple[float, float]:
        return (columns / self.size[0], rows / self.size[1]) if self.size else (1.0, 1.0)


@dataclass(frozen=True)
class BoxTable:
    """The boxes of many images."""

    path: Path
    images: tuple[TableImage, ...]  # in the order of the table
    of_stack: bool = False  # whether these are the slices of one stack, named by their numbers

    def match(self, names: Sequence[str]) -> list[TableImage | None]:
        """Find each image's row, by its file's name; None where the table does not name it.

        Suffixes, case and the folders that one side leaves out do not matter, as long as one image
        alone is meant.

        Parameters
        ----------
        names : sequence of str
            Paths of the images, with ``/``; ``:NUMBER`` behind it names a slice of a stack.

        Raises
        ------
        BoxesError
            Where no row matches; where rows match no image and images have no row, so that a
            nodule may have been lost; or where several images are meant.
        """
        if self.of_stack:
            return self._slices(names)
        by_stem: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            by_stem.setdefault(_parts(name)[-1].casefold(), []).append(number)
        found: list[TableImage | None] = [None] * len(names)
        unmatched: list[str] = []
        for image in self.images:
            alike = by_stem.get(_parts(image.name)[-1].casefold(), [])
            if not alike:
                unmatched.append(image.name)
                continue
            meant = self._most_alike(image, names, alike)
            if other := found[meant]:
                raise BoxesError(
                    f"{self.path} names {other.name} and {image.name}, and {names[meant]} may be "
                    "either; name each image in one way, and give the folder that holds all."
                )
            found[meant] = image
        lacking = [name for name, image in zip(names, found, strict=True) if image is None]
        if unmatched and (lacking or len(unmatched) == len(self.images)):
            raise BoxesError(
                f"{self.path} names {listed(unmatched)}, and there is no such image among the "
                f"{len(names)} that are given"
                + (f", while there is no row for {listed(lacking)}" if lacking else "")
                + "; name the rows as the images are, or leave them out."
            )
        if unmatched:
            logger.warning("%s names %s, which is not given.", self.path, listed(unmatched))
        return found

    def _slices(self, names: Sequence[str]) -> list[TableImage | None]:
        """Each slice's row, of the only stack among the images or the one beside the table."""
        parts = [re.fullmatch(r"(.*?)(?::(\d+))?", name, re.DOTALL) for name in names]
        places = [(Path(part[1]), part[2] or "0") for part in parts if part]
        files = {file for file, _ in places}
        beside = {file for file in files if file.parent == self.path.parent}
        stack = files if len(files) == 1 else beside
        if len(stack) != 1:
            raise BoxesError(
                f"{self.path} holds the boxes of one stack, and {len(files)} files are given; give "
                "a table that names its images."
            )
        slices = [number if file in stack else None for file, number in places]
        lost = [image.name for image in self.images if image.name not in slices]
        if lost:
            raise BoxesError(
                f"{self.path} has boxes in slice {listed(lost)}, and the stack has "
                f"{len(slices) - slices.count(None)} slices; give the boxes of this stack."
            )
        rows = {image.name: image for image in self.images}
        return [rows.get(name, TableImage(name)) if name else None for name in slices]

    def _most_alike(self, image: TableImage, names: Sequence[str], numbers: list[int]) -> int:
        """The one of these images that is most like the row: in case, then in folders upwards."""
        row = _parts(f"{image.folder}/{image.name}")[::-1]
        likeness = {}
        for number in numbers:
            parts = _parts(names[number])[::-1]
            pairs = zip(parts[1:], row[1:], strict=False)
            shared = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
            likeness[number] = parts[0] == row[0], shared
        meant = [number for number in numbers if likeness[number] == max(likeness.values())]
        if len(meant) > 1:
            raise BoxesError(
                f"{self.path} names {image.name}, and {listed([names[n] for n in meant])} are "
                "images of that name; name the folder, too."
            )
        return meant[0]


def _parts(name: str) -> tuple[str, ...]:
    r"""Folders and stem of an image's name, by slashes of either kind, without an image's suffix.

    Examples
    --------
    >>> _parts(r"C:\images\n0002.MHA"), _parts("1.2.840.5"), _parts("a/b.tiff:3")
    (('C:', 'images', 'n0002'), ('1.2.840.5',), ('a', 'b:3'))
    """
    *folders, last = [part for part in name.strip().replace("\\", "/").split("/") if part] or [""]
    stem, colon, number = last.partition(":")
    return (*folders, IMAGE_SUFFIX.sub("", stem) + colon + number)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
