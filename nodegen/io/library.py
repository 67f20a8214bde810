"""The library of nodules, of the four files in docs/formats.md; the index is written last.

The hash of ``nodules.csv`` commits to every entry's own, and so to the whole library. Opening
checks all but the pixels, which are memory-mapped; picking an entry reads and checks that one.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from nodegen.constants import ABSORPTION_MAX, EMPTY_RAY
from nodegen.errors import LibraryError
from nodegen.io.files import write_bytes, writing
from nodegen.io.image import largest_part
from nodegen.io.tables import csv_text
from nodegen.schemas import LIBRARY_FORMAT, LIBRARY_VERSION, LibraryFile, read_json

INDEX, TABLE, ARRAY, WATER = "library.json", "nodules.csv", "nodules.npy", "water_mm.npy"
PIXEL = np.dtype([("projection", "<f4"), ("mask", "|b1")])  # of nodules.npy, all end to end
SAMPLE = np.dtype("|u1")  # of water_mm.npy: MOST times the root of the share of largest_mm
MOST = 255
KEPT = 512  # nodules in memory, which were read last: 15 MiB
TOLERANCE = np.float32(1e-3)  # of a projection's range: rounding of its mean
FAINTEST = 0.02  # of the peak: what is thinner is no part of the nodule
VISIBLE = 0.5  # of the plateau: the visible disc ends at half its height
PLATEAU_PERCENTILE = 90  # of the rays that meet the nodule
REMEDY = "make the nodule library again with `nodegen prepare`, or leave it out to use the built-in"


class Outline(NamedTuple):
    """The visible disc of a nodule, as far as it decides which box it fits; small."""

    # float64, (2, sample): down and across from the middle of its array, the first and last sample
    # of each row; they reach farthest, whatever the turn
    ends: np.ndarray
    area: int  # samples
    density: float  # plateau over diameter: 0.93 of a ball of water, less of ground glass


@dataclass(frozen=True)
class Nodule:
    """One nodule along one axis: the paper's projection, and what it adds to a radiograph."""

    # float32, (row, column), 1 mm a pixel, cut to the mask: 1.56 (``EMPTY_RAY``) where a ray meets
    # nothing, more where it meets the nodule
    projection: np.ndarray
    mask: np.ndarray  # bool, the same shape: where a ray meets the nodule; touches all four sides
    diameter_mm: int  # larger side of the nodule's bounding box, before any turn
    name: str  # the patch
    axis: int  # of its array (slice, row, column), along which the rays run
    water_mm: np.ndarray  # float32, (row, column): water-equivalent thickness, finer, cut by itself
    step_mm: float  # side of the thickness's samples

    @cached_property
    def plateau(self) -> float:
        """Height of the plateau, mm of water: the 90th percentile of the rays that meet it."""
        met = self.water_mm[self.water_mm > FAINTEST * self.water_mm.max()]
        return float(np.percentile(met, PLATEAU_PERCENTILE)) if met.size else 0.0

    @cached_property
    def disc(self) -> np.ndarray:
        """Samples (row, column) that are seen: the largest connected part above half the plateau.

        Empty only where the nodule is no denser than lung.
        """
        return largest_part(self.water_mm > VISIBLE * self.plateau)

    @cached_property
    def outline(self) -> Outline:
        """What decides how it fits a box."""
        disc = self.disc
        rows = np.flatnonzero(disc.any(axis=1))
        ends = disc[rows].argmax(axis=1), disc.shape[1] - 1 - disc[rows, ::-1].argmax(axis=1)
        places = np.stack([np.tile(rows, 2), np.concatenate(ends)]) + 0.5
        count = int(np.count_nonzero(disc))
        diameter_mm = 2 * np.sqrt(count * self.step_mm**2 / np.pi)
        density = float(self.plateau / max(diameter_mm, self.step_mm))
        return Outline(places - np.divide(disc.shape, 2)[:, None], count, density)


_Count = Annotated[int, Field(ge=1)]
_Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Row(NamedTuple):
    """One row of the table: an entry, and where it lies in the arrays; columns run fastest."""

    name: str  # the patch's file name, without its suffix
    axis: Annotated[int, Field(ge=0, le=2)]
    diameter_mm: _Count
    rows: _Count  # of the projection
    columns: _Count
    offset: int  # of its first pixel in the array
    fine_rows: _Count  # the same of the thickness
    fine_columns: _Count
    fine_offset: int
    step_mm: _Size  # side of the thickness's samples
    largest_mm: _Size  # thickness
    sha256: str  # of the pixels, then the thickness, as stored

    @property
    def pixels(self) -> slice:
        """Its place in the array of pixels."""
        return slice(self.offset, self.offset + self.rows * self.columns)

    @property
    def samples(self) -> slice:
        """Its place in the array of thicknesses."""
        return slice(self.fine_offset, self.fine_offset + self.fine_rows * self.fine_columns)


class Library:
    """A folder of projected nodules, opened without reading any of them.

    ``len(library)`` is the number of entries; ``library[index]`` reads one, and checks its hash.
    Of all entries it has ``names``, ``axes`` and ``diameters_mm`` as :class:`Nodule` has them;
    several share a name, and its number in ``name_numbers``, where a patch is projected along
    several axes.

    Raises
    ------
    LibraryError
        Where a file is missing, truncated, or not the one that the index names.
    """

    def __init__(self, folder: Path):
        self.folder = folder = Path(folder)
        _, index = read_json(LibraryFile, folder / INDEX, LibraryError, REMEDY)
        try:
            table = (folder / TABLE).read_bytes()
        except OSError as error:
            raise _fault(folder, f"has no readable {TABLE} ({_why(error)})") from None
        self.sha256 = hashlib.sha256(table).hexdigest()
        if self.sha256 != index.nodules_csv_sha256:
            raise _fault(
                folder, f"has another {TABLE} than the one that {INDEX} names (its SHA-256 differs)"
            )
        self._rows = rows = _read_rows(folder, table)
        held = len(rows), rows[-1].pixels.stop if rows else 0, rows[-1].samples.stop if rows else 0
        promised = index.entries, index.pixels, index.samples
        if held != promised:
            raise _fault(
                folder,
                f"lists {held[0]} entries of {held[1]} pixels and {held[2]} samples, and {INDEX} "
                f"promises {promised[0]} of {promised[1]} and {promised[2]}",
            )
        self._pixels = _mapped(folder, ARRAY, PIXEL, index.pixels)
        self._samples = _mapped(folder, WATER, SAMPLE, index.samples)
        self.names = tuple(row.name for row in rows)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self.names))}
        self.name_numbers = np.array([numbers[name] for name in self.names], dtype=np.int64)
        self.axes = np.array([row.axis for row in rows], dtype=np.int64)
        self.diameters_mm = np.array([row.diameter_mm for row in rows], dtype=np.int64)
        self._kept = lru_cache(maxsize=KEPT)(self._read)
        self.outline = lru_cache(maxsize=None)(lambda index: self[index].outline)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Nodule:
        """Read one entry, or take it from those that were read last.

        Raises
        ------
        LibraryError
            Where its pixels are not those that were written.
        """
        return self._kept(index)

    def _read(self, index: int) -> Nodule:
        row = self._rows[index]
        pixels, samples = np.array(self._pixels[row.pixels]), np.array(self._samples[row.samples])
        which = f"has a nodule {index} ({row.name}, axis {row.axis}) that is"
        if _hash_of(pixels, samples) != row.sha256:
            raise _fault(self.folder, f"{which} damaged (its SHA-256 differs from {TABLE})")
        shape = (row.rows, row.columns)
        projection = np.ascontiguousarray(pixels["projection"]).reshape(shape)
        mask = np.ascontiguousarray(pixels["mask"]).reshape(shape)
        share = (samples.astype(np.float32) / MOST) ** 2
        water_mm = (share * np.float32(row.largest_mm)).reshape(row.fine_rows, row.fine_columns)
        # A hash says that nobody altered it by chance, not that it was right to begin with.
        least, most = np.float32(EMPTY_RAY) - TOLERANCE, np.float32(math.exp(ABSORPTION_MAX))
        whole = np.all((projection >= least) & (projection <= most + TOLERANCE))
        if not (whole and mask.any() and np.isfinite(water_mm).all()):
            raise _fault(
                self.folder,
                f"{which} no projection: its values are not all numbers of {least:.2f} to "
                f"{most:.2f}, its mask is empty, or its thicknesses are no finite numbers",
            )
        return Nodule(projection, mask, row.diameter_mm, row.name, row.axis, water_mm, row.step_mm)


def write_library(folder: Path, nodules: Iterable[Nodule]) -> str:
    """Write a library of nodules in their order, replacing the folder's own; the index comes last.

    Returns
    -------
    str
        The library's SHA-256.

    Raises
    ------
    OutputError, LibraryError
        Where the folder cannot be written, or where there is no nodule.
    """
    rows: list[Row] = []
    arrays: dict[str, list[np.ndarray]] = {ARRAY: [], WATER: []}
    offset = fine_offset = 0
    for nodule in nodules:
        pixels = np.empty(nodule.mask.size, dtype=PIXEL)
        pixels["projection"], pixels["mask"] = nodule.projection.ravel(), nodule.mask.ravel()
        largest_mm = max(float(nodule.water_mm.max()), 1e-6)
        share = np.clip(nodule.water_mm.ravel() / largest_mm, 0, 1)
        samples = np.rint(MOST * np.sqrt(share)).astype(SAMPLE)
        place = (*nodule.mask.shape, offset, *nodule.water_mm.shape, fine_offset)
        about = (nodule.name, nodule.axis, nodule.diameter_mm)
        sizes = (float(nodule.step_mm), largest_mm)
        rows.append(Row._make((*about, *place, *sizes, _hash_of(pixels, samples))))
        arrays[ARRAY].append(pixels)
        arrays[WATER].append(samples)
        offset, fine_offset = rows[-1].pixels.stop, rows[-1].samples.stop
    if not rows:
        raise LibraryError(f"There is no nodule to write into {folder}: give at least one.")
    table = csv_text(Row._fields, rows, digits=None).encode()
    sha256 = hashlib.sha256(table).hexdigest()
    index = {
        "format": LIBRARY_FORMAT,
        "version": LIBRARY_VERSION,
        "entries": len(rows),
        "pixels": offset,
        "samples": fine_offset,
        "nodules_csv_sha256": sha256,
    }
    # Without its index the folder holds no library: whatever happens in between, no reader can meet
    # the array of one and the table of another.
    with writing(folder / INDEX):
        (folder / INDEX).unlink(missing_ok=True)
    for name, parts in arrays.items():
        stream = io.BytesIO()
        np.save(stream, np.concatenate(parts), allow_pickle=False)
        write_bytes(folder / name, stream.getvalue())
    write_bytes(folder / TABLE, table)
    write_bytes(folder / INDEX, (json.dumps(index, indent=2) + "\n").encode())
    return sha256


def _hash_of(pixels: np.ndarray, samples: np.ndarray) -> str:
    """An entry's SHA-256: of its pixels, then its thickness, as they are stored."""
    return hashlib.sha256(pixels.tobytes() + samples.tobytes()).hexdigest()


def _read_rows(folder: Path, table: bytes) -> list[Row]:
    """Rows of ``nodules.csv``, each of which lies in the arrays behind the one before."""
    try:
        head, *lines = csv.reader(io.StringIO(table.decode()))
        if tuple(head) != Row._fields:
            raise ValueError("other columns")
        rows = TypeAdapter(list[Row]).validate_python(lines)
        offset = fine_offset = 0
        for number, row in enumerate(rows, 1):
            if (row.offset, row.fine_offset) != (offset, fine_offset):
                raise ValueError(f"row {number}")
            offset, fine_offset = row.pixels.stop, row.samples.stop
    except ValidationError as error:
        why = f"row {1 + int(error.errors()[0]['loc'][0])}"
        raise _fault(folder, f"has a {TABLE} that is malformed ({why})") from None
    except (ValueError, csv.Error) as error:
        raise _fault(folder, f"has a {TABLE} that is malformed ({_why(error)})") from None
    return rows


def _mapped(folder: Path, name: str, dtype: np.dtype, length: int) -> np.ndarray:
    """An array mapped into memory, which must hold as many values as listed."""
    try:
        values = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _fault(folder, f"has a {name} that is missing or truncated ({_why(error)})") from None
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.shape != (length,):
        raise _fault(
            folder, f"has a {name} that does not hold the {length} values that {TABLE} lists"
        )
    return values


def _fault(folder: Path, what: str) -> LibraryError:
    return LibraryError(f"The nodule library {folder} {what}: {REMEDY}.")


def _why(error: BaseException) -> str:
    """The system's own words for a fault, on one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split()).rstrip(".")
