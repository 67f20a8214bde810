"""Masks of nodules as a DICOM segmentation over the image that they belong to."""

import warnings
from typing import Any

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset
from pydicom.sr.codedict import codes

from nodegen import __version__
from nodegen.dicom.elements import NO_DATE, NO_TIME
from nodegen.dicom.write import uid


def segmentation(image: Dataset, masks: list[np.ndarray], key: tuple[str, ...]) -> Dataset:
    """Make a binary segmentation with a segment for each nodule.

    Parameters
    ----------
    image : pydicom.Dataset
        From :mod:`nodegen.dicom.write`.
    masks : list of ndarray of bool
        Each (row, column), as the image.
    key : tuple of str
        What its UIDs follow from.
    """
    algorithm = AlgorithmIdentificationSequence(
        name="nodegen", version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    described = [
        SegmentDescription(
            segment_number=number,
            segment_label=f"Synthetic nodule {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Nodule,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=uid("nodule", *key, number),
            tracking_id=f"nodule {number}",
            anatomic_regions=[codes.SCT.Lung],
        )
        for number in range(1, len(masks) + 1)
    ]
    more: dict[str, Any] = {"content_date": NO_DATE, "content_time": NO_TIME}
    with warnings.catch_warnings():  # of names of patients that it thinks unlikely
        warnings.simplefilter("ignore", UserWarning)
        made = Segmentation(
            source_images=[image],
            pixel_array=np.stack(masks, -1)[None],
            segmentation_type="BINARY",
            segment_descriptions=described,
            series_instance_uid=uid("masks of", image.SeriesInstanceUID),
            series_number=2,
            sop_instance_uid=uid("masks", *key),
            instance_number=int(image.InstanceNumber),
            manufacturer="nodegen",
            manufacturer_model_name="nodegen",
            software_versions=__version__,
            device_serial_number="none",
            content_label="NODULES",
            content_description="Synthetic lung nodules",
            series_description="Masks of synthetic nodules",
            **more,
        )
    # Its own reader asks for a thickness there, which a projection has none of; pixels are those of
    # the image.
    shared = made.SharedFunctionalGroupsSequence[0]
    if "PixelMeasuresSequence" in shared:
        del shared.PixelMeasuresSequence
    del made.InstanceCreationDate, made.InstanceCreationTime  # the same bytes at any time
    for item in made.get("ContributingEquipmentSequence", []):
        del item.ContributionDateTime
    dimensions = uid("dimensions", *key)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
    made.PatientOrientation = image.get("PatientOrientation")
    made.SyntheticData = "YES"
    return made
