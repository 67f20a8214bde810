"""Radiographs with nodules in DICOM, in their source's own stored form or in a new one.

UIDs are hashes: a set has the same ones wherever it is written, and nothing leads back from them.
"""

import io
import uuid
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from nodegen import __version__
from nodegen.dicom import elements
from nodegen.dicom.clean import SPACINGS
from nodegen.dicom.elements import CR, DX, DX_RAW, SC

UID_ROOT = uuid.uuid5(uuid.NAMESPACE_DNS, "nodegen")


@dataclass(frozen=True)
class Derivation:
    """What a derived image says besides pixels and technique."""

    key: tuple[str, ...]  # what its UIDs follow from; no two images have the same one
    study: str  # what stands for the study, from which its UID follows
    patient: str  # what stands for the patient
    number: int  # of the image in its series
    series: tuple[int, str]  # number and description
    description: str  # how the image came about
    synthetic: bool  # whether something in it is not as it was acquired
    keep_identity: bool = False  # whether everything that the source says is taken over


def uid(*parts: object) -> str:
    """A UID that follows from what is given: a UUID by name (version 5), as DICOM allows.

    Examples
    --------
    >>> uid("a", 1) == uid("a", 1) != uid("a", 2)
    True
    >>> uid("a").startswith("2.25.") and len(uid("a")) <= 64
    True
    """
    return f"2.25.{uuid.uuid5(UID_ROOT, chr(0).join(map(str, parts))).int}"


def in_stored_form(
    source: Dataset, stored: np.ndarray, mm: float, derivation: Derivation
) -> Dataset:
    """Make an image in its source's own matrix, bits, grey scale and photometric interpretation.

    Parameters
    ----------
    source : pydicom.Dataset
        Clean elements.
    stored : ndarray, shape (row, column)
        Its values, changed.
    mm : float
        Size of a pixel, for a source that does not say it.
    derivation : Derivation
        What it says besides.
    """
    made = _begun(source, derivation)
    if not derivation.keep_identity:
        _take(source, made, elements.PIXELS)
    made.SOPClassUID = _kind(source)
    white_is_0 = made.PhotometricInterpretation == "MONOCHROME1"
    if made.SOPClassUID != CR and "PresentationLUTShape" not in made:
        made.PresentationLUTShape = "INVERSE" if white_is_0 else "IDENTITY"
    if made.SOPClassUID in (DX, DX_RAW) and not made.get("PixelIntensityRelationshipSign"):
        made.PixelIntensityRelationshipSign = 1 if white_is_0 else -1
    return _completed(made, stored, derivation, source, mm)


def in_new_form(
    source: Dataset | None,
    pixels: np.ndarray,
    window: tuple[float, float],
    mm: float,
    derivation: Derivation,
    *,
    resampled: float = 1.0,
    calibrated: bool = False,
) -> Dataset:
    """Make an image whose stored values are the grey levels themselves, MONOCHROME2.

    Parameters
    ----------
    source : pydicom.Dataset or None
        None where the radiograph came from a file that is no DICOM.
    pixels : ndarray of uint8 or uint16, shape (row, column)
        ``BitsStored`` is 12 where they stay in 0..4095.
    window : (float, float)
        Grey levels that are shown black and white.
    mm : float
        Size of a pixel.
    derivation : Derivation
        What the image says besides.
    resampled : float
        The px for each px of the source, by which its pixel sizes are divided.
    calibrated : bool
        Whether `mm` follows from the width of the lungs, because no file says it.
    """
    made = _begun(source, derivation)
    for name in elements.PIXELS:
        if name in made:
            delattr(made, name)
    for name in SPACINGS:
        if made.get(name):
            setattr(made, name, [format_number_as_ds(float(v) / resampled) for v in made.get(name)])
    if not any(made.get(name) for name in ("ImagerPixelSpacing", "PixelSpacing")):
        made.PixelSpacing = [format_number_as_ds(float(mm))] * 2
        if calibrated:
            made.PixelSpacingCalibrationType = "FIDUCIAL"
            made.PixelSpacingCalibrationDescription = "By the mean width of adults' lungs"
    bits = 8 * pixels.dtype.itemsize
    stored = 12 if bits == 16 and int(pixels.max()) <= 4095 else bits
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, stored, stored - 1
    made.PixelRepresentation = 0
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = "0", "1", "US"
    _show(made, *window)
    made.PresentationLUTShape = "IDENTITY"
    made.SOPClassUID = DX if _kind(source) == DX_RAW else _kind(source)
    if made.SOPClassUID == DX:
        made.PresentationIntentType, made.PixelIntensityRelationshipSign = "FOR PRESENTATION", -1
    return _completed(made, pixels, derivation, source, mm)


def encoded(dataset: Dataset) -> bytes:
    """The bytes of a DICOM file, explicit VR, little endian, not compressed."""
    dataset.file_meta, file = FileMetaDataset(), io.BytesIO()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def _kind(source: Dataset | None) -> str:
    """The class of the image; of what is neither CR nor DX, secondary capture."""
    kind = str(source.get("SOPClassUID", "")) if source is not None else ""
    return kind if kind in (CR, DX, DX_RAW) else SC


def _begun(source: Dataset | None, derivation: Derivation) -> Dataset:
    """A dataset with what is taken over from the source, and who it is of."""
    made = Dataset()
    if source is not None and derivation.keep_identity:
        for element in source:
            if element.tag.group not in (0x0002, 0x7FE0):
                made[element.tag] = deepcopy(element)
        for name in ("NumberOfFrames", "IconImageSequence", "SmallestImagePixelValue",
                     "LargestImagePixelValue", "FrameIncrementPointer"):  # fmt: skip
            if name in made:
                delattr(made, name)
        if "StudyInstanceUID" not in made:
            made.StudyInstanceUID = uid("study", derivation.study)
        return made
    made.SpecificCharacterSet = "ISO_IR 192"
    if source is not None:
        _take(source, made, elements.ACQUISITION)
        if source.get("BurnedInAnnotation") == "NO":
            made.PatientIdentityRemoved = "YES"
            made.DeidentificationMethod = "Only elements without identity taken over, new UIDs"
            made.LongitudinalTemporalInformationModified = "REMOVED"
    made.PatientID, made.PatientName = derivation.patient, f"{derivation.patient}^"
    made.StudyInstanceUID = uid("study", derivation.study)
    return made


def _completed(
    made: Dataset,
    pixels: np.ndarray,
    derivation: Derivation,
    source: Dataset | None,
    mm: float,
) -> Dataset:
    """Add the pixels, say the derivation, and fill in what the class of image must have."""
    content = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
    made.PixelData = content + b"\0" * (len(content) % 2)
    made.Rows, made.Columns = pixels.shape
    kind, made.SOPInstanceUID = made.SOPClassUID, uid("image", *derivation.key)
    made.SeriesInstanceUID = uid("series", derivation.study, *derivation.series)
    made.SeriesNumber, made.SeriesDescription = derivation.series
    made.InstanceNumber = derivation.number
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.SyntheticData = "YES" if derivation.synthetic else "NO"
    made.DerivationDescription = derivation.description[:1024]
    made.DerivationCodeSequence = [_code(*elements.ADDITION)]
    if source is not None and source.get("SOPInstanceUID"):
        own = str(source.SOPInstanceUID)
        item = Dataset()
        item.ReferencedSOPClassUID = source.SOPClassUID
        item.ReferencedSOPInstanceUID = own if derivation.keep_identity else uid("source", own)
        item.PurposeOfReferenceCodeSequence = [_code(*elements.SOURCE_IMAGE)]
        made.SourceImageSequence = [item]
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [_code(*elements.MODIFYING)]
    item.Manufacturer = item.ManufacturerModelName = "nodegen"
    item.SoftwareVersions = __version__
    item.ContributionDescription = "Synthetic lung nodules"
    made.ContributingEquipmentSequence = [item]
    for name, value in {**elements.REQUIRED[kind], "LossyImageCompression": "00"}.items():
        if not made.get(name):
            setattr(made, name, value)
    if kind in (DX, DX_RAW):
        if not made.get("AnatomicRegionSequence"):
            made.AnatomicRegionSequence = [_code(*elements.CHEST)]
        if not made.get("ImagerPixelSpacing"):
            made.ImagerPixelSpacing = (
                made.get("PixelSpacing") or [format_number_as_ds(float(mm))] * 2
            )
        if kind == DX and not (made.get("VOILUTSequence") or made.get("WindowWidth")):
            values = 2 ** int(made.BitsStored)
            low = -values // 2 if made.PixelRepresentation else 0
            _show(made, low, low + values - 1)
    for name in (*elements.EMPTY, *elements.EMPTY_OF[kind]):
        if name not in made:
            setattr(made, name, [] if name.endswith("Sequence") else None)
    return made


def _show(made: Dataset, low: float, high: float) -> None:
    """The window from black to white."""
    made.WindowCenter = format_number_as_ds(float(low + high + 1) / 2)
    made.WindowWidth = format_number_as_ds(float(high - low + 1))


def _take(source: Dataset, made: Dataset, names: Sequence[str]) -> None:
    """Take over what is allowed, in sequences as well."""
    for name in names:
        if name not in source:
            continue
        element = source[name]
        if element.VR != "SQ":
            made[element.tag] = deepcopy(element)
            continue
        items = [Dataset() for _ in element.value]
        for item, own in zip(items, element.value, strict=True):
            _take(own, item, elements.WITHIN)
        setattr(made, name, items)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made
