"""The mark on what is synthetic: said in each format, and in nobody's way."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from nodegen import __version__
from nodegen.dataset.png import mark_of, png
from nodegen.io.image import COMPOSITE, IPTC, Geometry, Mark
from nodegen.io.stack import read_stack, stack_writer
from nodegen.pipeline import generate
from nodegen.settings import Settings

PIXELS = np.arange(2 * 40 * 50, dtype=np.uint16).reshape(2, 40, 50)
MARK = Mark("Synthetic lung nodules", run="0123456789abcdef")


def write(path, mark):
    with stack_writer(path, Geometry.plain(3), PIXELS.shape, PIXELS.dtype, mark) as write:
        for slice_ in PIXELS:
            write(slice_)


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_metaimage_says_it_in_its_comment(tmp_path, suffix):
    write(tmp_path / f"marked{suffix}", MARK)
    write(tmp_path / f"plain{suffix}", None)
    header = (tmp_path / f"marked{suffix}").read_bytes().partition(b"ElementDataFile")[0]
    assert f"Comment = {MARK.text}\n".encode() in header
    image = sitk.ReadImage(str(tmp_path / f"marked{suffix}"))
    assert np.array_equal(sitk.GetArrayFromImage(image), PIXELS)
    assert image.GetSpacing() == sitk.ReadImage(str(tmp_path / f"plain{suffix}")).GetSpacing()
    assert np.array_equal(read_stack(tmp_path / f"marked{suffix}").pixels, PIXELS)


def test_evalutils_reads_marked_stacks(tmp_path):
    from evalutils.io import ImageIOLoader, SimpleITKLoader

    write(tmp_path / "marked.mha", MARK)
    (found,) = SimpleITKLoader().load(fname=tmp_path / "marked.mha")
    assert found["path"] == tmp_path / "marked.mha"
    assert np.array_equal(
        sitk.GetArrayFromImage(SimpleITKLoader.load_image(tmp_path / "marked.mha")), PIXELS
    )
    write(tmp_path / "marked.tif", MARK)
    assert np.array_equal(ImageIOLoader.load_image(tmp_path / "marked.tif"), PIXELS[0])


ITK_SNAP = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 0.8 0.6 0 -0.6 0.8 0 0 0 1
Offset = -12.25 8.5 0.1
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = 0.143 0.139 1
DimSize = 50 40 2
ElementType = MET_USHORT
ElementDataFile = LOCAL
"""


def test_a_header_as_itk_snap_writes_it_comes_and_goes_exactly(tmp_path):
    (tmp_path / "a.mha").write_bytes(ITK_SNAP.encode() + PIXELS.tobytes())
    stack = read_stack(tmp_path / "a.mha")
    assert np.array_equal(stack.pixels, PIXELS)
    with stack_writer(
        tmp_path / "b.mha", stack.geometry, PIXELS.shape, PIXELS.dtype, MARK
    ) as write:
        for slice_ in stack.pixels:
            write(slice_)
    before, after = (sitk.ReadImage(str(tmp_path / name)) for name in ("a.mha", "b.mha"))
    assert np.array_equal(sitk.GetArrayFromImage(after), PIXELS)
    for of in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(after, of)() == getattr(before, of)()
    header = (tmp_path / "b.mha").read_bytes().partition(b"LOCAL\n")[0].decode()
    keys, own = (
        [line.partition(" = ")[0] for line in text.splitlines()] for text in (ITK_SNAP, header)
    )
    keys.remove("AnatomicalOrientation")  # says again what TransformMatrix says
    assert [key for key in own if key in keys] == keys
    assert set(own) - set(keys) == {"Comment", "CompressedDataSize"}


def test_tiff_says_it_in_xmp_and_description(tmp_path):
    write(tmp_path / "a.tif", MARK)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        tags = tiff.pages[0].tags
        assert tags[700].value.decode() == MARK.xmp
        assert tags["ImageDescription"].value == MARK.text
        assert tags["Software"].value == f"nodegen {__version__}"
        assert 700 not in tiff.pages[1].tags
    assert np.array_equal(read_stack(tmp_path / "a.tif").pixels, PIXELS)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.tif"))), PIXELS)


def test_png_says_it_in_xmp(tmp_path):
    (tmp_path / "a.png").write_bytes(png(PIXELS[0], MARK))
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), PIXELS[0])
        found = ElementTree.fromstring(image.info["xmp"])
    told = {element.tag.rpartition("}")[2]: element.text for element in found.iter()}
    assert told["DigitalSourceType"] == IPTC + COMPOSITE
    assert told["CreatorTool"] == f"nodegen {__version__}"
    assert told["li"] == MARK.text
    assert mark_of({"nodules": [], "seed": 1}) is None


def test_a_run_marks_what_it_writes_by_its_hash(make_input, tmp_path):
    folder = make_input()
    settings = Settings(method="paste", seed=1)
    run = generate(folder, tmp_path / "a", settings, masks=tmp_path / "m", progress=False)
    told = json.loads((tmp_path / "a" / "recipes.json").read_text())["run"]
    assert told == run.header["run"]
    for path in (run.image, tmp_path / "m" / run.image.name):
        assert f"run {told}, {COMPOSITE}".encode() in path.read_bytes()[:600]
    again = generate(folder, tmp_path / "b", Settings(method="paste", seed=2), progress=False)
    assert again.header["run"] != told
    empty = generate(make_input(boxes=(), name="none"), tmp_path / "c", settings, progress=False)
    assert b"Comment" not in empty.image.read_bytes()[:600]


def test_a_replay_of_edited_recipes_is_another_run(make_input, tmp_path):
    folder, settings = make_input(), Settings(method="paste", seed=1)
    told = generate(folder, tmp_path / "a", settings, progress=False).header["run"]
    recipes = tmp_path / "a" / "recipes.json"
    again = generate(folder, tmp_path / "b", recipes=recipes, progress=False)
    assert again.header["run"] == told
    content = json.loads(recipes.read_text())
    content["recipes"][0]["turn_deg"] = 12.5
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(content))
    other = generate(folder, tmp_path / "c", recipes=edited, progress=False)
    assert other.header["run"] != told
    assert f"run {other.header['run']}, {COMPOSITE}".encode() in other.image.read_bytes()[:600]
    # What it wrote is a run of its own, which a replay keeps.
    last = generate(folder, tmp_path / "d", recipes=tmp_path / "c" / "recipes.json", progress=False)
    assert last.header == other.header
