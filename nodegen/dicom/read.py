"""Radiographs in DICOM: computed and digital radiography, as they are shown."""

import hashlib
import warnings
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nodegen.dicom.clean import SPACINGS, clean
from nodegen.dicom.grey_scale import GreyScale, integer
from nodegen.errors import StackError

PATIENT_DIGITS = 12  # of the hash that stands for a patient
SQUARE = 0.02  # relative difference of a pixel's sides from which it is no square
START_BYTES = 132  # of preamble and magic
# What decodes an encapsulated transfer syntax where pydicom does not.
_JPEG = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"}  # lossless
_JPEG_12 = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
_FAULTS = (ValueError, TypeError, AttributeError, KeyError, IndexError, ArithmeticError)
_PLUGINS = ("openjpeg", "jpeg_ls")


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does: with its magic, or, of old ones, with an element."""
    try:
        with path.open("rb") as file:
            return begins_as_dicom(file.read(START_BYTES))
    except OSError:
        return False


def begins_as_dicom(start: bytes) -> bool:
    """Whether these are the first ``START_BYTES`` of a DICOM file."""
    if start[128:] == b"DICM":
        return True
    # Group 8 (or the file's own, 2), an early element, and its VR or a short length.
    early = start[:2] in (b"\x08\0", b"\x02\0") and start[2] <= 0x18 and start[3:4] == b"\0"
    return early and (start[4:6].isalpha() or start[5:8] == b"\0\0\0") and len(start) == START_BYTES


def count_frames(path: Path) -> int:
    """Radiographs in a DICOM file, by its elements alone."""
    try:
        return _frames(_dataset(path, pixels=False))
    except (TypeError, ValueError):
        return 1


class DicomImage(NamedTuple):
    """The radiographs of a DICOM file."""

    pixels: np.ndarray  # uint8 or uint16 (frame, row, column); bright where the beam was absorbed
    spacing: tuple[float, float] | None  # (x, y), mm; None where the file does not say
    patient: str | None  # what stands for the patient
    direction: tuple[float, float]  # of x to the patient's left, y to the feet: 1, or -1 against it


def read_dicom(path: Path) -> DicomImage:
    """Read the radiographs of a DICOM file.

    Raises
    ------
    StackError
        Where a decoder is missing, or the file holds no grey image.
    """
    dataset, frames = _decoded(path)
    try:
        shown = np.stack([GreyScale.of(frame, dataset).shown(frame) for frame in frames])
        towards = [str(axis)[:1] for axis in dataset.get("PatientOrientation") or ()]
    except _FAULTS as error:
        raise StackError(
            f"The rescale, window or table of {path} cannot be read ({error}); leave it out."
        ) from error
    direction = -1.0 if towards[:1] == ["R"] else 1.0, -1.0 if towards[1:] == ["H"] else 1.0
    return DicomImage(shown, spacing(dataset), patient(dataset), direction)


def stored_frame(path: Path, number: int) -> tuple[Any, np.ndarray]:
    """Elements of a DICOM file, and one frame's stored values (row, column), not to be changed."""
    dataset, frames = _kept(path, path.stat().st_mtime_ns)
    return dataset, frames[number]


@lru_cache(maxsize=1)
def _kept(path: Path, _: int) -> tuple[Any, np.ndarray]:
    return _decoded(path)


def _decoded(path: Path) -> tuple[Any, np.ndarray]:
    """The elements of a file, and its stored values (frame, row, column)."""
    dataset = _dataset(path)
    if (
        "Rows" not in dataset
        or "PixelData" not in dataset
        or integer(dataset, "SamplesPerPixel") != 1
        or dataset.get("PhotometricInterpretation") == "PALETTE COLOR"
    ):
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
        pixels = pixels if pixels.ndim == 3 else pixels[None]
        if len(pixels) != _frames(dataset):  # as where Rows or Columns are damaged
            raise ValueError(f"{len(pixels)} frames, where its elements say {_frames(dataset)}")
    except Exception as error:  # each decoder has its own
        missing = [name for name in _PLUGINS if find_spec(name) is None]
        remedy = "install nodegen[dicom]" if missing else "copy the file anew"
        why = " ".join(str(error).split()).rstrip(".")
        raise StackError(f"The pixels of {path} cannot be decoded ({why}); {remedy}.") from error
    return dataset, pixels


def _frames(dataset: Any) -> int:
    return max(integer(dataset, "NumberOfFrames"), 1)


def _aligned(dataset: Any) -> np.ndarray:
    """The stored values, with the least significant bit where it is wanted: in bit 0."""
    high, stored = integer(dataset, "HighBit", -1), integer(dataset, "BitsStored", -1)
    shift = high + 1 - stored
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax in _JPEG | _JPEG_12:
        with suppress(Exception):  # by pydicom below, or not at all
            return _jpeg(dataset, lossless=syntax in _JPEG)
    if shift == 0 or high < 0 or stored < 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return np.asarray(dataset.pixel_array)
    if shift < 0 or high >= integer(dataset, "BitsAllocated"):
        raise ValueError(f"High Bit {high} does not fit {stored} bits stored")
    dataset.BitsStored = high + 1
    pixels = np.asarray(dataset.pixel_array) >> shift
    dataset.BitsStored, dataset.HighBit = stored, stored - 1
    return pixels


def _jpeg(dataset: Any, *, lossless: bool) -> np.ndarray:
    import imagecodecs
    from pydicom.encaps import generate_frames

    decode = imagecodecs.jpegsof3_decode if lossless else imagecodecs.jpeg_decode
    count = _frames(dataset)
    made = [decode(f) for f in generate_frames(dataset.PixelData, number_of_frames=count)]
    pixels: np.ndarray = np.stack(made)
    if pixels.shape != (count, dataset.Rows, dataset.Columns):
        raise ValueError("another size than its elements say")
    if integer(dataset, "PixelRepresentation", 0) == 1:
        bits = 8 * pixels.itemsize - integer(dataset, "BitsStored")
        pixels = (pixels << bits).view(f"i{pixels.itemsize}") >> bits
    return pixels


def _aspect(dataset: Any) -> tuple[float, float]:
    """Width and height of a pixel without a size, by their ratio."""
    ratio = dataset.get("PixelAspectRatio")
    if ratio is None or len(ratio) != 2 or min(ratio) <= 0:
        return 1.0, 1.0
    return float(ratio[1]), float(ratio[0])  # the element has the vertical one first


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
        except (OSError, MemoryError):
            raise
        except Exception as error:  # of a damaged file it has faults of any kind
            raise StackError(
                f"{path} cannot be read as DICOM: it is damaged, truncated or of another format; "
                "copy it anew."
            ) from error


def patient(dataset: Any) -> str | None:
    """A hash of the patient's ID, to tell patients apart; it is not to be kept."""
    patient_id = str(dataset.get("PatientID", "") or "")
    if not patient_id:
        return None
    return hashlib.sha256(patient_id.encode(errors="replace")).hexdigest()[:PATIENT_DIGITS]


def spacing(dataset: Any) -> tuple[float, float] | None:
    """Size of a pixel (x, y) in the patient's plane, mm, by clean elements; None if there is none.

    Pixel Spacing, as calibrated; else Imager Pixel Spacing, the detector's, over the magnification
    where that is known; else that of the scanned film.
    """
    for name in SPACINGS:
        if name not in dataset:
            continue
        row, column = (float(value) for value in dataset.get(name))
        factor = dataset.get("EstimatedRadiographicMagnificationFactor")
        if name == "ImagerPixelSpacing" and factor and float(factor) > 0:
            row, column = row / float(factor), column / float(factor)
        return column, row
    return None
