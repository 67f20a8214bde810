"""Images as bytes: PNG of 8 and 16 bit, through a window that is kept with the image."""

import io
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nodegen import __version__
from nodegen.io.mark import XMP_PNG, Mark, run_hash

COMPRESSION = 3  # of zlib; above it grainy radiographs hardly get smaller


def windowed(pixels: np.ndarray, window: tuple[float, float], bits: int) -> np.ndarray:
    """Bring grey levels to 8 or 16 bit.

    Parameters
    ----------
    window : tuple of float
        Levels that become 0 and 255 for 8 bit. For 16 bit, integers stay as they are where they
        fit, so that 12 bit stay 12 bit; anything else is brought to 0..65535.

    Examples
    --------
    >>> windowed(np.array([[0, 2048, 4095]], np.uint16), (0, 4095), 8).tolist()
    [[0, 128, 255]]
    >>> windowed(np.array([[0, 2048, 4095]], np.uint16), (0, 4095), 16).tolist()
    [[0, 2048, 4095]]
    """
    if bits == 16 and pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.uint16)
    low, high = window
    top = 2**bits - 1
    scaled = (pixels.astype(np.float64) - low) * (top / max(high - low, 1e-9))
    made: np.ndarray = np.clip(np.rint(scaled), 0, top).astype(np.uint8 if bits == 8 else np.uint16)
    return made


def png(pixels: np.ndarray, mark: Mark | None = None) -> bytes:
    """A PNG of a uint8 or uint16 image, with a mark on what is synthetic in it."""
    made, info = io.BytesIO(), PngInfo()
    if mark:
        info.add_itxt(XMP_PNG, mark.xmp)
    Image.fromarray(pixels).save(made, format="PNG", compress_level=COMPRESSION, pnginfo=info)
    return made.getvalue()


def mark_of(record: dict[str, Any]) -> Mark | None:
    """The mark on an image with synthetic nodules."""
    if not record["nodules"]:
        return None
    recipes = [nodule["recipe"] for nodule in record["nodules"]]
    return Mark("Synthetic lung nodules", __version__, run=run_hash(record["seed"], recipes))


def run_lengths(mask: np.ndarray) -> dict[str, list[int]]:
    """COCO's run-length code of a mask, uncompressed: runs of 0 and 1 down the columns.

    Examples
    --------
    >>> run_lengths(np.array([[False, True], [True, True]]))
    {'size': [2, 2], 'counts': [1, 3]}
    """
    flat = mask.ravel(order="F").astype(np.int8)
    ends = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0], ends, [flat.size]])
    counts = np.diff(edges).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def from_run_lengths(code: dict[str, list[int]]) -> np.ndarray:
    """The mask that :func:`run_lengths` coded."""
    values = np.arange(len(code["counts"])) % 2 == 1
    return np.repeat(values, code["counts"]).reshape(code["size"], order="F")
