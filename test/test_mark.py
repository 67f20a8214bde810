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
from nodegen.io.stack import StackWriter, read_stack
from nodegen.pipeline import generate
from nodegen.settings import Settings

PIXELS = np.arange(2 * 40 * 50, dtype=np.uint16).reshape(2, 40, 50)
MARK = Mark("Synthetic lung nodules", __version__, run="0123456789abcdef")


def write(path, mark):
    with StackWriter(path, Geometry.plain(3), PIXELS.shape, PIXELS.dtype, mark) as writer:
        for slice_ in PIXELS:
            writer.write(slice_)


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
