"""The library of projected nodules."""

import hashlib
import math
from pathlib import Path

import numpy as np

from nodegen.constants import (
    ABSORPTION_MAX,
    EMPTY_RAY,
)
from nodegen.errors import LibraryError
from nodegen.synthesis.library_form import (
    ARRAY,
    INDEX,
    PIXEL,
    REMEDY,
    SAMPLE,
    TABLE,
    WATER,
    Row,
    hash_of,
    map_values,
    read_index,
    read_rows,
    unpacked,
    why,
)
from nodegen.synthesis.nodule import Nodule

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
