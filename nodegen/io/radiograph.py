"""Single radiographs of any common format, each `(row, column)`, one after the other."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from traceback import format_exception

import numpy as np

from nodegen.constants import GREY_MAX
from nodegen.dicom.read import is_dicom
from nodegen.errors import NodegenError, StackError
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

        Of 8 bit and of 12 bit, also in 16, the whole scale, so that images stay comparable; of any
        other the image's own minimum and maximum.
        """
        low, high = float(self.pixels.min()), float(self.pixels.max())
        if self.pixels.dtype in (np.uint8, np.uint16) and high <= GREY_MAX:
            return 0.0, 255.0 if high <= 255 else float(GREY_MAX)
        return low, high


def reads_as_dicom(path: Path) -> bool:
    """Whether a radiograph's file is DICOM: no other format has its name."""
    return path.suffix.lower() not in (*SUFFIXES, *PICTURES)


def find_radiographs(inputs: list[Path]) -> list[tuple[Path, Path]]:
    """Find files of the formats that are read.

    Parameters
    ----------
    inputs : list of Path
        Folders, of which those below count, too, and files.

    Returns
    -------
    list of (Path, Path)
        Each file, sorted, and its root: the folder that was given, or the file's own.

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
    if any(reads_as_dicom(path) and is_dicom(path) for path in found):
        import_module("pydicom")  # a missing one is said before any is read
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
    """Read slice or frame ``number`` of a file; raises as :func:`read_radiographs`."""
    about = path.stat() if path.is_file() else None
    radiographs = _kept(path, about and about.st_mtime_ns)
    if number >= len(radiographs):
        raise StackError(f"{path} has no slice {number}; it was changed since it was counted.")
    return radiographs[number]


@lru_cache(maxsize=1)  # a stack's slices are asked for one after the other
def _kept(path: Path, changed: int | None) -> list[Radiograph]:
    return list(read_radiographs(path))


def why_left_out(error: Exception, name: str, log: str) -> tuple[str, str]:
    """Why a radiograph is left out, and of a fault in nodegen itself the traceback, for the log.

    Parameters
    ----------
    error : Exception
        What was raised; raised again where it is no fault of the radiograph's, but of the output,
        the settings or the model.
    name, log : str
        The radiograph's, and where the traceback will stand.
    """
    if isinstance(error, StackError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return f"{name} is too large for this machine's memory; leave it out.", ""
    if isinstance(error, NodegenError | OSError | ImportError):
        raise error
    why = (
        f"nodegen itself failed at it ({type(error).__name__}: {error}); please report it with "
        f"{log}, which says where."
    )
    return why, "".join(format_exception(error))


@contextmanager
def left_out(name: str, log: Path | None = None) -> Iterator[None]:
    """Name a radiograph at which the block fails, and why, on stderr; the run goes on.

    Parameters
    ----------
    name : str
        The radiograph's.
    log : Path, optional
        Gets the traceback of a fault in nodegen itself, which is raised where there is no log.
    """
    try:
        yield
    except Exception as error:
        why, trace = why_left_out(error, name, str(log))
        if trace and log is None:
            raise
        print(f"left out {name}: {why}", file=sys.stderr)
        if trace and log is not None:
            with log.open("a") as file:
                file.write(f"{name}: {trace}\n")
