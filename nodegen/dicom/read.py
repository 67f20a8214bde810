"""Radiographs in DICOM: computed and digital radiography, as they are shown.

The grey scale follows DICOM's own order: the pixels, the modality transform, the values of interest
(window or table), and the inversion of MONOCHROME1 last.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dicom.clean import clean
from nodegen.errors import StackError

# A window that burns out more of the image than this tells nothing of it and is left out; full
# exposure beside the patient is rarely more than a third.
BURNT_OUT = 0.6
PATIENT_DIGITS = 12  # of the hash that stands for a patient
SQUARE = 0.02  # relative difference of a pixel's sides from which it is no square
_START = 132  # bytes of preamble and magic
# What decodes an encapsulated transfer syntax where pydicom does not.
_JPEG = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}  # lossless
_JPEG_12 = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
_PLUGINS = ("openjpeg", "jpeg_ls")


@dataclass(frozen=True)
class Frame:
    """One radiograph of a DICOM file.

    Attributes
    ----------
    pixels : numpy.ndarray of uint8 or uint16, shape (row, column)
        Bright where the beam was absorbed.
    spacing : tuple of float or None
        (x, y), mm; None where the file does not say.
    patient : str or None
        What stands for the patient.
    """

    pixels: np.ndarray
    spacing: tuple[float, float] | None
    patient: str | None


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does: with its magic, or, of old ones, with an element."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        return False
    if start[128:] == b"DICM":
        return path.name.upper() != "DICOMDIR"
    # Group 8 (or the file's own, 2), an early element, and its VR or a short length.
    early = start[:2] in (b"\x08\0", b"\x02\0") and start[2] <= 0x18 and start[3:4] == b"\0"
    return early and (start[4:6].isalpha() or start[5:8] == b"\0\0\0") and len(start) == _START


def count_frames(path: Path) -> int:
    """Radiographs in a DICOM file, by its elements alone.

    Raises
    ------
    StackError
        Where it cannot be read.
    """
    try:
        return max(int(_dataset(path, pixels=False).get("NumberOfFrames") or 1), 1)
    except (TypeError, ValueError):
        return 1


def read_dicom(path: Path) -> Iterator[Frame]:
    """Read the radiographs of a DICOM file, a frame each.

    Raises
    ------
    StackError
        Where a decoder is missing, or the file holds no grey image.
    """
    dataset, frames = _decoded(path)
    for frame in frames:
        try:
            grey = GreyScale.of(frame, dataset).shown(frame)
        except (
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
            IndexError,
            ArithmeticError,
        ) as error:
            raise StackError(
                f"The rescale, window or table of {path} cannot be read ({error}); leave it out."
            ) from error
        yield Frame(grey, spacing(dataset), patient(dataset))


def stored_frame(path: Path, number: int) -> tuple[Any, np.ndarray]:
    """The elements of a DICOM file and one frame's stored values, (row, column); the last is kept.

    Neither may be changed.

    Raises
    ------
    StackError
        Where the file cannot be read.
    """
    dataset, frames = _kept(path, path.stat().st_mtime_ns)
    return dataset, frames[number]


@lru_cache(maxsize=1)
def _kept(path: Path, _: int) -> tuple[Any, np.ndarray]:
    return _decoded(path)


def _decoded(path: Path) -> tuple[Any, np.ndarray]:
    """The elements of a file, and its stored values (frame, row, column)."""
    dataset = _dataset(path)
    if "Rows" not in dataset or "PixelData" not in dataset or _int(dataset, "SamplesPerPixel") != 1:
        raise StackError(
            f"{path} holds no image in grey levels, where a radiograph (DX or CR) is wanted; "
            "leave it out."
        )
    sides = spacing(dataset) or _aspect(dataset)
    if abs(sides[0] / sides[1] - 1) > SQUARE:
        raise StackError(
            f"{path} has pixels of {sides[0]:g} x {sides[1]:g}, where square ones are wanted; "
            "resample it."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = _aligned(dataset)
    except Exception as error:  # each decoder has its own
        missing = [name for name in _PLUGINS if find_spec(name) is None]
        remedy = "install nodegen[dicom]" if missing else "copy the file anew"
        why = " ".join(str(error).split()).rstrip(".")
        raise StackError(f"The pixels of {path} cannot be decoded ({why}); {remedy}.") from error
    return dataset, pixels if pixels.ndim == 3 else pixels[None]


def _aligned(dataset: Any) -> np.ndarray:
    """The stored values, with the least significant bit where it is wanted: in bit 0."""
    high, stored = _int(dataset, "HighBit", -1), _int(dataset, "BitsStored", -1)
    shift = high + 1 - stored
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax in _JPEG | _JPEG_12:
        with suppress(Exception):  # by pydicom below, or not at all
            return _jpeg(dataset, lossless=syntax in _JPEG)
    if shift == 0 or high < 0 or stored < 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return np.asarray(dataset.pixel_array)
    if shift < 0 or high >= _int(dataset, "BitsAllocated"):
        raise ValueError(f"High Bit {high} does not fit {stored} bits stored")
    dataset.BitsStored = high + 1
    pixels = np.asarray(dataset.pixel_array) >> shift
    dataset.BitsStored, dataset.HighBit = stored, stored - 1
    return pixels


def _jpeg(dataset: Any, *, lossless: bool) -> np.ndarray:
    import imagecodecs
    from pydicom.encaps import generate_frames

    decode = imagecodecs.jpegsof3_decode if lossless else imagecodecs.jpeg_decode
    count = _int(dataset, "NumberOfFrames")
    made = [decode(f) for f in generate_frames(dataset.PixelData, number_of_frames=count)]
    pixels: np.ndarray = np.stack(made)
    if pixels.shape != (count, dataset.Rows, dataset.Columns):
        raise ValueError("another size than its elements say")
    if _int(dataset, "PixelRepresentation", 0) == 1:
        bits = 8 * pixels.itemsize - _int(dataset, "BitsStored")
        pixels = (pixels << bits).view(f"i{pixels.itemsize}") >> bits
    return pixels


def _int(dataset: Any, name: str, default: int = 1) -> int:
    value = dataset.get(name)
    return default if value in (None, "") else int(value)


def _aspect(dataset: Any) -> tuple[float, float]:
    """Width and height of a pixel without a size, by their ratio."""
    told = dataset.get("PixelAspectRatio")
    if told is None or len(told) != 2 or min(told) <= 0:
        return 1.0, 1.0
    return float(told[1]), float(told[0])  # the element has the vertical one first


def patient_of(path: Path) -> str | None:
    """What stands for the patient of a DICOM file; None where it does not say."""
    return patient(_dataset(path, pixels=False))


def _dataset(path: Path, pixels: bool = True) -> Any:
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    with warnings.catch_warnings():  # about what is cleaned, or passed over
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=not pixels, force=is_dicom(path))
            if "TransferSyntaxUID" not in dataset.file_meta:  # without preamble and file meta
                implicit = dataset.original_encoding[0]
                dataset.file_meta.TransferSyntaxUID = (
                    ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
                )
            clean(dataset)
            return dataset
        except OSError as error:
            raise StackError(
                f"{path} cannot be read ({error.strerror or error}); make it readable, or copy it "
                "anew."
            ) from error
        except MemoryError:
            raise
        except Exception as error:  # of a damaged file it has faults of any kind
            raise StackError(
                f"{path} cannot be read as DICOM: it is damaged, truncated or of another format; "
                "copy it anew."
            ) from error


def patient(dataset: Any) -> str | None:
    """A hash of the patient's ID, to tell patients apart; it is not to be kept."""
    told = str(dataset.get("PatientID", "") or "")
    if not told:
        return None
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:PATIENT_DIGITS]


def spacing(dataset: Any) -> tuple[float, float] | None:
    """Size of a pixel (x, y) in the patient's plane, mm; None where the file does not say.

    Pixel Spacing where there is one, as calibrated; else Imager Pixel Spacing, which is that of the
    detector, over the magnification where that is told; else that of the scanned film. The elements
    are clean, see :func:`nodegen.dicom.clean.clean`.
    """
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if name not in dataset:
            continue
        row, column = (float(value) for value in dataset.get(name))
        factor = dataset.get("EstimatedRadiographicMagnificationFactor")
        if name == "ImagerPixelSpacing" and factor and float(factor) > 0:
            row, column = row / float(factor), column / float(factor)
        return column, row
    return None


@dataclass(frozen=True)
class GreyScale:
    """How the stored values of one frame become grey levels, and how they come back.

    The order is DICOM's own: modality transform, values of interest, inversion of MONOCHROME1. What
    is negative or beyond 16 bit is brought into it, a range of less than 255 levels to 0..4095,
    unless the source has 8 bit. Padding is no grey level: it is shown as the darkest one.

    Attributes
    ----------
    dataset : pydicom.Dataset
    interest : bool
        Whether window or table are applied; they are left out where they burn out the image.
    low, high : float
        Least and greatest level of the frame without its padding, before the inversion.
    """

    dataset: Any
    interest: bool
    low: float
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
        few = _int(self.dataset, "BitsAllocated", 16) == 8 and self.high - self.low > 1
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
        """Stored values after a change of what is shown.

        Of all values that can be stored the one is taken whose level lies nearest; of several with
        one level, as beyond the ends of a window, the nearest to what was stored. Where nothing
        changes, the stored value stays, bit for bit.

        Parameters
        ----------
        stored : numpy.ndarray of int, shape (row, column)
            Values as the file has them, before the change.
        change : numpy.ndarray of float, shape (row, column)
            In grey levels.
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


def _padded(stored: np.ndarray, dataset: Any) -> np.ndarray:
    """Where stored values are padding, by Pixel Padding Value and its range."""
    if dataset.get("PixelPaddingValue") is None:
        return np.zeros(stored.shape, bool)
    ends = [dataset.PixelPaddingValue, dataset.get("PixelPaddingRangeLimit")]
    # Either may be written with the other sign than the pixels have.
    bits = np.array([value for value in ends if value is not None]).astype(np.int64)
    signed = _int(dataset, "PixelRepresentation", 0) == 1
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
        for name in ("PhotometricInterpretation", "BitsStored", "PixelRepresentation",
                     "WindowCenter", "WindowWidth", "VOILUTFunction", "ModalityLUTSequence",
                     "RescaleSlope", "RescaleIntercept"):  # fmt: skip
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
