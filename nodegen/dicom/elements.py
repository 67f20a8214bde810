"""Elements of DICOM images: which are taken over from a source, and which must be there.

It is a list of what is allowed: whatever may say who the patient is stays behind.
"""

from typing import Any

from pydicom import uid

CR, SC = uid.ComputedRadiographyImageStorage, uid.SecondaryCaptureImageStorage
DX = uid.DigitalXRayImageStorageForPresentation
DX_RAW = uid.DigitalXRayImageStorageForProcessing
# Codes of DICOM's context groups 4009, 7203, 7202 and 7005.
CHEST = ("816094009", "SCT", "Chest")
ADDITION = ("113042", "DCM", "Pixel by pixel addition")
SOURCE_IMAGE = ("121322", "DCM", "Source image for image processing operation")
MODIFYING = ("109103", "DCM", "Modifying Equipment")
# Patient's left is on the right of an upright chest radiograph, the feet are below.
UPRIGHT = ["L", "F"]
NO_DATE, NO_TIME = "19000101", "000000"  # where a date must be given, and none is carried over


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# How the image was acquired.
ACQUISITION = _names("""
    Modality BodyPartExamined ViewPosition PatientOrientation ImageLaterality Laterality
    PresentationIntentType PixelIntensityRelationship PixelIntensityRelationshipSign Manufacturer
    ManufacturerModelName KVP ExposureTime XRayTubeCurrent Exposure ExposureInuAs
    DistanceSourceToDetector DistanceSourceToPatient EstimatedRadiographicMagnificationFactor
    ImagerPixelSpacing PixelSpacing PixelSpacingCalibrationType NominalScannedPixelSpacing
    DetectorType DetectorConfiguration Grid FilterType FilterMaterial FocalSpots PositionerType
    ExposureIndex TargetExposureIndex DeviationIndex Sensitivity AnatomicRegionSequence
    ViewCodeSequence ViewModifierCodeSequence ConversionType BurnedInAnnotation
    RecognizableVisualFeatures LossyImageCompression LossyImageCompressionRatio
    LossyImageCompressionMethod
""")
# How its pixels are stored and shown.
PIXELS = _names("""
    SamplesPerPixel PhotometricInterpretation BitsAllocated BitsStored HighBit
    PixelRepresentation PixelAspectRatio PixelPaddingValue PixelPaddingRangeLimit RescaleSlope
    RescaleIntercept RescaleType ModalityLUTSequence VOILUTSequence WindowCenter WindowWidth
    VOILUTFunction PresentationLUTShape
""")
# What sequences that are taken over may hold.
WITHIN = _names("""
    CodeValue CodingSchemeDesignator CodingSchemeVersion CodeMeaning ViewModifierCodeSequence
    LUTDescriptor LUTData ModalityLUTType
""")
# Elements that must be there, but may be empty (type 2): of all kinds of image, and of some.
EMPTY = _names("""
    PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName
    StudyID AccessionNumber SeriesNumber Manufacturer InstanceNumber PatientOrientation
""")
# What else each kind must have, and the value where the source does not say.
_DX = {
    "Modality": "DX", "ImageLaterality": "U", "PixelIntensityRelationship": "LOG",
    "RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "US", "BurnedInAnnotation": "YES",
    "PatientOrientation": UPRIGHT,
}  # fmt: skip
REQUIRED: dict[str, dict[str, Any]] = {
    CR: {"Modality": "CR", "BodyPartExamined": "CHEST", "PatientOrientation": UPRIGHT},
    DX: {**_DX, "PresentationIntentType": "FOR PRESENTATION"},
    DX_RAW: {**_DX, "PresentationIntentType": "FOR PROCESSING"},
    SC: {
        "Modality": "DX", "BodyPartExamined": "CHEST", "ConversionType": "WSD",
        "PatientOrientation": UPRIGHT,
    },
}  # fmt: skip
_EMPTY_DX = ("AcquisitionContextSequence", "DetectorType", "PositionerType")
EMPTY_OF = {CR: ("ViewPosition",), DX: _EMPTY_DX, DX_RAW: _EMPTY_DX, SC: ()}
