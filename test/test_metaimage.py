"""MetaImage: every legal form gives the pixels that the file holds; the rest is refused by name."""

import gzip
import os
import tracemalloc
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from nodegen.errors import StackError
from nodegen.io.image import ELEMENTS
from nodegen.io.stack import read_stack

SHAPE = (3, 20, 31)  # (slice, row, column)
PIXELS = np.random.default_rng(0).integers(0, 4096, SHAPE).astype(np.uint16)
RAW, BIG = PIXELS.tobytes(), PIXELS.astype(">u2").tobytes()


def head(pixels=PIXELS, end="\n", **changes):
    """A header; a change to None leaves the field out, and ElementDataFile is always last."""
    fields = {
        "ObjectType": "Image",
        "NDims": pixels.ndim,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "ElementSpacing": " ".join(["1"] * pixels.ndim),
        "DimSize": " ".join(map(str, pixels.shape[::-1])),
        "ElementType": ELEMENTS[pixels.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    last = {"ElementDataFile": changes.pop("ElementDataFile", "LOCAL")}
    fields = {k: v for k, v in (fields | changes | last).items() if v is not None}
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    return "".join(f"{key} = {value}{end}" for key, value in fields.items()).encode("latin-1")


def one(name, header, data=b""):
    return lambda folder: put(folder, name, header + data)


def put(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def apart(header, *files):
    """A header x.mhd, and files beside it as (name, content)."""

    def write(folder):
        for name, content in files:
            put(folder, name, content)
        return put(folder, "x.mhd", header)

    return write


def not_utf8(folder):
    path = os.fsencode(folder) + b"/r\xf6ntgen.mha"
    with open(path, "wb") as file:
        file.write(head() + RAW)
    return type(folder)(os.fsdecode(path))


Z, G = zlib.compress(RAW), gzip.compress(RAW)
SLICES = [s.tobytes() for s in PIXELS]
KEYS = "".join(f"Seq_Frame{i:04d}_Timestamp = {i * 0.1}\n" for i in range(3000)).encode()
TEXT = " ".join(map(str, PIXELS.ravel())).encode()


def put_keys(header):
    return header.replace(b"ElementDataFile", KEYS + b"ElementDataFile")


LEGAL = {
    "raw": one("x.mha", head(), RAW),
    "zlib": one("x.mha", head(CompressedData="True", CompressedDataSize=len(Z)), Z),
    "zlib, no size": one("x.mha", head(CompressedData="True"), Z),
    "zlib, wrong size": one("x.mha", head(CompressedData="True", CompressedDataSize=7), Z),
    "zlib, a blank line follows": one("x.mha", head(CompressedData="True"), Z + b"\n"),
    "lower-case true": one("x.mha", head(CompressedData="true"), Z),
    "T": one("x.mha", head(CompressedData="T"), Z),
    "1": one("x.mha", head(CompressedData="1"), Z),
    "big-endian": one("x.mha", head(BinaryDataByteOrderMSB="True"), BIG),
    "big-endian by its other name": one(
        "x.mha", head(BinaryDataByteOrderMSB=None, ElementByteOrderMSB="True"), BIG
    ),
    "big-endian, zlib": one(
        "x.mha", head(BinaryDataByteOrderMSB="True", CompressedData="True"), zlib.compress(BIG)
    ),
    "many keys": one("x.mha", put_keys(head(CompressedData="True")), Z),
    "a user's key of a like name": one(
        "x.mha", head(OriginalElementDataFile="a.raw", CompressedData="True"), Z
    ),
    "Windows' line ends": one("x.mha", head(end="\r\n"), RAW),
    "upper-case suffix": one("X.MHA", head(), RAW),
    "upper-case suffix, zlib": one("X.MHA", head(CompressedData="True"), Z),
    "name that is not UTF-8": not_utf8,
    "HeaderSize": one("x.mha", head(HeaderSize=len(head()) + 40), b"." * 60 + RAW[:0]),
    "apart": apart(head(ElementDataFile="x.raw"), ("x.raw", RAW)),
    "apart, zlib": apart(head(ElementDataFile="x.zraw", CompressedData="True"), ("x.zraw", Z)),
    "no last line end": apart(head(ElementDataFile="x.raw").rstrip(), ("x.raw", RAW)),
    "header before the pixels": apart(
        head(ElementDataFile="x.raw", HeaderSize=5), ("x.raw", b"12345" + RAW)
    ),
    "pixels at the end": apart(
        head(ElementDataFile="x.raw", HeaderSize=-1), ("x.raw", b"12345" + RAW)
    ),
    "name with a percent sign": apart(head(ElementDataFile="50%.raw"), ("50%.raw", RAW)),
    "name with a blank": apart(head(ElementDataFile="x y.raw"), ("x y.raw", RAW)),
    "Windows' path": apart(head(ElementDataFile=r".\x.raw"), ("x.raw", RAW)),
    "data beside a .mhd of LOCAL": one("x.mhd", head(), RAW),
}  # fmt: skip


def with_header_size(folder):
    content = head(HeaderSize=400)
    return put(folder, "x.mha", content + b"." * (400 - len(content)) + RAW)


LEGAL["HeaderSize"] = with_header_size


@pytest.mark.parametrize("form", LEGAL)
def test_every_legal_form_gives_the_pixels_that_the_file_holds(tmp_path, form):
    stack = read_stack(LEGAL[form](tmp_path))
    assert stack.pixels.dtype == np.uint16
    assert stack.pixels.dtype.isnative
    np.testing.assert_array_equal(stack.pixels, PIXELS)


@pytest.mark.parametrize("dtype", ELEMENTS)
@pytest.mark.parametrize("big", [False, True])
def test_every_pixel_type_in_either_byte_order(tmp_path, dtype, big):
    values = np.random.default_rng(1).integers(0, 120, SHAPE).astype(dtype)
    data = values.astype(values.dtype.newbyteorder(">" if big else "<")).tobytes()
    path = put(tmp_path, "x.mha", head(values, BinaryDataByteOrderMSB=str(big)) + data)
    np.testing.assert_array_equal(read_stack(path).pixels, values)


REFUSED = {
    "short": (one("x.mha", head(), RAW[:-1]), "x.mha is truncated: it holds 3719 bytes"),
    "long": (one("x.mha", head(), RAW + b"\0"), "holds 3721 bytes of pixels, .* 3720"),
    "zlib, short": (one("x.mha", head(CompressedData="True"), Z[:-5]), "is truncated"),
    "zlib, altered": (
        one("x.mha", head(CompressedData="True"), Z[:-1] + bytes([Z[-1] ^ 1])), "is damaged"
    ),
    "zlib of one slice": (
        one("x.mha", head(BinaryDataByteOrderMSB="True", CompressedData="True"),
            zlib.compress(SLICES[0])),
        "pixels end at byte 1240 of 3720",
    ),
    "zlib of four": (
        one("x.mha", head(CompressedData="True"), zlib.compress(RAW + SLICES[0])),
        "holds more than the 3720 bytes",
    ),
    "list": (apart(head(ElementDataFile="LIST")), "LIST in its header, where one file or LOCAL"),
    "pattern": (apart(head(ElementDataFile="s%d.raw 0 2 1")), "where one file or LOCAL is wanted"),
    "text": (one("x.mha", head(BinaryData="False"), TEXT), "pixels as text are not read"),
    "gzip": (one("x.mha", head(CompressedData="True"), G), "compressed by gzip"),
    "Windows' whole path": (
        apart(head(ElementDataFile=r"C:\data\x.raw"), ("x.raw", RAW)), "there is no such file"
    ),
    "missing file": (apart(head(ElementDataFile="y.raw")), "keeps its pixels in y.raw"),
    "a folder": (apart(head(ElementDataFile=".")), "there is no such file"),
    "a device": (apart(head(ElementDataFile="/dev/zero")), "there is no such file"),
    "no pixels claimed": (one("x.mha", head(DimSize="31 0 3"), RAW), "has DimSize = 31 0 3"),
    "fractions": (one("x.mha", head(DimSize="31 20.5 3"), RAW), "has DimSize = 31 20.5 3"),
    "no type": (one("x.mha", head(ElementType=None), RAW), "has no ElementType in its header"),
    "long integers": (one("x.mha", head(ElementType="MET_LONG_LONG"), RAW), "MET_LONG_LONG in its"),
    "four dimensions": (one("x.mha", head(NDims=4), RAW), "has 4 dimensions"),
    "channels": (one("x.mha", head(ElementNumberOfChannels=3), RAW), "has 3 channels"),
    "axes of zero": (
        one("x.mha", head(TransformMatrix="0 0 0 0 0 0 0 0 0"), RAW),
        "has TransformMatrix = 0 0 0 0 0 0 0 0 0 in its header, where axes that span",
    ),
    "spacing of zero": (one("x.mha", head(ElementSpacing="1 0 1"), RAW), "numbers above 0"),
    "spacing of NaN": (one("x.mha", head(ElementSpacing="1 nan 1"), RAW), "3 finite numbers"),
    "byte orders that differ": (
        one("x.mha", head(ElementByteOrderMSB="True"), RAW), "has BinaryDataByteOrderMSB twice"
    ),
    "said twice": (one("x.mha", b"NDims = 2\n" + head(), RAW), "has NDims twice"),
    "neither true nor false": (
        one("x.mha", head(CompressedData="perhaps"), RAW), "True or False is wanted"
    ),
    "no header": (one("x.mha", b"\x89PNG\r\n\x1a\n" + bytes(99)), "it is no MetaImage, or damaged"),
    "header cut off": (one("x.mha", head()[:60]), "ends without a line ElementDataFile"),
    "header beyond the file": (
        one("x.mha", head(HeaderSize=10**9), RAW), "is truncated: it holds 0 bytes"
    ),
    "compressed at the end": (
        one("x.mha", head(HeaderSize=-1, CompressedData="True"), Z), "has HeaderSize = -1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_short_damaged_or_contradictory_is_refused_by_name(tmp_path, fault):
    write, says = REFUSED[fault]
    path = write(tmp_path)
    with pytest.raises(StackError, match=says):
        read_stack(path)


@pytest.mark.parametrize("compressed", ["True", "False"])
def test_a_claim_takes_no_memory(tmp_path, compressed):
    path = put(tmp_path, "x.mha", head(CompressedData=compressed, DimSize="1024 1024 1000000") + Z)
    tracemalloc.start()
    with pytest.raises(StackError, match="truncated"):
        read_stack(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 2**20


@pytest.mark.parametrize("spacing", [(0.143, 0.175, 2.5), (1e-3, 7.0, 1 / 3)])
def test_geometry_is_itks(tmp_path, spacing):
    image = sitk.GetImageFromArray(PIXELS)
    image.SetSpacing(spacing)
    image.SetOrigin((-12.5, 40.25, 3.0))
    image.SetDirection((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(image, str(tmp_path / "a.mhd"), useCompression=True)
    geometry = read_stack(tmp_path / "a.mhd").geometry
    assert geometry.spacing == image.GetSpacing()
    assert geometry.origin == image.GetOrigin()
    assert geometry.direction == image.GetDirection()
