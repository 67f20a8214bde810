"""Pixels as a page holds them: 16 bit, lossless, as base64 of a raw deflate stream.

Browsers decode no PNG at 16 bit, but all inflate. Each stored value is replaced by its difference
to the one left of it (in the first column: above), modulo 65536; the signed difference is folded
(0, -1, 1, -2, ... become 0, 1, 2, 3, ...); high bytes come first, then low bytes. That takes about
seven bits a pixel for a chest radiograph. ``static/pixels.js`` undoes it.
"""

import base64
import zlib

import numpy as np

FINE = 16  # stored steps a grey level where values are not whole: 0..4095 fill 16 bit
LEVEL = 6  # of deflate


def stored(slice_: np.ndarray, slope: float) -> np.ndarray:
    """Grey levels (row, column) of 0..4095 as uint16, with ``slope`` grey levels a stored step."""
    whole = slope == 1 and np.issubdtype(slice_.dtype, np.integer)
    levels = slice_ if whole else np.rint(slice_.astype(np.float64) / slope)
    return np.asarray(np.clip(levels, 0, 65535).astype(np.uint16))


def slope_of(*slices: np.ndarray) -> float:
    """Grey levels a stored step: 1 where all values are whole, else a sixteenth.

    Examples
    --------
    >>> slope_of(np.array([[1, 2]])), slope_of(np.array([[1, 2]]), np.array([[0.5, 2]]))
    (1.0, 0.0625)
    """
    whole = (np.issubdtype(s.dtype, np.integer) or bool((s == np.rint(s)).all()) for s in slices)
    return 1.0 if all(whole) else 1 / FINE


def pack(values: np.ndarray) -> str:
    """Pack stored values (row, column)."""
    step = values.copy()
    step[:, 1:] -= values[:, :-1]
    step[1:, 0] -= values[:-1, 0]
    signed = step.view(np.int16).astype(np.int32)
    folded = ((signed << 1) ^ (signed >> 15)).astype(np.uint16)
    planes = np.stack([folded >> 8, folded & 255]).astype(np.uint8)
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    return base64.b64encode(deflate.compress(planes.tobytes()) + deflate.flush()).decode()
