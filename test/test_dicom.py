"""DICOM radiographs: their grey scale, pixel size and patient, and every usual coding."""

import io

import numpy as np
import pytest
from PIL import Image

from nodegen.dataset.plan import draw_plan
from nodegen.dataset.settings import DatasetSettings
from nodegen.errors import StackError
from nodegen.io.radiograph import count_slices, read_radiograph, read_radiographs

pydicom = pytest.importorskip("pydicom")
from dicoms import PIXELS, dicom  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import (  # noqa: E402
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
)


def test_pixels_come_as_they_are(tmp_path):
    read = read_radiograph(dicom(tmp_path / "a.dcm"))
    assert read.pixels.dtype == np.uint16
    assert np.array_equal(read.pixels, PIXELS)


def test_monochrome1_is_inverted(tmp_path):
    path = dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    read = read_radiograph(path).pixels.astype(int)
    assert np.array_equal(read, int(PIXELS.max()) + int(PIXELS.min()) - PIXELS)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless], ids=["j2k", "jpegls"])
def test_lossless_codings_come_back(tmp_path, syntax):
    path = dicom(tmp_path / "a.dcm")
    made = pydicom.dcmread(path)
    made.compress(syntax)
    made.save_as(path)
    assert np.array_equal(read_radiograph(path).pixels, PIXELS)


def test_rescaled_pixels_may_be_negative(tmp_path):
    path = dicom(tmp_path / "a.dcm", RescaleSlope="2", RescaleIntercept="-1000")
    read = read_radiograph(path).pixels.astype(int)
    assert read.min() == 0
    assert np.array_equal(read, 2 * (PIXELS.astype(int) - PIXELS.min()))


def test_a_window_is_applied(tmp_path):
    path = dicom(tmp_path / "a.dcm", WindowCenter="2000", WindowWidth="3000")
    read = read_radiograph(path).pixels.astype(int)
    assert (np.diff(read.ravel()[np.argsort(PIXELS.ravel(), kind="stable")]) >= 0).all()
    assert (read[PIXELS > 3500] == read.max()).all()
    assert len(np.unique(read)) > 1000


@pytest.mark.parametrize(
    "window", [("50000", "10"), ("0", "1"), ("-4000", "2")], ids=["beyond", "one", "below"]
)
def test_a_window_that_shows_nothing_is_left_out(tmp_path, window):
    path = dicom(tmp_path / "a.dcm", WindowCenter=window[0], WindowWidth=window[1])
    assert np.array_equal(read_radiograph(path).pixels, PIXELS)


def test_a_sigmoid_window_is_applied(tmp_path):
    """As PS3.3 C.11.2.1.3.1 has it, over the 12 bits that are stored."""
    path = dicom(tmp_path / "a.dcm", WindowCenter="2000", WindowWidth="3000",
                 VOILUTFunction="SIGMOID")  # fmt: skip
    expected = 4095 / (1 + np.exp(-4 * (PIXELS.astype(float) - 2000) / 3000))
    assert np.abs(read_radiograph(path).pixels - expected).max() <= 1


def test_a_modality_table_is_applied_before_the_window(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = np.arange(4095, -1, -1).astype(np.uint16).tobytes()
    table["LUTData"].VR = "OW"
    table.ModalityLUTType = "US"
    path = dicom(tmp_path / "a.dcm", ModalityLUTSequence=Sequence([table]), WindowCenter="2047.5",
                 WindowWidth="4096")  # fmt: skip
    expected = (4095.0 - PIXELS) * (65535 / 4095)  # the table's bits are those of the window
    assert np.abs(read_radiograph(path).pixels - expected).max() <= 16


def test_a_table_that_is_malformed_is_said_so(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]  # 8 or 16 are allowed there
    table.LUTData, table.ModalityLUTType = bytes(8192), "US"
    table["LUTData"].VR = "OW"
    path = dicom(tmp_path / "a.dcm", ModalityLUTSequence=Sequence([table]))
    with pytest.raises(StackError, match="rescale, window or table"):
        read_radiograph(path)


def test_white_is_0_under_a_window_and_a_table_alike(tmp_path):
    more = {"PhotometricInterpretation": "MONOCHROME1"}
    plain = dicom(tmp_path / "a.dcm", WindowCenter="2000", WindowWidth="3000")
    inverted = dicom(tmp_path / "b.dcm", WindowCenter="2000", WindowWidth="3000", **more)
    one, other = (read_radiograph(path).pixels.astype(int) for path in (plain, inverted))
    assert np.abs(one + other - one.max() - one.min()).max() <= 1


def test_8_bit_lossy_jpeg_is_read(tmp_path):
    """As some archives keep films; by Pillow."""
    path = dicom(tmp_path / "a.dcm")
    made = pydicom.dcmread(path)
    small = (PIXELS >> 4).astype(np.uint8)
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    coded = io.BytesIO()
    Image.fromarray(small).save(coded, "JPEG", quality=95)
    made.PixelData = encapsulate([coded.getvalue()])
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.save_as(path)
    read = read_radiograph(path).pixels
    assert read.shape == small.shape
    assert np.corrcoef(read.ravel(), small.ravel())[0, 1] > 0.99


def test_a_table_of_values_is_applied(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.LUTData = np.sqrt(np.arange(4096) * 4095).astype(np.uint16).tobytes()
    table["LUTData"].VR = "OW"
    path = dicom(tmp_path / "a.dcm", VOILUTSequence=Sequence([table]))
    expected = np.sqrt(np.arange(4096) * 4095).astype(np.uint16)[PIXELS]
    assert np.array_equal(read_radiograph(path).pixels, expected)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.3, 0.3]}, (0.1, 0.2)),
        ({"ImagerPixelSpacing": [0.3, 0.3]}, (0.3, 0.3)),
        (
            {
                "ImagerPixelSpacing": [0.3, 0.3],
                "EstimatedRadiographicMagnificationFactor": "1.5",
            },
            (0.2, 0.2),
        ),
        ({"NominalScannedPixelSpacing": [0.17, 0.17]}, (0.17, 0.17)),
    ],
)
def test_pixel_size_is_from_the_right_element(tmp_path, elements, expected):
    spacing = read_radiograph(dicom(tmp_path / "a.dcm", **elements)).spacing
    assert spacing == (None if expected is None else pytest.approx(expected))


def test_frames_are_radiographs_of_their_own(tmp_path):
    path = dicom(tmp_path / "a.dcm", np.stack([PIXELS, PIXELS[::-1]]))
    assert count_slices(path) == 2
    first, second = read_radiographs(path)
    assert np.array_equal(second.pixels, first.pixels[::-1])


def test_patients_are_told_apart_without_their_names(tmp_path):
    for number, patient in enumerate(("Secret 7", "Secret 7", "Secret 8")):
        dicom(tmp_path / f"{number}.dcm", PatientID=patient)
    plan = draw_plan([tmp_path], DatasetSettings(copies=1))
    one, same, other = (source.patient for source in plan.sources)
    assert one == same != other
    assert one == "patient-00001"
    assert "Secret" not in plan.text()


def test_files_that_are_none(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"nothing")
    with pytest.raises(StackError, match="cannot be read as DICOM"):
        read_radiograph(tmp_path / "a.dcm")
    with pytest.raises(StackError, match="no image in grey levels"):
        read_radiograph(dicom(tmp_path / "b.dcm", SamplesPerPixel=3))
