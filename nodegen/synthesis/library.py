"""The library of nodules: its files, read and checked.

A library is a folder of four plain files:

``nodules.npy``
    One array of all the pixels of all the entries, end to end: structured, one dimension, fields
    ``projection`` (``<f4``, as :func:`nodegen.synthesis.projection.project` gives it) and ``mask``
    (``|b1``). It loads with ``numpy.load(allow_pickle=False)``, and is memory-mapped here.
``water_mm.npy``
    The same for the nodules' water-equivalent thicknesses, as
    :func:`nodegen.synthesis.water_thickness.water_thickness` gives them: what is drawn but for the
    paper's contrast. Bytes, 255 times the square root of the thickness over the nodule's largest:
    fine where a margin begins, a hundredth of the largest at most.
``nodules.csv``
    One row an entry, in the order of the arrays: ``name`` (the patch's file name, without its
    suffix), ``axis`` (of the rays in the patch's array: 0, 1 or 2), ``diameter_mm``, ``rows`` and
    ``columns`` (of the projection, cut to its mask), ``offset`` (of its first pixel in the array),
    ``fine_rows``, ``fine_columns``, ``fine_offset`` (the same of the thickness), ``step_mm`` (side
    of its samples), ``largest_mm`` (its largest value) and ``sha256`` (of its pixels, then its
    thickness, as stored). Pixels run along the columns first.
``library.json``
    ``format``, ``version``, ``entries``, ``pixels`` and ``samples`` (lengths of the two arrays) and
    ``nodules_csv_sha256``. It is written last: a folder without it holds no library.

The hash of ``nodules.csv`` commits to every entry's own hash, and so to the whole library. Opening
checks everything but the pixels; picking an entry reads and checks that entry alone.
"""

import csv
import hashlib
import io
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nodegen.constants import (
    ABSORPTION_MAX,
    EMPTY_RAY,
)
from nodegen.errors import LibraryError
from nodegen.schemas import LibraryFile, SchemaFault, check
from nodegen.synthesis.nodule import Nodule

INDEX, TABLE, ARRAY, WATER = "library.json", "nodules.csv", "nodules.npy", "water_mm.npy"
PIXEL = np.dtype([("projection", "<f4"), ("mask", "|b1")])
SAMPLE = np.dtype("|u1")
MOST = 255  # of a sample
REMEDY = (
    "make the library again with `nodegen prepare`, or leave the option out to use the built-in"
)


class Row(NamedTuple):
    """One row of the table."""

    name: str
    axis: int
    diameter_mm: int
    rows: int
    columns: int
    offset: int
    fine_rows: int
    fine_columns: int
    fine_offset: int
    step_mm: float
    largest_mm: float
    sha256: str


def packed(water_mm: np.ndarray) -> tuple[np.ndarray, float]:
    """Samples of a thickness, mm of water, as they are stored, and its largest value."""
    largest_mm = max(float(water_mm.max()), 1e-6)
    share = np.clip(water_mm.ravel() / largest_mm, 0, 1)
    return np.rint(MOST * np.sqrt(share)).astype(SAMPLE), largest_mm


def unpacked(samples: np.ndarray, row: Row) -> np.ndarray:
    """The thickness of a row's samples, mm of water, float32, shape (row, column)."""
    share = (samples.astype(np.float32) / MOST) ** 2
    return np.asarray(share * np.float32(row.largest_mm)).reshape(row.fine_rows, row.fine_columns)


def hash_of(pixels: np.ndarray, samples: np.ndarray) -> str:
    """An entry's SHA-256: of its pixels, then its thickness, as they are stored."""
    return hashlib.sha256(pixels.tobytes() + samples.tobytes()).hexdigest()


def read_index(folder: Path) -> LibraryFile:
    """Read ``library.json``.

    Raises
    ------
    LibraryError
        Where there is none, or it is not of its schema.
    """
    if not folder.is_dir():
        raise LibraryError(f"There is no nodule library at {folder}: {REMEDY}.")
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except FileNotFoundError:
        raise LibraryError(
            f"{folder} holds no finished nodule library (no {INDEX}): {REMEDY}."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise LibraryError(
            f"{INDEX} of the nodule library {folder} cannot be read ({why(error)}): {REMEDY}."
        ) from None
    try:
        return check(LibraryFile, index, folder / INDEX)
    except SchemaFault as fault:
        raise LibraryError(f"{fault}: {REMEDY}.") from None


def read_rows(folder: Path, table: bytes) -> list[Row]:
    """Read the rows of ``nodules.csv`` from its bytes.

    Raises
    ------
    LibraryError
        Where a row is malformed, or its place in the arrays does not follow the one before.
    """
    parsed: list[Row] = []
    offset = fine_offset = 0
    try:
        reader = csv.reader(io.StringIO(table.decode()))
        if tuple(next(reader)) != Row._fields:
            raise ValueError("other columns")
        for name, *numbers, step, largest, sha256 in reader:
            step_mm, largest_mm = float(step), float(largest)
            axis, diameter_mm, rows, columns, start, *fine = map(int, numbers)
            fine_rows, fine_columns, fine_start = fine
            least = min(rows, columns, diameter_mm, fine_rows, fine_columns)
            places = (start, fine_start) == (offset, fine_offset)
            sizes = 0 < step_mm < np.inf and 0 < largest_mm < np.inf
            if axis not in (0, 1, 2) or least < 1 or not places or not sizes:
                raise ValueError(f"row {len(parsed) + 1}")
            coarse = name, axis, diameter_mm, rows, columns, start
            sampled = fine_rows, fine_columns, fine_start, step_mm, largest_mm
            parsed.append(Row(*coarse, *sampled, sha256))
            offset += rows * columns
            fine_offset += fine_rows * fine_columns
    except (ValueError, StopIteration, csv.Error) as error:
        raise LibraryError(
            f"{TABLE} of the nodule library {folder} is malformed ({why(error)}): {REMEDY}."
        ) from None
    return parsed


def map_values(folder: Path, name: str, dtype: np.dtype, length: int) -> np.ndarray:
    """Map an array into memory, and check that it holds as many values as listed.

    Raises
    ------
    LibraryError
        Where it does not.
    """
    try:
        values = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(
            f"{name} of the nodule library {folder} is missing or truncated "
            f"({why(error)}): {REMEDY}."
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.shape != (length,):
        raise LibraryError(
            f"{name} of the nodule library {folder} does not hold the {length} values that "
            f"{TABLE} lists: {REMEDY}."
        )
    return values


def why(error: BaseException) -> str:
    """The system's own words for a fault, on one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split()).rstrip(".")


TOLERANCE = np.float32(1e-3)  # of a projection's range: rounding of its mean


class Library:
    """A folder of projected nodules, opened without reading any of them.

    ``len(library)`` is the number of entries; ``library[index]`` reads one, and checks its hash.

    Attributes
    ----------
    folder : Path
    diameters_mm : ndarray of int, shape (entries,)
    names : tuple of str
        The patch of each entry; several entries share one where it is projected along several axes.
    axes : ndarray of int, shape (entries,)
    sha256 : str
        Of the whole library.
    """

    def __init__(
        self,
        folder: Path,
        rows: list[Row],
        pixels: np.ndarray,
        samples: np.ndarray,
        sha256: str,
    ):
        """Take what :meth:`open` has checked."""
        self.folder = folder
        self.sha256 = sha256
        self.names = tuple(row.name for row in rows)
        self.axes = np.array([row.axis for row in rows], dtype=np.int64)
        self.diameters_mm = np.array([row.diameter_mm for row in rows], dtype=np.int64)
        self._rows = rows
        self._pixels = pixels
        self._samples = samples

    @classmethod
    def open(cls, folder: Path) -> "Library":
        """Open a library; nodules are read when they are picked.

        Raises
        ------
        LibraryError
            Where a file is missing, truncated, or not the one that the index names.
        """
        folder = Path(folder)
        index = read_index(folder)
        try:
            table = (folder / TABLE).read_bytes()
        except OSError as error:
            raise LibraryError(
                f"The nodule library {folder} has no readable {TABLE} ({why(error)}): {REMEDY}."
            ) from None
        sha256 = hashlib.sha256(table).hexdigest()
        if sha256 != index.nodules_csv_sha256:
            raise LibraryError(
                f"{TABLE} of the nodule library {folder} is not the one that {INDEX} names "
                f"(its SHA-256 differs): {REMEDY}."
            )
        rows = read_rows(folder, table)
        lengths = (
            sum(row.rows * row.columns for row in rows),
            sum(row.fine_rows * row.fine_columns for row in rows),
        )
        promised = index.pixels, index.samples
        if not rows or len(rows) != index.entries or lengths != promised:
            raise LibraryError(
                f"The nodule library {folder} lists {len(rows)} entries of {lengths[0]} pixels and "
                f"{lengths[1]} samples, and {INDEX} promises {index.entries} of {promised[0]} "
                f"and {promised[1]}, at least 1: {REMEDY}."
            )
        pixels = map_values(folder, ARRAY, PIXEL, lengths[0])
        return cls(folder, rows, pixels, map_values(folder, WATER, SAMPLE, lengths[1]), sha256)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Nodule:
        """Read one entry.

        Raises
        ------
        LibraryError
            Where its pixels are not those that were written.
        IndexError
            Where there is no such entry.
        """
        row = self._rows[index]
        pixels = np.array(self._pixels[row.offset : row.offset + row.rows * row.columns])
        length = row.fine_rows * row.fine_columns
        samples = np.array(self._samples[row.fine_offset : row.fine_offset + length])
        if hash_of(pixels, samples) != row.sha256:
            raise LibraryError(
                f"Nodule {index} ({row.name}, axis {row.axis}) of the library {self.folder} is "
                f"damaged (its SHA-256 differs from {TABLE}): {REMEDY}."
            )
        shape = (row.rows, row.columns)
        projection = np.ascontiguousarray(pixels["projection"]).reshape(shape)
        mask = np.ascontiguousarray(pixels["mask"]).reshape(shape)
        water_mm = unpacked(samples, row)
        # A hash says that nobody altered it by chance, not that it was right to begin with.
        least, most = np.float32(EMPTY_RAY) - TOLERANCE, np.float32(math.exp(ABSORPTION_MAX))
        whole = np.all((projection >= least) & (projection <= most + TOLERANCE))
        if not (whole and mask.any() and np.isfinite(water_mm).all()):
            raise LibraryError(
                f"Nodule {index} ({row.name}, axis {row.axis}) of the library {self.folder} is no "
                f"projection: its values are not all numbers of {least:.2f} to {most:.2f}, its "
                f"mask is empty, or its thicknesses are no finite numbers: {REMEDY}."
            )
        return Nodule(projection, mask, row.diameter_mm, row.name, row.axis, water_mm, row.step_mm)
