"""Grey scales: each slice's own range to 0..1 for the method, and back to what is written."""

import numpy as np

from nodegen.constants import CHALLENGE_MAX
from nodegen.synthesis.fit_to_box import bounds

_HALF = np.finfo(np.float64).max / 4  # beyond it, a difference of two numbers may overflow


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """Map a slice's own minimum and maximum to 0..1 (float32); a flat slice becomes 0.

    Right over the whole range of every pixel type: what single precision cannot hold, whole numbers
    of 32 bit and floats of any size, is brought down in double precision.
    """
    low, high = float(pixels.min()), float(pixels.max())
    if high <= low:
        return np.zeros(pixels.shape, dtype=np.float32)
    if _narrow(pixels.dtype):
        unit = pixels.astype(np.float32)
    else:
        unit = pixels.astype(np.float64)
        if max(high, -low) > _HALF:  # the range itself would overflow
            unit *= 0.25
            low, high = 0.25 * low, 0.25 * high
    np.subtract(unit, low, out=unit)
    np.divide(unit, high - low, out=unit)
    return unit.astype(np.float32, copy=False)


def rescale(pixels: np.ndarray, low: float, high: float, top: float) -> np.ndarray:
    """Map ``low``..``high`` to 0..``top`` (float32), in double precision, of any pixel type.

    What lies beyond the range goes beyond it; an empty range gives 0.
    """
    if not high > low:
        return np.zeros(pixels.shape, dtype=np.float32)
    wide = pixels.astype(np.float64)
    if max(abs(low), abs(high), float(np.abs(wide).max(initial=0))) > _HALF:
        wide *= 0.25
        low, high = 0.25 * low, 0.25 * high
    wide -= low
    wide *= top / (high - low)
    return wide.astype(np.float32)


def _narrow(dtype: np.dtype) -> bool:
    """Whether single precision holds every value of a pixel type."""
    return dtype.kind in "iu" and dtype.itemsize <= 2


def to_output(untouched: np.ndarray, slice01: np.ndarray, intensity: str) -> np.ndarray:
    """Bring a slice to the grey scale of the output.

    Parameters
    ----------
    untouched, slice01 : ndarray, shape (row, column)
        The slice as it was read, and what became of it in 0..1 of its own range.
    intensity : {"challenge", "input"}
        uint8 0..255; or pixel type and grey scale of ``untouched``, where a pixel that nothing
        changed keeps its value, bit for bit.
    """
    if intensity == "challenge":
        return np.asarray(np.rint(slice01 * CHALLENGE_MAX).astype(np.uint8))
    unit, output = to_unit(untouched), untouched.copy()
    changed = slice01 != unit
    if changed.any():
        window = bounds(changed)
        limits = float(untouched.min()), float(untouched.max())
        output[window] = _changed(untouched[window], slice01[window] - unit[window], *limits)
    return output


def _changed(untouched: np.ndarray, change: np.ndarray, low: float, high: float) -> np.ndarray:
    """Add a change in 0..1 of the range to pixels, in their own type and grey scale."""
    if not _narrow(untouched.dtype):
        change = change.astype(np.float64)
    output = untouched.astype(np.float64)
    if max(high, -low) > _HALF:  # in two steps, neither of which overflows
        with np.errstate(over="ignore"):  # what lies beyond the range is clipped in any case
            output += change * (0.5 * high - 0.5 * low)
            np.clip(output, low, high, out=output)
            output += change * (0.5 * high - 0.5 * low)
    else:
        output += change * (high - low)
    np.clip(output, low, high, out=output)
    if np.issubdtype(untouched.dtype, np.integer):
        np.rint(output, out=output)
    return np.where(change != 0, output, untouched).astype(untouched.dtype)
