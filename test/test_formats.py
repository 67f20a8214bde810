"""Radiographs of any format: one reader, one count of slices, for every command."""

import os

import imagecodecs
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from nodegen.errors import StackError
from nodegen.evaluation.boxed_images import read_real
from nodegen.evaluation.utility.cases import read_cases
from nodegen.io import radiograph
from nodegen.io.boxes import Box, write_boxes
from nodegen.io.radiograph import find_radiographs, read_radiograph, read_radiographs
from nodegen.io.read_box_table import read_box_table
from nodegen.io.stack import count_slices, find_image, output_name, read_stack
from nodegen.pipeline import generate
from nodegen.settings import Settings

RAMP = (np.add.outer(np.arange(90) * 30, np.arange(110) * 11) % 4096).astype(np.uint16)
SMALL = (RAMP // 16).astype(np.uint8)


def png(path, pixels):
    path.write_bytes(imagecodecs.png_encode(pixels))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (RAMP, RAMP),
        (np.repeat(RAMP[..., None], 3, 2), RAMP),
        (np.stack([RAMP, np.full_like(RAMP, 65535)], 2), RAMP),
        (np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 65535)]), RAMP),
        (SMALL, SMALL),
        (np.repeat(SMALL[..., None], 3, 2), SMALL),
        (np.stack([SMALL, np.full_like(SMALL, 9)], 2), SMALL),
    ],
)
def test_png_keeps_its_bits_whatever_its_channels(tmp_path, pixels, expected):
    png(tmp_path / "a.png", pixels)
    read = read_radiograph(tmp_path / "a.png")
    assert read.pixels.dtype == expected.dtype
    assert np.array_equal(read.pixels, expected)
    assert read.spacing is None


def test_a_palette_is_looked_up(tmp_path):
    image = Image.fromarray(SMALL).convert("L")
    paletted = Image.fromarray(255 - SMALL, mode="P")
    paletted.putpalette([value for level in range(255, -1, -1) for value in [level] * 3])
    paletted.save(tmp_path / "a.png")
    assert np.array_equal(read_radiograph(tmp_path / "a.png").pixels, np.asarray(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures_are_turned_as_they_are_to_be_shown(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(SMALL).save(tmp_path / f"a{suffix}", exif=exif, quality=100)
    wanted = {1: SMALL, 2: SMALL[:, ::-1], 3: SMALL[::-1, ::-1], 4: SMALL[::-1],
              5: SMALL.T, 6: np.rot90(SMALL, -1), 7: SMALL[::-1, ::-1].T,
              8: np.rot90(SMALL)}[orientation]  # fmt: skip
    read = read_radiograph(tmp_path / f"a{suffix}").pixels
    assert read.shape == wanted.shape
    assert np.corrcoef(read.ravel(), wanted.ravel())[0, 1] > 0.999


def test_pictures_that_are_no_radiographs_are_refused(tmp_path):
    Image.fromarray(SMALL).save(tmp_path / "wide.png", dpi=(100, 200))
    with pytest.raises(StackError, match="where square pixels are wanted"):
        read_radiograph(tmp_path / "wide.png")
    Image.fromarray(np.dstack([SMALL, 255 - SMALL, SMALL])).save(tmp_path / "colours.png")
    with pytest.raises(StackError, match="in colours"):
        read_radiograph(tmp_path / "colours.png")
    png(tmp_path / "altered.png", RAMP)
    content = bytearray((tmp_path / "altered.png").read_bytes())
    content[-30] ^= 1  # still unpacks, to other pixels
    (tmp_path / "altered.png").write_bytes(content)
    with pytest.raises(StackError, match="damaged"):
        read_radiograph(tmp_path / "altered.png")
    (tmp_path / "none.jpg").write_bytes(b"\xff\xd8\xff\xe0none")
    with pytest.raises(StackError, match="damaged"):
        read_radiograph(tmp_path / "none.jpg")


@pytest.mark.parametrize("name", ["STACK.MHA", "stack.mhd", "Stack.TIF", "stack.tiff"])
def test_slices_are_counted_as_they_are_read(tmp_path, name):
    written = tmp_path / f"written.{name.rpartition('.')[2].lower()}"
    sitk.WriteImage(sitk.GetImageFromArray(np.stack([RAMP] * 3)), str(written))
    written.rename(tmp_path / name)
    assert count_slices(tmp_path / name) == len(list(read_radiographs(tmp_path / name))) == 3


def test_a_header_may_have_its_lines_in_any_order(tmp_path):
    lines = ["DimSize = 110 90 2", "NDims = 3", "ElementType = MET_USHORT", "ObjectType = Image"]
    pixels = np.stack([RAMP, RAMP[::-1]])
    header = "\n".join([*lines, "ElementDataFile = LOCAL", ""])
    (tmp_path / "a.mha").write_bytes(header.encode() + pixels.tobytes())
    assert count_slices(tmp_path / "a.mha") == 2
    assert np.array_equal(read_stack(tmp_path / "a.mha").pixels, pixels)


def test_linked_folders_are_looked_through_once_and_what_is_left_out_is_named(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    (tmp_path / "elsewhere").mkdir()
    png(tmp_path / "elsewhere" / "x.png", RAMP)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "a")
    found = [
        path.relative_to(tmp_path).as_posix() for path, _ in find_radiographs([tmp_path / "a"])
    ]
    assert found == ["a/link/x.png"]
    assert "a/link/back: it is the same folder as" in caplog.text
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert len(find_radiographs([tmp_path / "a"])) == 1
    assert "a/gone.png: it leads to" in caplog.text


def test_a_stack_beside_pictures_is_the_image(tmp_path):
    png(tmp_path / "preview.png", SMALL)
    assert find_image(tmp_path).name == "preview.png"
    sitk.WriteImage(sitk.GetImageFromArray(RAMP), str(tmp_path / "case.mha"))
    assert find_image(tmp_path).name == "case.mha"


@pytest.fixture
def radiographs(tmp_path):
    """A radiograph in each format, in a folder, and a table of one box each."""
    pydicom_tests = pytest.importorskip("dicoms")
    folder = tmp_path / "real"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows, columns = np.indices((300, 320))
    pixels = 1500 + 400 * np.sin(columns / 150) + rows + rng.normal(0, 25, rows.shape)
    pixels = pixels.astype(np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(pixels), str(folder / "a.mha"))
    sitk.WriteImage(sitk.GetImageFromArray(pixels + 1), str(folder / "b.tif"))
    png(folder / "c.png", pixels + 2)
    Image.fromarray((pixels // 16).astype(np.uint8)).save(folder / "d.jpg", quality=100)
    pydicom_tests.dicom(folder / "e.dcm", pixels + 3)
    (folder / "e.dcm").rename(folder / "IM0001")
    boxes = tmp_path / "boxes.csv"
    lines = [f"{stem},60,70,40,45" for stem in ("a", "b", "c", "d", "IM0001")]
    boxes.write_text("\n".join(["stem,x,y,width,height", *lines]))
    return folder, boxes


def test_every_command_that_takes_radiographs_takes_any_format(radiographs):
    folder, boxes = radiographs
    names = sorted(["a", "b", "c", "d", "IM0001"])
    assert sorted(one.name for one in read_cases([folder])) == names
    assert sorted(one.name for one in read_real([folder], [read_box_table(boxes)])) == names
    assert sorted(path.stem for path, _ in find_radiographs([folder])) == names


@pytest.mark.parametrize(
    ("name", "written"),
    [("c.png", "c.mha"), ("d.jpg", "d.mha"), ("IM0001", "IM0001.mha"), ("b.tif", "b.tif")],
)
def test_generate_takes_any_format_and_writes_a_stack(radiographs, tmp_path, name, written):
    case = tmp_path / "case"
    case.mkdir()
    (radiographs[0] / name).rename(case / name)
    write_boxes(case / "nodules.json", [Box(0, 60, 70, 100, 115)])
    plain = {"noise_and_blur": False, "surroundings": False}
    settings = Settings(method="paste", intensity="input", seed=1, **plain)
    run = generate(case, tmp_path / "out", settings, progress=False)
    assert run.image.name == written == output_name(case / name)
    before, after = read_stack(case / name).pixels, read_stack(run.image).pixels
    assert before.dtype == after.dtype
    changed = np.argwhere((before != after)[0])
    assert len(changed)
    assert changed.min() > 40


def test_slices_of_one_stack_are_read_once_and_anew_when_it_changes(tmp_path, monkeypatch):
    pixels = np.arange(6 * 8 * 8, dtype=np.uint16).reshape(6, 8, 8)
    path, reads = tmp_path / "stack.tif", []
    monkeypatch.setattr(radiograph, "read_stack", lambda p: reads.append(p) or read_stack(p))
    tifffile.imwrite(path, pixels)
    for number in range(3):
        assert np.array_equal(read_radiograph(path, number).pixels, pixels[number])
    tifffile.imwrite(path, pixels[:2] + 1)
    os.utime(path, ns=(0, 0))
    assert np.array_equal(read_radiograph(path, 1).pixels, pixels[1] + 1)
    assert len(reads) == 2
    with pytest.raises(StackError, match="has no slice 2"):
        read_radiograph(path, 2)
