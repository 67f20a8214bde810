"""The grey scale of a DICOM radiograph and its inverse.

In DICOM's order: modality transform, values of interest (window or table), MONOCHROME1 last.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

# A window that burns out more of the image than this says nothing of it and is left out; full
# exposure beside the patient is rarely more than a third.
BURNT_OUT = 0.6
_WINDOW = ("PhotometricInterpretation", "BitsStored", "PixelRepresentation", "WindowCenter",
           "WindowWidth", "VOILUTFunction", "ModalityLUTSequence", "RescaleSlope",
           "RescaleIntercept")  # fmt: skip


@dataclass(frozen=True)
class GreyScale:
    """How the stored values of one frame become grey levels, and how they come back.

    What is negative or beyond 16 bit is brought into it, a range of less than 255 levels to
    0..4095, unless the source has 8 bit. Padding is no grey level: it is shown as the darkest one.
    """

    dataset: Any
    interest: bool  # whether window or table are applied: not where they burn out the image
    low: float  # least and greatest level without padding, before the inversion
    high: float

    @classmethod
    def of(cls, frame: np.ndarray, dataset: Any) -> "GreyScale":
        """The grey scale of a frame of stored values, (row, column)."""
        padded = _padded(frame, dataset)
        seen = frame if padded.all() else frame[~padded]
        levels, interest = _transformed(seen, dataset, False), False
        if dataset.get("VOILUTSequence") or dataset.get("WindowWidth"):
            windowed = _transformed(seen, dataset, True)
            if _at_ends(windowed) <= max(BURNT_OUT, _at_ends(levels)):
                levels, interest = windowed, True
        return cls(dataset, interest, float(levels.min()), float(levels.max()))

    @property
    def inverted(self) -> bool:
        """Whether white is 0."""
        return str(self.dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"

    @property
    def eight_bit(self) -> bool:
        """Whether the levels are those of a source of 8 bit."""
        few = integer(self.dataset, "BitsAllocated", 16) == 8 and self.high - self.low > 1
        return few and self.low >= 0 and self.high <= 255

    def levels(self, stored: np.ndarray) -> np.ndarray:
        """Grey levels of stored values, not rounded; bright where the beam was absorbed."""
        levels = _transformed(stored, self.dataset, self.interest)
        low, high = self.low, self.high
        if self.inverted:
            levels = low + high - levels
        if low < 0 or high > 65535:
            levels = (levels - low) * (min(65535 / max(high - low, 1), 1) if high > low else 1)
        elif high - low < 255 and not self.eight_bit:  # such as values of interest in 0..1
            levels = (levels - low) * (4095 / max(high - low, 1e-9))
        return levels

    def shown(self, stored: np.ndarray) -> np.ndarray:
        """Grey levels in uint16, or uint8 of a source of 8 bit."""
        levels, padded = self.levels(stored), _padded(stored, self.dataset)
        if padded.any() and not padded.all():
            levels[padded] = levels[~padded].min()
        return np.asarray(np.rint(levels).astype(np.uint8 if self.eight_bit else np.uint16))

    def changed(self, stored: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Stored values (row, column) after a change of what is shown, in grey levels.

        The stored value whose level lies nearest is taken; of several with one level, as beyond the
        ends of a window, the nearest to what was stored. What does not change stays, bit for bit.
        """
        where = change != 0
        if not where.any():
            return stored.copy()
        values = self._values(stored)
        table = self.levels(values)
        if table[-1] < table[0]:
            values, table = values[::-1], table[::-1]
        table = np.maximum.accumulate(table)  # a table of interest may have dents
        before = stored[where].astype(np.int64)
        place = np.abs(before - int(values[0]))  # values lie one apart
        wanted = table[place] + change[where]
        first = np.searchsorted(table, wanted, "left")
        last = np.searchsorted(table, wanted, "right") - 1
        below, above = np.maximum(first - 1, 0), np.minimum(first, len(table) - 1)
        nearer = np.where(wanted - table[below] < table[above] - wanted, below, above)
        # All of one level's values, and of them the nearest to what was there.
        level = np.where(first <= last, wanted, table[nearer])
        start = np.searchsorted(table, level, "left")
        stop = np.searchsorted(table, level, "right") - 1
        made = stored.copy()
        made[where] = values[np.clip(place, start, stop)].astype(stored.dtype)
        return made

    def _values(self, stored: np.ndarray) -> np.ndarray:
        """All values that can be stored, rising by one."""
        bits = min(int(self.dataset.get("BitsStored", 16)), 16)
        signed = int(self.dataset.get("PixelRepresentation", 0)) == 1
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        return np.arange(min(low, int(stored.min())), max(high, int(stored.max())) + 1)


def integer(dataset: Any, name: str, default: int = 1) -> int:
    """A whole number of a dataset; the default where it has none."""
    value = dataset.get(name)
    return default if value in (None, "") else int(value)


def _padded(stored: np.ndarray, dataset: Any) -> np.ndarray:
    """Where stored values are padding, by Pixel Padding Value and its range."""
    if dataset.get("PixelPaddingValue") is None:
        return np.zeros(stored.shape, bool)
    ends = [dataset.PixelPaddingValue, dataset.get("PixelPaddingRangeLimit")]
    # Either may be written with the other sign than the pixels have.
    bits = np.array([value for value in ends if value is not None]).astype(np.int64)
    signed = integer(dataset, "PixelRepresentation", 0) == 1
    low, high = np.sort(bits.astype(np.uint16).astype(np.int16 if signed else np.uint16))[[0, -1]]
    found: np.ndarray = (stored >= low) & (stored <= high)
    return found


def _transformed(stored: np.ndarray, dataset: Any, interest: bool) -> np.ndarray:
    """Stored values through the modality transform, and through window or table where asked."""
    from pydicom import Dataset
    from pydicom.pixels.processing import apply_windowing

    tables = dataset.get("ModalityLUTSequence")
    if tables:
        levels = _looked_up(stored, tables[0])
    else:
        slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
        levels = stored.astype(np.float64)
        levels *= 1.0 if slope is None else float(slope)
        levels += 0.0 if intercept is None else float(intercept)
    if interest and dataset.get("VOILUTSequence"):
        levels = _looked_up(levels, dataset.VOILUTSequence[0])
    elif interest:
        needed = Dataset()
        for name in _WINDOW:
            if dataset.get(name) not in (None, ""):
                setattr(needed, name, dataset.get(name))
        if "RescaleSlope" in needed and "RescaleIntercept" not in needed:
            needed.RescaleIntercept = "0"
        levels = apply_windowing(levels, needed)
    return np.asarray(levels, np.float64)


def _looked_up(levels: np.ndarray, item: Any) -> np.ndarray:
    """Levels through a table, by the length of its entries, whatever number of bits it claims."""
    count, first, bits = (int(value) for value in item.LUTDescriptor)
    count = count or 2**16
    if first >= 2**15 and levels.size and float(levels.min()) < 0:
        first -= 2**16  # a signed number, written as one without a sign
    data = item.LUTData
    if isinstance(data, bytes):
        wide = bits > 8 or len(data) >= 2 * count
        entries = np.frombuffer(data, "<u2" if wide else "u1")
    else:
        entries = np.atleast_1d(np.asarray(data)).astype(np.int64) & 0xFFFF
    if len(entries) < count:
        raise ValueError(f"a table holds {len(entries)} of its {count} entries")
    place = np.clip(np.rint(levels) - first, 0, count - 1).astype(np.int64)
    found: np.ndarray = entries[place].astype(np.float64)
    return found


def _at_ends(levels: np.ndarray) -> float:
    """Share of the pixels at the least or greatest level."""
    return float(((levels <= levels.min()) | (levels >= levels.max())).mean())
