"""Single radiographs of any common format, each `(row, column)`, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodegen.constants import GREY_MAX
from nodegen.errors import StackError
from nodegen.io.stack import PICTURES, READABLE, SUFFIXES, radiographs_in, read_stack


@dataclass(frozen=True)
class Radiograph:
    """One radiograph in memory."""

    pixels: np.ndarray  # (row, column); bright where the beam was absorbed
    spacing: tuple[float, float] | None  # (x, y), mm; None where the file does not say
    path: Path
    slice: int = 0  # its place in that file
    patient: str | None = None  # as the file says; None where it does not

    @property
    def window(self) -> tuple[float, float]:
        """Grey levels that 8 bit and 16 bit outputs map onto their range.

        Of 8 bit and of 12 bit in 16 the whole scale, so that images stay comparable; of any other
        the image's own minimum and maximum.
        """
        if self.pixels.dtype == np.uint8:
            return 0.0, 255.0
        low, high = float(self.pixels.min()), float(self.pixels.max())
        if self.pixels.dtype == np.uint16 and high <= GREY_MAX:
            return 0.0, float(GREY_MAX)
        return low, high


def reads_as_dicom(path: Path) -> bool:
    """Whether a radiograph's file is DICOM: no other format has its name."""
    return path.suffix.lower() not in (*SUFFIXES, *PICTURES)


def find_radiographs(inputs: list[Path]) -> list[tuple[Path, Path]]:
    """Files of the formats that can be read, in folders and those below, or named one by one.

    Returns
    -------
    list of (file, root)
        Sorted; the root is the folder that was given, or the file's own.

    Raises
    ------
    StackError
        Where a path does not exist, or there is no such file at all.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if given.is_dir():
            for path in radiographs_in(given):
                found.setdefault(path, given)
        elif given.is_file():
            found.setdefault(given, given.parent)
        else:
            raise StackError(f"There is no file or folder {given}; give radiographs that exist.")
    if not found:
        raise StackError(
            f"There is no radiograph in {', '.join(map(str, inputs))}; give files or folders of "
            f"{', '.join(READABLE)}, or of DICOM under any name."
        )
    return sorted(found.items())


def read_radiographs(path: Path) -> Iterator[Radiograph]:
    """Read the radiographs of one file: the slices of a stack, the frames of DICOM.

    Raises
    ------
    StackError
        Where the file cannot be read, or a package that reads it is missing.
    """
    stack = read_stack(path)
    for number, pixels in enumerate(stack.pixels):
        yield Radiograph(pixels, stack.spacing, path, number, stack.patient)


def read_radiograph(path: Path, number: int = 0) -> Radiograph:
    """Read one radiograph of a file; see :func:`read_radiographs`."""
    for radiograph in read_radiographs(path):
        if radiograph.slice == number:
            return radiograph
    raise StackError(f"{path} has no slice {number}; it was changed since it was counted.")
