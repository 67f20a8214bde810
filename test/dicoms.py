"""Radiographs in DICOM for tests, written by pydicom."""

import numpy as np
import pytest
from radiographs import phantoms

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import (  # noqa: E402
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

PIXELS = phantoms()[0]  # 12 bit in 16
CR, DX = ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation


def dicom(path, pixels=PIXELS, **more):
    """Write a digital radiograph; further elements by their keyword."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = more.pop("SOPClassUID", DX)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, generate_uid()
    made.Modality, made.PatientID, made.PatientName = "DX", "Secret 7", "Doe^Jane"
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape[-2:]
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.PixelData = np.ascontiguousarray(pixels, np.uint16).tobytes()
    for keyword, value in more.items():
        setattr(made, keyword, value)
    made.save_as(path, enforce_file_format=True)
    return path
