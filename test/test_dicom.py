"""DICOM radiographs: their grey scale, pixel size and patient, and every usual coding."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from nodegen.dataset.dataset_plan import draw_plan
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dicom.read import stored_frame
from nodegen.errors import StackError
from nodegen.io.radiograph import find_radiographs, read_radiograph, read_radiographs
from nodegen.io.stack import count_slices, read_stack

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


def test_a_table_that_is_too_short_is_said_so(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.LUTData, table.ModalityLUTType = bytes(4000), "US"
    table["LUTData"].VR = "OW"
    path = dicom(tmp_path / "a.dcm", ModalityLUTSequence=Sequence([table]))
    with pytest.raises(StackError, match="a table holds 2000 of its 4096 entries"):
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
        ({"PixelSpacing": [0.2, 0.199], "ImagerPixelSpacing": [0.3, 0.3]}, (0.199, 0.2)),
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


@pytest.mark.parametrize(
    ("orientation", "direction"),
    [(None, (1, 1)), (["L", "F"], (1, 1)), (["R", "F"], (-1, 1)), (["LF", "HR"], (1, -1)),
     (["RH", "H"], (-1, -1)), (["P", "F"], (1, 1))],
)  # fmt: skip
def test_the_patients_left_is_where_the_file_says(tmp_path, orientation, direction):
    more = {"PatientOrientation": orientation} if orientation else {}
    made = read_stack(dicom(tmp_path / "a.dcm", **more)).geometry
    assert (made.direction[0], made.direction[3]) == direction


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
    for name, value in (("SamplesPerPixel", 3), ("PhotometricInterpretation", "PALETTE COLOR")):
        with pytest.raises(StackError, match="no image in grey levels"):
            read_radiograph(dicom(tmp_path / "b.dcm", **{name: value}))


# --- what archives send, and the standard does not -----------------------------------------------


def written(path, raw, **more):
    """A radiograph with an element of bytes that are written as they are."""
    from pydicom.dataelem import RawDataElement

    dicom(path, **more)
    with pydicom.config.disable_value_validation():
        made = pydicom.dcmread(path)
        for keyword, (vr, value) in raw.items():
            tag = pydicom.tag.Tag(keyword)
            made._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
        made.save_as(path)
    return path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"0.6 ", (0.6, 0.6)),
        (b"0,6\\0,6 ", (0.6, 0.6)),
        (b"0.6,0.6 ", (0.6, 0.6)),
        (b" 0.60000000000000002\\0.60000000000000002 ", (0.6, 0.6)),
        (b"N/A ", None),
        (b"inf\\inf ", None),
        (b"nan\\nan ", None),
        (b"0\\0 ", None),
        (b"-0.6\\-0.6 ", None),
        (b"1e300\\1e300 ", None),
        (b"0.6\\0\\0.60000 ", None),
        (b"\\ ", None),
        (b"  ", None),
    ],
)
def test_pixel_sizes_are_read_by_one_tolerant_reader(tmp_path, value, expected):
    path = written(tmp_path / "a.dcm", {"PixelSpacing": ("DS", value)})
    (read,) = read_radiographs(path)
    assert np.array_equal(read.pixels, PIXELS)
    assert read.spacing == (None if expected is None else pytest.approx(expected))
    dataset, _ = stored_frame(path, 0)
    assert all(len(str(word)) <= 16 for word in dataset.get("PixelSpacing") or [])


@pytest.mark.parametrize(
    "elements", [{"PixelSpacing": [0.2, 0.1]}, {"PixelAspectRatio": ["2", "1"]}]
)
def test_pixels_that_are_not_square_are_refused(tmp_path, elements):
    with pytest.raises(StackError, match="where square ones are wanted"):
        read_radiograph(dicom(tmp_path / "a.dcm", **elements))


@pytest.mark.parametrize(
    "raw",
    [
        {"RescaleSlope": ("DS", b""), "RescaleIntercept": ("DS", b"")},
        {"RescaleSlope": ("DS", b"x "), "WindowWidth": ("DS", b"")},
        {"StudyDate": ("DA", b"20261345"), "StudyTime": ("TM", b"99:99:99")},
        {"SpecificCharacterSet": ("CS", b"\\ISO 2022 IR 87 "), "PatientName": ("PN", b"\x1b$B;3")},
        {"SpecificCharacterSet": ("CS", b"NONSENSE"), "PatientName": ("PN", b"\xff\xfe")},
    ],
)
def test_elements_that_cannot_be_read_change_no_pixel(tmp_path, raw, recwarn):
    path = written(tmp_path / "a.dcm", raw)
    recwarn.clear()  # of writing it
    assert np.array_equal(read_radiograph(path).pixels, PIXELS)
    assert not recwarn.list


def test_zeros_behind_the_last_element_are_none(tmp_path):
    path = dicom(tmp_path / "a.dcm")
    with path.open("ab") as stream:
        stream.write(bytes(1000))
    assert np.array_equal(read_radiograph(path).pixels, PIXELS)
    assert min(tag.group for tag in stored_frame(path, 0)[0].keys()) > 0  # noqa: SIM118


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("name", ["a.dcm", "IM0001", "1.2.840.113619.2.5", "a.IMA"])
def test_files_without_preamble_or_suffix_are_read(tmp_path, implicit, name):
    made = pydicom.dcmread(dicom(tmp_path / "given.dcm"))
    made.file_meta = pydicom.dataset.FileMetaDataset()
    (tmp_path / "in").mkdir()
    pydicom.dcmwrite(tmp_path / "in" / name, made, implicit_vr=implicit, little_endian=True,
                     enforce_file_format=False, overwrite=True)  # fmt: skip
    (tmp_path / "given.dcm").rename(tmp_path / "in" / "DICOMDIR")
    ((path, _),) = find_radiographs([tmp_path / "in"])
    assert np.array_equal(read_radiograph(path).pixels, PIXELS)


def test_a_high_bit_above_the_bits_stored_is_looked_at(tmp_path):
    path = dicom(tmp_path / "a.dcm", PIXELS << 4, HighBit=15)
    assert np.array_equal(read_radiograph(path).pixels, PIXELS)
    dataset, frame = stored_frame(path, 0)
    assert (dataset.HighBit, int(frame.max())) == (11, int(PIXELS.max()))
    with pytest.raises(StackError, match="High Bit 10 does not fit 12 bits stored"):
        read_radiograph(dicom(tmp_path / "b.dcm", HighBit=10))


@pytest.mark.parametrize("representation", [0, 1])
@pytest.mark.parametrize("wrong_sign", [False, True])
def test_padding_is_no_grey_level(tmp_path, representation, wrong_sign):
    stored = PIXELS.astype(np.int32) - 2048 * representation
    level = -32768 if representation else 65535
    stored[:, :10] = level
    value = level % 2**16 if wrong_sign and representation else level
    vr = "SS" if value < 0 else "US"
    path = dicom(tmp_path / "a.dcm", stored, BitsStored=16, HighBit=15,
                 PixelRepresentation=representation, RescaleSlope="1",
                 RescaleIntercept=str(2048 * representation))  # fmt: skip
    made = pydicom.dcmread(path)
    made.add_new("PixelPaddingValue", vr, value)
    made.save_as(path)
    read = read_radiograph(path).pixels
    assert np.array_equal(read[:, 10:], PIXELS[:, 10:])
    assert (read[:, :10] == PIXELS[:, 10:].min()).all()


def test_padding_may_be_a_range(tmp_path):
    pixels = np.maximum(PIXELS, 100)
    pixels[:, :5], pixels[:, 5:10] = 10, 20
    path = dicom(tmp_path / "a.dcm", pixels, PixelPaddingValue=10, PixelPaddingRangeLimit=20,
                 PhotometricInterpretation="MONOCHROME1")  # fmt: skip
    read = read_radiograph(path).pixels.astype(int)
    inner = pixels[:, 10:].astype(int)
    assert np.array_equal(read[:, 10:], inner.max() + inner.min() - inner)
    assert (read[:, :10] == inner.min()).all()


@pytest.mark.parametrize("bits", [8, 12])
def test_tables_are_read_by_the_length_of_their_entries(tmp_path, bits):
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, bits])
    table.add_new("LUTData", "OW", (np.arange(4096) // 16).astype("<u2").tobytes())
    path = dicom(tmp_path / "a.dcm", VOILUTSequence=Sequence([table]))
    seen, levels = read_radiograph(path).pixels.astype(float), (PIXELS // 16).astype(float)
    assert np.corrcoef(seen.ravel(), levels.ravel())[0, 1] > 0.99999


@pytest.mark.parametrize("lossless", [True, False])
def test_jpeg_lossless_and_of_12_bit_are_read(tmp_path, lossless):
    path = dicom(tmp_path / "a.dcm")
    made = pydicom.dcmread(path)
    coded = (
        imagecodecs.ljpeg_encode(PIXELS, bitspersample=12)
        if lossless
        else imagecodecs.jpeg_encode(PIXELS, level=98, bitspersample=12)
    )
    made.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{70 if lossless else 51}"
    made.PixelData = encapsulate([coded])
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    made.save_as(path)
    read = read_radiograph(path).pixels.astype(int)
    assert np.abs(read - PIXELS).max() <= (0 if lossless else 200)
    assert np.corrcoef(read.ravel(), PIXELS.ravel())[0, 1] > 0.999


def test_a_source_of_8_bit_stays_8_bit(tmp_path):
    small = (PIXELS // 20 + 20).astype(np.uint8)
    path = dicom(tmp_path / "a.dcm")
    made = pydicom.dcmread(path)
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = small.tobytes()
    made.save_as(path)
    read = read_radiograph(path)
    assert read.pixels.dtype == np.uint8
    assert np.array_equal(read.pixels, small)
    assert read.window == (0, 255)


def test_damaged_pixels_are_no_missing_package(tmp_path):
    path = dicom(tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(StackError, match=r"cannot be decoded .*; copy the file anew\.$"):
        read_radiograph(path)


def test_more_frames_than_its_elements_say_are_refused(tmp_path):
    path = dicom(tmp_path / "a.dcm", Columns=PIXELS.shape[-1] // 2)
    with pytest.raises(StackError, match="2 frames, where its elements say 1"):
        read_stack(path)
