"""Images as bytes: PNG of 8 and 16 bit, through a window that is kept with the image."""

import struct
from typing import Any

import numpy as np
from isal import isal_zlib

from nodegen.io.image import XMP_PNG, Mark, run_hash
from nodegen.io.metaimage import COMPRESSION

SIGNATURE, UP = b"\x89PNG\r\n\x1a\n", 2  # of a PNG; the filter that takes differences of rows


def windowed(pixels: np.ndarray, window: tuple[float, float], bits: int) -> np.ndarray:
    """Bring grey levels (row, column) to 8, 12 or 16 bit, as uint8 or uint16.

    The window's levels become 0 and the highest level, so that viewers show the image as it is; of
    12 bit every level can be told from the others.

    Examples
    --------
    >>> windowed(np.array([[0, 2048, 4095]], np.uint16), (0, 4095), 8).tolist()
    [[0, 128, 255]]
    >>> windowed(np.array([[0, 2048, 4095]], np.uint16), (0, 4095), 16).tolist()
    [[0, 32776, 65535]]
    """
    kind = np.uint8 if bits == 8 else np.uint16
    low, high = window
    top = 2**bits - 1
    if (low, high) == (0, top) and pixels.dtype.kind == "u":
        return pixels.astype(kind, copy=False)
    is_narrow = pixels.dtype in (np.uint8, np.uint16)  # of these a table is quicker
    levels = np.arange(np.iinfo(pixels.dtype).max + 1) if is_narrow else pixels
    scaled = (levels.astype(np.float64) - low) * (top / max(high - low, 1e-9))
    made: np.ndarray = np.clip(np.rint(scaled), 0, top).astype(kind)
    return made[pixels] if is_narrow else made


def png(pixels: np.ndarray, mark: Mark | None = None) -> bytes:
    """Encode a PNG: differences of rows by isal, as small as zlib's third level, far faster.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 or uint16, `(row, column)` or `(row, column, RGB)`.
    mark : Mark, optional
        Goes in as XMP.
    """
    big = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    rows = big.view(np.uint8).reshape(len(pixels), -1)
    filtered = np.diff(rows, axis=0, prepend=np.uint8(0))
    stream = np.pad(filtered, ((0, 0), (1, 0)), constant_values=UP)
    colour, depth = 2 * (pixels.ndim == 3), 8 * pixels.dtype.itemsize
    head = struct.pack(">IIBBBBB", pixels.shape[1], len(pixels), depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", isal_zlib.compress(stream.data, COMPRESSION))]
    if mark:
        chunks.insert(1, (b"iTXt", XMP_PNG.encode() + bytes(5) + mark.xmp.encode()))
    made = SIGNATURE
    for name, content in (*chunks, (b"IEND", b"")):
        check = isal_zlib.crc32(name + content)
        made += struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
    return made


def mark_of(record: dict[str, Any]) -> Mark | None:
    """The mark on an image with synthetic nodules."""
    if not record["nodules"]:
        return None
    recipes = [nodule["recipe"] for nodule in record["nodules"]]
    return Mark("Synthetic lung nodules", run=run_hash(record["seed"], recipes))


def run_lengths(mask: np.ndarray) -> dict[str, list[int]]:
    """COCO's run-length code of a mask, uncompressed: runs of 0 and 1 down the columns.

    Examples
    --------
    >>> run_lengths(np.array([[False, True], [True, True]]))
    {'size': [2, 2], 'counts': [1, 3]}
    """
    columns = np.flatnonzero(mask.any(axis=0))  # of nodules, few
    first, end = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, 0)
    flat = np.pad(mask[:, first:end].T.ravel().astype(np.int8), 1)
    edges = first * len(mask) + np.flatnonzero(np.diff(flat))
    counts = np.diff(edges, prepend=0, append=mask.size).tolist()
    return {"size": list(mask.shape), "counts": counts if counts[-1] else counts[:-1]}
