"""TIFF: pages that make one stack are one stack, however they were written; the rest is refused."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from nodegen.errors import StackError
from nodegen.io.image import Geometry
from nodegen.io.stack import read_stack, stack_writer

SHAPE = (3, 40, 62)
rng = np.random.default_rng(0)
STACK = rng.integers(0, 4096, SHAPE).astype(np.uint16)
BYTES = rng.integers(0, 256, SHAPE).astype(np.uint8)


def pages(path, *pages, **options):
    with tifffile.TiffWriter(path, **options) as writer:
        for page in pages:
            array, more = page if isinstance(page, tuple) else (page, {})
            writer.write(array, **more)


def by_pillow(path, stack, **options):
    first, *rest = [Image.fromarray(slice_) for slice_ in stack]
    first.save(path, save_all=True, append_images=rest, **options)


def imagej_of_one_page(path):
    """As ImageJ writes stacks beyond 4 GB: one page, and the other slices behind it."""
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tiff:
        first = tiff.pages[0]
        at, entries = first.offset, len(first.tags)
    content = bytearray(path.read_bytes())
    content[at + 2 + 12 * entries : at + 6 + 12 * entries] = bytes(4)  # no page follows
    path.write_bytes(content)


def beyond_4_gb(path):
    """Pixels and pages that lie behind a thumbnail of 4.4 GB, a hole in the file."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(shape=(66_000, 66_000), dtype="u1", subfiletype=1, metadata=None)
        for slice_ in STACK:
            writer.write(slice_, metadata=None, **GREY)
    assert path.stat().st_size > 2**32
    assert path.stat().st_blocks * 512 < 2**20, "the hole takes no room"


GREY = {"photometric": "minisblack"}
TAKEN = {
    "whole": (lambda p: tifffile.imwrite(p, STACK, **GREY), STACK),
    "page by page": (lambda p: pages(p, *STACK), STACK),
    "by Pillow": (lambda p: by_pillow(p, BYTES), BYTES),
    "big-endian": (lambda p: tifffile.imwrite(p, STACK, byteorder=">", **GREY), STACK),
    "BigTIFF": (lambda p: tifffile.imwrite(p, STACK, bigtiff=True, **GREY), STACK),
    "BigTIFF beyond 4 GB": (beyond_4_gb, STACK),
    "ImageJ": (
        lambda p: tifffile.imwrite(p, STACK, imagej=True, metadata={"axes": "ZYX"}), STACK
    ),
    "ImageJ, all behind one page": (imagej_of_one_page, STACK),
    "tifffile's, all behind one page": (
        lambda p: tifffile.imwrite(p, STACK, photometric="minisblack", metadata={}, truncate=True),
        STACK,
    ),
    "without metadata": (lambda p: tifffile.imwrite(p, STACK, metadata=None, **GREY), STACK),
    "one page": (lambda p: tifffile.imwrite(p, STACK[0]), STACK[:1]),
    "tiles": (lambda p: tifffile.imwrite(p, STACK, tile=(16, 16), **GREY), STACK),
    "strips": (lambda p: tifffile.imwrite(p, STACK, rowsperstrip=7, **GREY), STACK),
    "floats": (lambda p: tifffile.imwrite(p, STACK.astype("f4"), **GREY), STACK.astype("f4")),
    "thumbnail first": (
        lambda p: pages(p, (STACK[0, ::4, ::4].copy(), {"subfiletype": 1}), STACK[0]), STACK[:1]
    ),
    "thumbnail last": (
        lambda p: pages(p, STACK[0], (STACK[0, ::4, ::4].copy(), {"subfiletype": 1})), STACK[:1]
    ),
    "white is 0": (
        lambda p: tifffile.imwrite(p, BYTES, photometric="miniswhite"), 255 - BYTES
    ),
    **{
        f"{name} by tifffile": (
            lambda p, name=name: tifffile.imwrite(p, STACK, compression=name, **GREY), STACK
        )
        for name in ("lzw", "deflate", "packbits", "zstd", "lzma")
    },
    "predictor": (
        lambda p: tifffile.imwrite(p, STACK, compression="deflate", predictor=True, **GREY), STACK
    ),
    "LZW by Pillow": (lambda p: by_pillow(p, BYTES, compression="tiff_lzw"), BYTES),
    "deflate by Pillow": (lambda p: by_pillow(p, BYTES, compression="tiff_adobe_deflate"), BYTES),
}  # fmt: skip


@pytest.mark.parametrize("form", TAKEN)
def test_pages_that_make_one_stack_are_one_stack(tmp_path, form):
    write, wanted = TAKEN[form]
    write(tmp_path / "x.tif")
    stack = read_stack(tmp_path / "x.tif")
    assert stack.pixels.dtype == wanted.dtype
    assert stack.pixels.dtype.isnative
    np.testing.assert_array_equal(stack.pixels, wanted)


def test_jpeg_is_read_as_others_read_it(tmp_path):
    smooth = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    tifffile.imwrite(tmp_path / "x.tif", smooth, compression="jpeg")
    wanted = np.asarray(Image.open(tmp_path / "x.tif"))
    assert np.abs(read_stack(tmp_path / "x.tif").pixels[0].astype(int) - wanted).max() <= 1


def chain_cut(path):
    """The last page's place is lost: the chain breaks off in the middle of the file."""
    pages(path, *STACK)
    with tifffile.TiffFile(path) as tiff:
        last = tiff.pages[2].offset
    content = bytearray(path.read_bytes())
    at = content.rindex(struct.pack("<I", last))
    content[at : at + 4] = struct.pack("<I", len(content) - 1)
    path.write_bytes(content)


def circle(path):
    pages(path, *STACK)
    with tifffile.TiffFile(path) as tiff:
        first, last = tiff.pages[0].offset, tiff.pages[2].offset
    content = bytearray(path.read_bytes())
    (entries,) = struct.unpack_from("<H", content, last)
    struct.pack_into("<I", content, last + 2 + 12 * entries, first)
    path.write_bytes(content)


def cut(path, keep, **options):
    tifffile.imwrite(path, STACK, **GREY, **options)
    path.write_bytes(path.read_bytes()[:keep])


def sparse(path):
    tifffile.imwrite(path, STACK[0], rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags[279].overwrite([1, 0, 992, 992, 992])


def palette(path):
    Image.fromarray(BYTES[0]).convert("P").save(path)


def turned(path):
    Image.fromarray(BYTES[0]).save(path, tiffinfo={274: 3})


REFUSED = {
    "pages of other sizes": (
        lambda p: pages(p, STACK[0], STACK[0, :20, :30].copy()), "Pages 0 and 1 .* differ in shape"
    ),
    "pages of other types": (lambda p: pages(p, STACK[0], BYTES[0]), "differ in dtype"),
    "colours": (
        lambda p: tifffile.imwrite(p, np.zeros((9, 9, 3), "u1"), photometric="rgb"), "3 channels"
    ),
    "ImageJ's channels": (
        lambda p: tifffile.imwrite(p, STACK[:2], imagej=True, metadata={"axes": "CYX"}),
        "2 channels",
    ),
    "four dimensions": (
        lambda p: tifffile.imwrite(
            p, np.zeros((2, 3, 9, 9), "u1"), metadata={"axes": "TZYX"}, **GREY
        ),
        "4 dimensions",
    ),
    "palette": (palette, "is in a palette, where grey levels"),
    "turned": (turned, "has Orientation 3, which viewers show turned"),
    "white is 0 of floats": (
        lambda p: tifffile.imwrite(p, STACK.astype("f4"), photometric="miniswhite"), "white is 0"
    ),
    "bits": (lambda p: tifffile.imwrite(p, STACK[0] > 9), "pixels of bool"),
    "truncated": (lambda p: cut(p, 9000), "truncated|lacks|damaged"),
    "truncated, compressed": (lambda p: cut(p, 4000, compression="lzw"), "read as an image|trunc"),
    "empty": (lambda p: p.write_bytes(b""), "no TIFF"),
    "no TIFF": (lambda p: p.write_bytes(b"no image at all"), "no TIFF"),
    "chain of pages cut": (chain_cut, "corrupted tag list of page"),
    "pages in a circle": (circle, "circular reference"),
    "pixels that were never written": (sparse, "lacks pixels"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_other_pages_are_refused_by_name(tmp_path, fault):
    write, says = REFUSED[fault]
    write(tmp_path / "x.tif")
    with pytest.raises(StackError, match=says):
        read_stack(tmp_path / "x.tif")


@pytest.mark.parametrize(
    ("options", "spacing"),
    [
        ({}, (1.0, 1.0)),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, (25.4 / 72, 25.4 / 72)),
        ({"resolution": (20, 40), "resolutionunit": "CENTIMETER"}, (0.5, 0.25)),
        ({"resolution": (7, 9), "resolutionunit": "NONE"}, (1.0, 1.0)),
    ],
)
def test_spacing_goes_out_as_it_came_in(tmp_path, options, spacing):
    tifffile.imwrite(tmp_path / "x.tif", STACK, metadata=None, **GREY, **options)
    stack = read_stack(tmp_path / "x.tif")
    assert stack.geometry.spacing[:2] == pytest.approx(spacing)
    with stack_writer(tmp_path / "y.tif", stack.geometry, SHAPE, np.uint16) as write:
        for slice_ in stack.pixels:
            write(slice_)
    tags = []
    for name in ("x.tif", "y.tif"):
        with tifffile.TiffFile(tmp_path / name) as tiff:
            tags.append([tiff.pages[0].tags.valueof(tag) for tag in (282, 283, 296)])
    assert tags[0] == tags[1]
    assert read_stack(tmp_path / "y.tif").geometry == stack.geometry


def test_where_white_is_0_it_stays_so(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", BYTES, photometric="miniswhite")
    stack = read_stack(tmp_path / "x.tif")
    with stack_writer(tmp_path / "y.tif", stack.geometry, SHAPE, np.uint8) as write:
        for slice_ in stack.pixels:
            write(slice_)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "y.tif"), BYTES)
    np.testing.assert_array_equal(read_stack(tmp_path / "y.tif").pixels, stack.pixels)


def test_what_would_be_too_large_for_a_tiff_becomes_a_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr("nodegen.io.tiff.LARGE", STACK.nbytes - 1)
    with stack_writer(tmp_path / "x.tif", Geometry.plain(3), SHAPE, np.uint16) as write:
        for slice_ in STACK:
            write(slice_)
    assert (tmp_path / "x.tif").read_bytes()[:4] == b"II+\0"
    np.testing.assert_array_equal(read_stack(tmp_path / "x.tif").pixels, STACK)
