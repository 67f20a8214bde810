"""The library of projected nodules, picked by diameter.

A library is a folder of four plain files:

``nodules.npy``
    One array of all the pixels of all the entries, end to end: structured, one dimension, fields
    ``projection`` (``<f4``, as :func:`nodegen.steps.projection.project` gives it) and ``mask``
    (``|b1``). It loads with ``numpy.load(allow_pickle=False)``, and is memory-mapped here.
``opacity.npy``
    The same for the nodules' opacities (``<f2``, mm of water, as
    :func:`nodegen.steps.opacity.opacity` gives them): what is drawn but for the paper's contrast.
``nodules.csv``
    One row an entry, in the order of the arrays: ``name`` (the patch's file name, without its
    suffix), ``axis`` (of the rays in the patch's array: 0, 1 or 2), ``diameter_mm``, ``rows`` and
    ``columns`` (of the projection, cut to its mask), ``offset`` (of its first pixel in the array),
    ``fine_rows``, ``fine_columns``, ``fine_offset`` (the same of the opacity), ``step_mm`` (side of
    the opacity's samples) and ``sha256`` (of its pixels, then its opacity, as stored). Pixels run
    along the columns first.
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
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from nodegen.constants import (
    ABSORPTION_MAX,
    ALIKE_MOST,
    CANDIDATES_DIVISOR,
    CANDIDATES_DIVISOR_ELSE,
    CANDIDATES_MIN_NODULES,
    EMPTY_RAY,
)
from nodegen.errors import LibraryError, OutputError
from nodegen.io.files import write_bytes
from nodegen.schemas import LIBRARY_FORMAT, LIBRARY_VERSION, LibraryFile, SchemaFault, check
from nodegen.steps.opacity import plateau, visible_disc
from nodegen.steps.projection import cut_to_mask

INDEX, TABLE, ARRAY, OPACITY = "library.json", "nodules.csv", "nodules.npy", "opacity.npy"
PIXEL = np.dtype([("projection", "<f4"), ("mask", "|b1")])
SAMPLE = np.dtype("<f2")
TOLERANCE = np.float32(1e-3)  # of a projection's range: rounding of its mean
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
    sha256: str


@dataclass(frozen=True)
class Nodule:
    """One nodule along one axis: the paper's projection, and what it adds to a radiograph.

    Attributes
    ----------
    projection : ndarray of float32, shape (row, column)
        As :func:`nodegen.steps.projection.project` gives it: 1.56 (``EMPTY_RAY``) where a ray meets
        nothing, more where it meets the nodule. Cut to the mask's bounding box, at 1 mm a pixel.
    mask : ndarray of bool, the same shape
        Where a ray meets the nodule; touches all four sides.
    diameter_mm : int
        Larger side of the nodule's bounding box as the library lists it (before any turn).
    name : str
        The patch it comes from.
    axis : {0, 1, 2}
        Axis of the rays in the patch's array (slice, row, column).
    opacity : ndarray of float32, shape (row, column)
        Mm of water that the nodule adds, as :func:`nodegen.steps.opacity.opacity` gives it; finer
        than the projection and cut for itself.
    step_mm : float
        Side of the opacity's samples.
    """

    projection: np.ndarray
    mask: np.ndarray
    diameter_mm: int
    name: str
    axis: int
    opacity: np.ndarray
    step_mm: float

    @cached_property
    def plateau(self) -> float:
        """Height of the opacity's plateau, mm of water."""
        return plateau(self.opacity)

    @cached_property
    def disc(self) -> np.ndarray:
        """The samples (row, column) of the opacity that are seen."""
        return visible_disc(self.opacity)

    def oriented(self, mirror: bool = False, turn_deg: float = 0.0) -> "Nodule":
        """Mirror the projection, then turn it in the plane; cut to its new bounding box.

        Parameters
        ----------
        mirror : bool
            Swap left and right, before the turn.
        turn_deg : float
            Counter-clockwise as displayed (rows run down), in degrees. Multiples of 90 are exact.

        Returns
        -------
        Nodule
            Of the same diameter, name, axis and opacity. The projection is interpolated by cubic
            splines, held within its own range, over a ground of ``EMPTY_RAY``; the mask linearly,
            cut at one half. The result depends on the arguments alone.
        """
        projection, mask = self.projection, self.mask
        if mirror:
            projection, mask = projection[:, ::-1], mask[:, ::-1]
        quarters, rest_deg = divmod(float(turn_deg) % 360.0, 90.0)
        projection, mask = (np.rot90(array, int(quarters)) for array in (projection, mask))
        if rest_deg:
            projection, mask = _turned(projection, mask, rest_deg)
        return replace(
            self,
            projection=np.ascontiguousarray(projection),
            mask=np.ascontiguousarray(mask),
        )


def _turned(
    projection: np.ndarray, mask: np.ndarray, turn_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Turn both by less than a quarter turn, and cut them to the mask."""
    # One pixel of ground on each side, so that the spline sees the nodule's edge, not the array's.
    ground = np.pad(projection, 1, constant_values=np.float32(EMPTY_RAY))
    turned = ndimage.rotate(ground, turn_deg, order=3, mode="constant", cval=EMPTY_RAY)
    turned = np.clip(turned, projection.min(), projection.max())
    weight = ndimage.rotate(np.pad(mask, 1).astype(np.float32), turn_deg, order=1)
    # A nodule one pixel thin may fall below one half everywhere: then its densest pixels are kept.
    turned_mask = weight >= min(0.5, float(weight.max()))
    return cut_to_mask(turned.astype(np.float32), turned_mask)


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
        self._largest_first = np.argsort(-self.diameters_mm, kind="stable")

    @classmethod
    def open(cls, folder: Path) -> "Library":
        """Open a library; nodules are read when they are picked.

        Raises
        ------
        LibraryError
            Where a file is missing, truncated, or not the one that the index names.
        """
        folder = Path(folder)
        index = _read_index(folder)
        try:
            table = (folder / TABLE).read_bytes()
        except OSError as error:
            raise LibraryError(
                f"The nodule library {folder} has no readable {TABLE} ({_why(error)}): {REMEDY}."
            ) from None
        sha256 = hashlib.sha256(table).hexdigest()
        if sha256 != index.nodules_csv_sha256:
            raise LibraryError(
                f"{TABLE} of the nodule library {folder} is not the one that {INDEX} names "
                f"(its SHA-256 differs): {REMEDY}."
            )
        rows = _parse(folder, table)
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
        pixels = _map(folder, ARRAY, PIXEL, lengths[0])
        return cls(folder, rows, pixels, _map(folder, OPACITY, SAMPLE, lengths[1]), sha256)

    def __len__(self) -> int:
        return len(self._rows)

    def alike(self, size_px: float) -> np.ndarray:
        """Entries whose diameter is close to a box's size, from which one is to be drawn uniformly.

        The paper's words. The baseline, and :meth:`candidates`, set no upper bound, so that most of
        what is drawn into a small box is a mass, shrunk. Here the diameter lies between size / 5
        and ``ALIKE_MOST`` times that; where these are fewer than ``CANDIDATES_MIN_NODULES``
        different nodules, those nearest in size are taken.

        Parameters
        ----------
        size_px : float
            The box's size, in pixels.

        Returns
        -------
        ndarray of int
            Indices, ascending; never empty.
        """
        wanted_mm = size_px / CANDIDATES_DIVISOR
        near = (self.diameters_mm > wanted_mm) & (self.diameters_mm <= ALIKE_MOST * wanted_mm)
        chosen = np.flatnonzero(near)
        if len({self.names[index] for index in chosen}) >= CANDIDATES_MIN_NODULES:
            return chosen
        middle_mm = wanted_mm * np.sqrt(ALIKE_MOST)
        away = np.abs(np.log(self.diameters_mm / middle_mm))
        kept, names = [], set()
        for index in np.argsort(away, kind="stable"):
            names.add(self.names[index])
            if len(names) > CANDIDATES_MIN_NODULES:
                break
            kept.append(index)
        return np.sort(np.array(kept, dtype=np.int64))

    def candidates(self, size_px: float) -> np.ndarray:
        """Entries that may fill a box, from which one is to be drawn uniformly.

        As the baseline: those with diameter > size / 5, or, where none is, > size / 10. For big
        boxes only a few nodules would qualify, and the same ones would come again and again; so
        where they are fewer than ``CANDIDATES_MIN_NODULES`` different nodules, that many of the
        largest are taken (all, of a smaller library).

        Parameters
        ----------
        size_px : float
            The box's size, in pixels.

        Returns
        -------
        ndarray of int
            Indices, ascending; never empty.
        """
        for divisor in (CANDIDATES_DIVISOR, CANDIDATES_DIVISOR_ELSE):
            chosen = np.flatnonzero(self.diameters_mm > size_px / divisor)
            if chosen.size:
                break
        names = {self.names[index] for index in chosen}
        if len(names) >= CANDIDATES_MIN_NODULES:
            return chosen
        kept = list(chosen)
        taken = set(kept)
        for index in self._largest_first:
            if len(names) >= CANDIDATES_MIN_NODULES and self.names[index] not in names:
                break
            if index not in taken:
                kept.append(index)
                names.add(self.names[index])
        return np.sort(np.array(kept, dtype=np.int64))

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
        if _hash(pixels, samples) != row.sha256:
            raise LibraryError(
                f"Nodule {index} ({row.name}, axis {row.axis}) of the library {self.folder} is "
                f"damaged (its SHA-256 differs from {TABLE}): {REMEDY}."
            )
        shape = (row.rows, row.columns)
        projection = np.ascontiguousarray(pixels["projection"]).reshape(shape)
        mask = np.ascontiguousarray(pixels["mask"]).reshape(shape)
        opacity = samples.astype(np.float32).reshape(row.fine_rows, row.fine_columns)
        # A hash says that nobody altered it by chance, not that it was right to begin with.
        least, most = np.float32(EMPTY_RAY) - TOLERANCE, np.float32(math.exp(ABSORPTION_MAX))
        whole = np.all((projection >= least) & (projection <= most + TOLERANCE))
        if not (whole and mask.any() and np.isfinite(opacity).all()):
            raise LibraryError(
                f"Nodule {index} ({row.name}, axis {row.axis}) of the library {self.folder} is no "
                f"projection: its values are not all numbers of {least:.2f} to {most:.2f}, its "
                f"mask is empty, or its opacities are no finite numbers: {REMEDY}."
            )
        return Nodule(projection, mask, row.diameter_mm, row.name, row.axis, opacity, row.step_mm)


def _npy(parts: list[np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.concatenate(parts), allow_pickle=False)
    return stream.getvalue()


def _hash(pixels: np.ndarray, samples: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes() + samples.tobytes()).hexdigest()


def write_library(folder: Path, nodules: Iterable[Nodule]) -> str:
    """Write a library, replacing the folder's own; the index comes last.

    Parameters
    ----------
    folder : Path
        Made where missing.
    nodules : iterable of Nodule
        In the order in which they are to be listed; at least one.

    Returns
    -------
    str
        The library's SHA-256.

    Raises
    ------
    OutputError
        Where the folder cannot be written.
    LibraryError
        Where there is no nodule.
    """
    folder = Path(folder)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    chunks, fine_chunks, offset, fine_offset = [], [], 0, 0
    for nodule in nodules:
        pixels = np.empty(nodule.mask.size, dtype=PIXEL)
        pixels["projection"] = nodule.projection.ravel()
        pixels["mask"] = nodule.mask.ravel()
        samples = nodule.opacity.astype(SAMPLE).ravel()
        writer.writerow(
            (
                *(nodule.name, nodule.axis, nodule.diameter_mm, *nodule.mask.shape, offset),
                *(*nodule.opacity.shape, fine_offset, float(nodule.step_mm)),
                _hash(pixels, samples),
            )
        )
        chunks.append(pixels)
        fine_chunks.append(samples)
        offset += pixels.size
        fine_offset += samples.size
    if not chunks:
        raise LibraryError(f"There is no nodule to write into {folder}: give at least one.")
    table = text.getvalue().encode()
    sha256 = hashlib.sha256(table).hexdigest()
    index = {
        "format": LIBRARY_FORMAT,
        "version": LIBRARY_VERSION,
        "entries": len(chunks),
        "pixels": offset,
        "samples": fine_offset,
        "nodules_csv_sha256": sha256,
    }
    arrays = {ARRAY: _npy(chunks), OPACITY: _npy(fine_chunks)}
    try:
        # Without its index the folder holds no library: whatever happens in between, no reader
        # can meet the array of one and the table of another.
        (folder / INDEX).unlink(missing_ok=True)
        for name, content in (
            *arrays.items(),
            (TABLE, table),
            (INDEX, (json.dumps(index, indent=2) + "\n").encode()),
        ):
            write_bytes(folder / name, content, sync=True)
    except OSError as error:
        raise OutputError(
            f"The nodule library cannot be written to {folder} ({_why(error)}): "
            "give a folder that can be written."
        ) from None
    return sha256


def _read_index(folder: Path) -> LibraryFile:
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
            f"{INDEX} of the nodule library {folder} cannot be read ({_why(error)}): {REMEDY}."
        ) from None
    try:
        return check(LibraryFile, index, folder / INDEX)
    except SchemaFault as fault:
        raise LibraryError(f"{fault}: {REMEDY}.") from None


def _parse(folder: Path, table: bytes) -> list[Row]:
    """Rows of ``nodules.csv``."""
    parsed: list[Row] = []
    offset = fine_offset = 0
    try:
        reader = csv.reader(io.StringIO(table.decode()))
        if tuple(next(reader)) != Row._fields:
            raise ValueError("other columns")
        for name, *numbers, step, sha256 in reader:
            axis, diameter_mm, rows, columns, start, *fine = map(int, numbers)
            fine_rows, fine_columns, fine_start = fine
            least = min(rows, columns, diameter_mm, fine_rows, fine_columns)
            places = (start, fine_start) == (offset, fine_offset)
            if axis not in (0, 1, 2) or least < 1 or not places or not 0 < float(step) < np.inf:
                raise ValueError(f"row {len(parsed) + 1}")
            coarse = name, axis, diameter_mm, rows, columns, start
            parsed.append(Row(*coarse, fine_rows, fine_columns, fine_start, float(step), sha256))
            offset += rows * columns
            fine_offset += fine_rows * fine_columns
    except (ValueError, StopIteration, csv.Error) as error:
        raise LibraryError(
            f"{TABLE} of the nodule library {folder} is malformed ({_why(error)}): {REMEDY}."
        ) from None
    return parsed


def _map(folder: Path, name: str, dtype: np.dtype, length: int) -> np.ndarray:
    """Map an array into memory, and check that it holds as many values as listed."""
    try:
        values = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(
            f"{name} of the nodule library {folder} is missing or truncated "
            f"({_why(error)}): {REMEDY}."
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.shape != (length,):
        raise LibraryError(
            f"{name} of the nodule library {folder} does not hold the {length} values that "
            f"{TABLE} lists: {REMEDY}."
        )
    return values


def _why(error: BaseException) -> str:
    """The system's own words for a fault, on one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split()).rstrip(".")
