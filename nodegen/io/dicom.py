"""Radiographs in DICOM: computed and digital radiography, as they are shown.

The grey scale follows DICOM's own order: the pixels, the modality transform, the values of interest
(window or table), and the inversion of MONOCHROME1 last.
"""

import hashlib
from collections.abc import Iterator
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
    frames = pixels if pixels.ndim == 3 else pixels[None]
    for number, frame in enumerate(frames):
        yield Radiograph(shown(frame, dataset), spacing(dataset), path, number, patient(dataset))


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
    """A hash of the patient's ID, so that no identity is carried over."""
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


def shown(frame: np.ndarray, dataset: Any) -> np.ndarray:
    """Grey levels of one frame as they are shown, bright where the beam was absorbed.

    Returns
    -------
    numpy.ndarray of uint16, shape (row, column)
    """
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    plain = np.asarray(apply_modality_lut(frame, dataset), np.float64)
    levels = plain
    if dataset.get("VOILUTSequence") or dataset.get("WindowWidth"):
        seen = np.asarray(apply_voi_lut(apply_modality_lut(frame, dataset), dataset), np.float64)
        ends = ((seen <= seen.min()) | (seen >= seen.max())).mean()
        already = ((plain <= plain.min()) | (plain >= plain.max())).mean()
        if ends <= max(BURNT_OUT, already):
            levels = seen
    low, high = levels.min(), levels.max()
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        levels = low + high - levels
    if low < 0 or high > 65535:
        levels = (levels - low) * (min(65535 / max(high - low, 1), 1) if high > low else 1)
    elif high - low < 255:  # values of interest in a small range, such as 0..1
        levels = (levels - low) * (4095 / max(high - low, 1e-9))
    return np.rint(levels).astype(np.uint16)
