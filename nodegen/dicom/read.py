"""Radiographs in DICOM: computed and digital radiography, as they are shown.

The grey scale follows DICOM's own order: the pixels, the modality transform, the values of interest
(window or table), and the inversion of MONOCHROME1 last.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodegen.errors import StackError

if TYPE_CHECKING:
    from nodegen.io.radiograph import Radiograph

# A window that burns out more of the image than this tells nothing of it and is left out; full
# exposure beside the patient is rarely more than a third.
BURNT_OUT = 0.6
PATIENT_DIGITS = 12  # of the hash that stands for a patient


def read_dicom(path: Path) -> Iterator["Radiograph"]:
    """Read the radiographs of a DICOM file, a frame each.

    Raises
    ------
    StackError
        Where a decoder is missing, or the file holds no grey image.
    """
    from nodegen.io.radiograph import Radiograph

    dataset, frames = _decoded(path)
    for number, frame in enumerate(frames):
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
        yield Radiograph(grey, spacing(dataset), path, number, patient(dataset))


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
    if "Rows" not in dataset or int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise StackError(
            f"{path} holds no image in grey levels, where a radiograph (DX or CR) is wanted; "
            "leave it out."
        )
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # each decoder has its own
        raise StackError(
            f"The pixels of {path} cannot be decoded ({error}); install nodegen[dicom], or copy "
            "the file anew."
        ) from error
    return dataset, pixels if pixels.ndim == 3 else pixels[None]


def patient_of(path: Path) -> str | None:
    """What stands for the patient of a DICOM file; None where it does not say."""
    return patient(_dataset(path, pixels=False))


def _dataset(path: Path, pixels: bool = True) -> Any:
    import pydicom

    try:
        return pydicom.dcmread(path, stop_before_pixels=not pixels)
    except (OSError, pydicom.errors.InvalidDicomError, ValueError, KeyError) as error:
        raise StackError(
            f"{path} cannot be read as DICOM: it is damaged, truncated or of another format; "
            "copy it anew."
        ) from error


def patient(dataset: Any) -> str | None:
    """A hash of the patient's ID, to tell patients apart; it is not to be kept."""
    told = str(dataset.get("PatientID", "") or "")
    if not told:
        return None
    return hashlib.sha256(told.encode()).hexdigest()[:PATIENT_DIGITS]


def spacing(dataset: Any) -> tuple[float, float] | None:
    """Size of a pixel (x, y) in the patient's plane, mm; None where the file does not say.

    Pixel Spacing where there is one, as calibrated; else Imager Pixel Spacing, which is that of the
    detector, over the magnification where that is told; else that of the scanned film.
    """
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        told = dataset.get(name)
        if told and len(told) == 2 and min(float(v) for v in told) > 0:
            row, column = (float(value) for value in told)
            factor = dataset.get("EstimatedRadiographicMagnificationFactor")
            if name == "ImagerPixelSpacing" and factor and float(factor) > 0:
                row, column = row / float(factor), column / float(factor)
            return column, row
    return None


@dataclass(frozen=True)
class GreyScale:
    """How the stored values of one frame become grey levels, and how they come back.

    The order is DICOM's own: modality transform, values of interest, inversion of MONOCHROME1. What
    is negative or beyond 16 bit is brought into it, a range of less than 255 levels to 0..4095.

    Attributes
    ----------
    dataset : pydicom.Dataset
    interest : bool
        Whether window or table are applied; they are left out where they burn out the image.
    low, high : float
        Least and greatest level of the frame, before the inversion.
    """

    dataset: Any
    interest: bool
    low: float
    high: float

    @classmethod
    def of(cls, frame: np.ndarray, dataset: Any) -> "GreyScale":
        """The grey scale of a frame of stored values, (row, column)."""
        levels, interest = _transformed(frame, dataset, False), False
        if dataset.get("VOILUTSequence") or dataset.get("WindowWidth"):
            seen = _transformed(frame, dataset, True)
            if _at_ends(seen) <= max(BURNT_OUT, _at_ends(levels)):
                levels, interest = seen, True
        return cls(dataset, interest, float(levels.min()), float(levels.max()))

    @property
    def inverted(self) -> bool:
        """Whether white is 0."""
        return str(self.dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"

    def levels(self, stored: np.ndarray) -> np.ndarray:
        """Grey levels of stored values, not rounded; bright where the beam was absorbed."""
        levels = _transformed(stored, self.dataset, self.interest)
        low, high = self.low, self.high
        if self.inverted:
            levels = low + high - levels
        if low < 0 or high > 65535:
            levels = (levels - low) * (min(65535 / max(high - low, 1), 1) if high > low else 1)
        elif high - low < 255:  # values of interest in a small range, such as 0..1
            levels = (levels - low) * (4095 / max(high - low, 1e-9))
        return levels

    def shown(self, stored: np.ndarray) -> np.ndarray:
        """Grey levels in uint16."""
        return np.asarray(np.rint(self.levels(stored)).astype(np.uint16))

    def changed(self, stored: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Stored values after a change of what is shown.

        Of all values that can be stored the one is taken whose level lies nearest; of several with
        one level, as beyond the ends of a window, the nearest to what was stored. Where nothing
        changes, the stored value stays, bit for bit.

        Parameters
        ----------
        stored : numpy.ndarray of int, shape (row, column)
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


def _transformed(stored: np.ndarray, dataset: Any, interest: bool) -> np.ndarray:
    """Stored values through the modality transform, and through window or table where asked."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    levels = apply_modality_lut(stored, dataset)
    return np.asarray(apply_voi_lut(levels, dataset) if interest else levels, np.float64)


def _at_ends(levels: np.ndarray) -> float:
    """Share of the pixels at the least or greatest level."""
    return float(((levels <= levels.min()) | (levels >= levels.max())).mean())
