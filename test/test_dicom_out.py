"""DICOM out: whole by independent checkers, in the source's own form, and without identity."""

import io
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nodegen.dicom.grey_scale import GreyScale
from nodegen.dicom.read import stored_frame

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
from dicoms import CR, PIXELS, dicom  # noqa: E402
from highdicom._standard_utils import (  # noqa: E402
    get_iod_module_map,
    get_module_attribute_map,
    get_sop_class_iod_map,
)
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import SecondaryCaptureImageStorage  # noqa: E402

from nodegen.dicom.elements import SC  # noqa: E402
from nodegen.dicom.segmentation import segmentation  # noqa: E402
from nodegen.dicom.write import Derivation, encoded, in_new_form, in_stored_form, uid  # noqa: E402

TOLD = Derivation(("a", "1"), "study", "nodegen-7", 1, (1, "Synthetic"), "2 nodules", True)
SMALL = PIXELS[100:164, 100:180]
LOG_TABLE = np.rint(4095 * np.log1p(np.arange(4096)) / np.log(4096)).astype(np.uint16)


def table(values=LOG_TABLE):
    made = Dataset()
    made.LUTDescriptor = [len(values), 0, 12]
    made.LUTData = values.tobytes()
    made["LUTData"].VR = "OW"
    return Sequence([made])


def read(content: bytes):
    return pydicom.dcmread(io.BytesIO(content))


def faults(content: bytes, folder: Path) -> list[str]:
    """What dciodvfy, the checker of the standard's own editor, calls an error."""
    checker = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=Path(sys.executable).parent)
    if checker is None:
        pytest.skip("needs dciodvfy; install dicom3tools")
    (folder / "checked.dcm").write_bytes(content)
    said = subprocess.run([checker, folder / "checked.dcm"], capture_output=True, text=True).stderr
    return [line for line in said.splitlines() if line.startswith("Error")]


def lacking(dataset) -> list[str]:
    """Elements of type 1 and 2 of the class's mandatory modules that are not there."""
    iod = get_sop_class_iod_map()[dataset.SOPClassUID]
    modules = [m["key"] for m in get_iod_module_map()[iod] if m["usage"] == "M"]
    found = []
    for module in modules:
        for element in get_module_attribute_map()[module]:
            name, kind = element["keyword"], element["type"]
            if element["path"] or kind not in ("1", "2"):
                continue
            if name not in dataset or (kind == "1" and dataset[name].is_empty):
                found.append(f"{module} {name}")
    return found


SOURCES = {
    "dx": {},
    "dx-monochrome1": {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": "2048",
                       "WindowWidth": "4096", "BurnedInAnnotation": "NO"},
    "dx-table": {"VOILUTSequence": table(), "ImagerPixelSpacing": [0.2, 0.2]},
    "cr": {"SOPClassUID": CR, "Modality": "CR", "PixelSpacing": [0.2, 0.2]},
    "cr-signed": {"SOPClassUID": CR, "Modality": "CR", "RescaleSlope": "2",
                  "RescaleIntercept": "-100", "RescaleType": "US"},
    "capture": {"SOPClassUID": SecondaryCaptureImageStorage, "ConversionType": "DI"},
}  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("form", ["stored", "new"])
def test_files_are_whole_and_derived(kind, form, tmp_path):
    path = dicom(tmp_path / "a.dcm", SMALL, **SOURCES[kind])
    source, frame = stored_frame(path, 0)
    made = (
        in_stored_form(source, frame, 0.3, TOLD)
        if form == "stored"
        else in_new_form(source, SMALL, (0.0, 4095.0), 0.2, TOLD)
    )
    content = encoded(made)
    back = read(content)
    assert back.SOPClassUID == source.SOPClassUID
    assert np.array_equal(back.pixel_array, SMALL)
    assert back.SyntheticData == "YES"
    assert back.ImageType[0] == "DERIVED"
    assert back.DerivationDescription == "2 nodules"
    assert back.SourceImageSequence[0].ReferencedSOPClassUID == source.SOPClassUID
    assert not lacking(back)
    assert not faults(content, tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_other_files_become_secondary_captures(dtype, tmp_path):
    pixels = (SMALL >> (4 if dtype == np.uint8 else 0)).astype(dtype)[:63, :79]
    content = encoded(in_new_form(None, pixels, (0, 255), 0.25, TOLD, calibrated=True))
    back = read(content)
    assert back.SOPClassUID == SC
    assert back.PixelSpacing == [0.25, 0.25]
    assert np.array_equal(back.pixel_array, pixels)
    assert not lacking(back)
    assert not faults(content, tmp_path)


def test_masks_are_read_by_highdicom(tmp_path):
    image = in_new_form(None, SMALL, (0, 4095), 0.25, TOLD, calibrated=True)
    encoded(image)
    masks = [np.zeros(SMALL.shape, bool), np.zeros(SMALL.shape, bool)]
    masks[0][10:20, 5:30] = masks[1][15:40, 20:50] = True
    made = encoded(segmentation(image, masks, ("a", "1")))
    assert made == encoded(segmentation(image, masks, ("a", "1")))
    (tmp_path / "masks.dcm").write_bytes(made)
    back = highdicom.seg.segread(tmp_path / "masks.dcm")
    found = back.get_pixels_by_source_instance([image.SOPInstanceUID], combine_segments=False)
    assert np.array_equal(found[0], np.stack(masks, -1))
    assert back.PatientID == "nodegen-7"
    assert back.StudyInstanceUID == image.StudyInstanceUID
    assert not faults(made, tmp_path)


def test_resampled_pixels_are_larger_or_smaller(tmp_path):
    path = dicom(tmp_path / "a.dcm", SMALL, ImagerPixelSpacing=[0.2, 0.199])
    source, _ = stored_frame(path, 0)
    made = in_new_form(source, SMALL, (0, 4095), 0.4, TOLD, resampled=0.5)
    assert [float(v) for v in made.ImagerPixelSpacing] == [0.4, 0.398]


# --- identity ------------------------------------------------------------------------------------


def secret(path):
    """A radiograph that tells who the patient is wherever it can: each element of free text."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "SCT", "Chest"
    item.add_new(0x00110010, "LO", "SECRET")
    item.add_new(0x00111001, "LO", "SECRET")
    return dicom(
        path,
        SMALL,
        **dict.fromkeys(
            [
                "PatientName",
                "PatientID",
                "OtherPatientIDs",
                "PatientComments",
                "InstitutionName",
                "StationName",
                "OperatorsName",
                "AccessionNumber",
                "StudyID",
                "StudyDescription",
                "SeriesDescription",
                "ImageComments",
                "ProtocolName",
                "DeviceSerialNumber",
                "DetectorID",
                "PlateID",
                "PatientAddress",
                "DerivationDescription",
                "RequestedProcedureDescription",
                "AcquisitionDeviceProcessingDescription",
                "ReferringPhysicianName",
                "PhysiciansOfRecord",
            ],
            "SECRET",
        ),
        PatientBirthDate="19470203",
        StudyDate="20190405",
        AcquisitionDate="20190405",
        StudyInstanceUID="1.2.3.4.5",
        SeriesInstanceUID="1.2.3.4.6",
        FrameOfReferenceUID="1.2.3.4.7",
        AnatomicRegionSequence=Sequence([item]),
        BurnedInAnnotation="NO",
    )


@pytest.mark.parametrize("form", ["stored", "new"])
def test_nothing_tells_who_the_patient_is(form, tmp_path):
    source, frame = stored_frame(secret(tmp_path / "a.dcm"), 0)
    made = (
        in_stored_form(source, frame, 0.3, TOLD)
        if form == "stored"
        else in_new_form(source, SMALL, (0, 4095), 0.2, TOLD)
    )
    masks = segmentation(made, [SMALL > 2000], ("a", "1"))
    for content in (encoded(made), encoded(masks)):
        for told in (
            b"SECRET",
            b"19470203",
            b"20190405",
            b"1.2.3.4",
            source.SOPInstanceUID.encode(),
        ):
            assert told not in content
    assert made.PatientIdentityRemoved == "YES"
    assert made.AnatomicRegionSequence[0].CodeMeaning == "Chest"


def test_identity_is_kept_where_that_is_asked_for(tmp_path):
    source, frame = stored_frame(secret(tmp_path / "a.dcm"), 0)
    made = in_stored_form(source, frame, 0.3, Derivation(**{**vars(TOLD), "keep_identity": True}))
    assert made.PatientName == "SECRET"
    assert made.StudyInstanceUID == "1.2.3.4.5"
    assert made.SOPInstanceUID != source.SOPInstanceUID
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "PatientIdentityRemoved" not in made


def test_uids_follow_from_what_they_name_and_are_valid():
    assert len({uid("image", n) for n in range(100)}) == 100
    assert all(pydicom.uid.UID(uid("image", n)).is_valid for n in range(100))


# --- stored values -------------------------------------------------------------------------------


SCALES = {
    "as they are": {},
    "white is 0": {"PhotometricInterpretation": "MONOCHROME1"},
    "rescaled": {"RescaleSlope": "2", "RescaleIntercept": "-1000"},
    "window": {"WindowCenter": "1500", "WindowWidth": "2000"},
    "sigmoid": {"WindowCenter": "1500", "WindowWidth": "2000", "VOILUTFunction": "SIGMOID"},
    "table": {"VOILUTSequence": table()},
    "table, white is 0": {"VOILUTSequence": table(), "PhotometricInterpretation": "MONOCHROME1"},
}


@pytest.mark.parametrize("name", SCALES)
def test_a_change_of_what_is_shown_is_stored_to_the_nearest_value(name, tmp_path):
    source, frame = stored_frame(dicom(tmp_path / "a.dcm", **SCALES[name]), 0)
    grey = GreyScale.of(frame, source)
    before = grey.levels(frame)
    wanted = np.zeros(frame.shape)
    middle = (before > np.quantile(before, 0.3)) & (before < before.max() - 200)
    wanted[200:300, 100:200] = 150
    wanted[~middle] = 0
    stored = grey.changed(frame, wanted)
    assert np.array_equal(stored[wanted == 0], frame[wanted == 0])
    got = grey.levels(stored) - before
    every = np.sort(grey.levels(np.arange(4096)))
    step = np.diff(every[(every > before.min()) & (every < before.max())]).max()
    assert np.abs(got - wanted)[wanted != 0].max() <= step / 2 + 1e-6
    assert (got[wanted != 0] > 0).all()


def test_beyond_a_window_nothing_moves_without_a_change(tmp_path):
    path = dicom(tmp_path / "a.dcm", WindowCenter="1500", WindowWidth="500")
    source, frame = stored_frame(path, 0)
    change = np.zeros(frame.shape)
    change[0, 0] = 1
    made = GreyScale.of(frame, source).changed(frame, change)
    assert (made != frame).sum() <= 1


def test_signed_values_come_back(tmp_path):
    signed = PIXELS.astype(np.int16) - 2048
    path = dicom(tmp_path / "a.dcm", signed.view(np.uint16) & 0xFFF, PixelRepresentation=1)
    source, frame = stored_frame(path, 0)
    assert frame.min() < 0
    change = np.where(PIXELS > 2000, 10, 0)
    made = GreyScale.of(frame, source).changed(frame, change)
    assert np.array_equal(made - frame, np.minimum(change, 2047 - frame))


# --- sources that are not quite of the standard --------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        {"SpecificCharacterSet": ("CS", b"\\ISO 2022 IR 87 "), "PatientName": ("PN", b"A^B")},
        {"PixelSpacing": ("DS", b"0.6\\0\\0.60000 ")},
        {"PixelSpacing": ("DS", b"0.60000000000000002\\0.60000000000000002 ")},
        {"PixelSpacing": ("DS", b"inf\\inf "), "StudyDate": ("DA", b"20261345")},
        {"RescaleSlope": ("DS", b""), "RescaleIntercept": ("DS", b"")},
    ],
)
@pytest.mark.parametrize("keep", [False, True])
def test_what_a_source_has_wrong_is_not_carried_on(tmp_path, raw, keep):
    from test_dicom import written

    path = written(tmp_path / "a.dcm", raw, pixels=SMALL, StudyDate="20200102")
    with path.open("ab") as stream:
        stream.write(bytes(1000))  # no elements
    source, stored = stored_frame(path, 0)
    image = encoded(in_stored_form(source, stored, 0.6, replace(TOLD, keep_identity=keep)))
    back = read(image)
    assert np.array_equal(back.pixel_array, SMALL)
    masks = segmentation(back, [SMALL > 100], ("a",))
    assert not faults(image, tmp_path)
    assert not faults(encoded(masks), tmp_path)
