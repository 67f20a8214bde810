"""Writing a library of nodules; its form is told in :mod:`nodegen.synthesis.library`."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nodegen.errors import LibraryError, OutputError
from nodegen.io.files import write_bytes
from nodegen.schemas import LIBRARY_FORMAT, LIBRARY_VERSION
from nodegen.synthesis.library import (
    ARRAY,
    INDEX,
    PIXEL,
    TABLE,
    WATER,
    Row,
    hash_of,
    packed,
    why,
)
from nodegen.synthesis.nodule import Nodule


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
        samples, largest_mm = packed(nodule.water_mm)
        writer.writerow(
            (
                *(nodule.name, nodule.axis, nodule.diameter_mm, *nodule.mask.shape, offset),
                *(*nodule.water_mm.shape, fine_offset, float(nodule.step_mm), largest_mm),
                hash_of(pixels, samples),
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
    arrays = {ARRAY: _npy(chunks), WATER: _npy(fine_chunks)}
    try:
        # Without its index the folder holds no library: whatever happens in between, no reader
        # can meet the array of one and the table of another.
        (folder / INDEX).unlink(missing_ok=True)
        for name, content in (
            *arrays.items(),
            (TABLE, table),
            (INDEX, (json.dumps(index, indent=2) + "\n").encode()),
        ):
            write_bytes(folder / name, content)
    except OSError as error:
        raise OutputError(
            f"The nodule library cannot be written to {folder} ({why(error)}): "
            "give a folder that can be written."
        ) from None
    return sha256


def _npy(parts: list[np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.concatenate(parts), allow_pickle=False)
    return stream.getvalue()
