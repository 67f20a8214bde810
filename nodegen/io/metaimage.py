"""MetaImage (.mha, .mhd): read exactly, or refused with the name of the field; and written.

Memory is taken for what the file really holds, never for what a header claims.
"""

import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from isal import isal_zlib

from nodegen.errors import StackError
from nodegen.io.files import files_of, whole_file
from nodegen.io.image import ELEMENTS, Geometry, Mark, check_axes

# MetaIO's long is of 4 bytes everywhere.
_TYPES = {name: dtype for dtype, name in ELEMENTS.items()} | {
    "MET_LONG": "int32",
    "MET_ULONG": "uint32",
}
LINE_MAX = 1 << 20  # bytes; a longer line is no header's
PIECE = 1 << 16  # bytes of the file that are held at a time: inflated, no more than 64 MiB
# Of isal, 0 to 3: a seventh of the time that zlib's least takes, for files a tenth larger.
COMPRESSION = 2
SIZE_DIGITS = 15  # room in the header for the size of the compressed data
DEFLATE_MOST = 1032  # times as many bytes come out of deflate as go in, at most (zlib's own figure)
_LAST = "ElementDataFile"
# Of a zlib stream: its first bytes, an empty last block of deflate, and the modulus of Adler-32.
_ZLIB, _LAST_BLOCK, _ADLER = b"x^", b"\3\0", 65521
# What is read of a header, with MetaIO's other names; everything else, users' own keys too, is
# passed over.
_ALIASES = {
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
    **dict.fromkeys(("Rotation", "Orientation"), "TransformMatrix"),
    **dict.fromkeys(("Position", "Origin"), "Offset"),
}
_KNOWN = {
    *("ObjectType", "NDims", "DimSize", "HeaderSize", "ElementType", "ElementNumberOfChannels"),
    *("BinaryData", "BinaryDataByteOrderMSB", "CompressedData", "TransformMatrix", "Offset"),
    *("ElementSpacing", "ElementSize", _LAST),
}
_WHOLE, _EITHER = "a whole number is wanted", "True or False is wanted"
_TRUE, _FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")

T = TypeVar("T")


@dataclass(frozen=True)
class _Header:
    """The fields of a MetaImage's header, and where it ends."""

    path: Path
    fields: dict[str, str]  # that matter here, as written; a file's name with os.fsdecode
    end: int  # first byte after the header

    def fault(self, key: str, wanted: str) -> StackError:
        """The sentence for a field that is missing or wrong."""
        value = self.fields.get(key)
        said = f"has {key} = {_short(value)}" if value is not None else f"has no {key}"
        remedy = "convert it" if key == "ElementType" else "correct the header"
        return StackError(f"{self.path} {said} in its header, where {wanted}; {remedy}.")

    def get(self, key: str, read: Callable[[str], T], wanted: str, default: T | None = None) -> T:
        """A field as ``read`` has it, which raises a ValueError of what is not wanted."""
        value = self.fields.get(key)
        if value is None and default is not None:
            return default
        try:
            return read(value or "")
        except ValueError:
            raise self.fault(key, wanted) from None


def _flag(word: str) -> bool:
    if word.lower() not in _TRUE + _FALSE:
        raise ValueError
    return word.lower() in _TRUE


def read_metaimage(path: Path) -> tuple[np.ndarray, Geometry]:
    """Read a MetaImage of grey levels, ([slice,] row, column), in its pixel type.

    A StackError says which field of the header is missing, wrong or not taken here, or that the
    pixels are missing, damaged, or more or fewer than the header says.
    """
    header = _read_header(path)
    if header.fields.get("ObjectType", "Image") != "Image":
        raise header.fault("ObjectType", "Image is wanted")
    dimension = header.get("NDims", int, _WHOLE)
    check_axes(path, header.get("ElementNumberOfChannels", int, _WHOLE, 1), dimension)
    if not header.get("BinaryData", _flag, _EITHER, True):
        raise header.fault("BinaryData", "True is wanted, since pixels as text are not read")
    dtype, shape = _dtype(header), _shape(header, dimension)
    geometry = _geometry(header, dimension)
    path, start = _place(header)
    if header.get("CompressedData", _flag, _EITHER, False):
        pixels = _inflated(path, start, shape, dtype)
    else:
        pixels = _raw(path, start, header.end if path == header.path else 0, shape, dtype)
    if not dtype.isnative:
        pixels = pixels.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return pixels, geometry


def count_slices(path: Path) -> int:
    """Slices of a MetaImage, by its header; StackError or OSError where it cannot be read."""
    header = _read_header(path)
    dimension = header.get("NDims", int, _WHOLE)
    return _shape(header, dimension)[0] if dimension == 3 else 1


def _read_header(path: Path) -> _Header:
    """Read a header of any length; StackError where there is none or it contradicts itself."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while True:
            line = file.readline(LINE_MAX)
            key, equals, value = line.partition(b"=")
            foreign = b"\0" in line or len(line) == LINE_MAX or (line.strip() and not equals)
            if not line or foreign:
                raise StackError(
                    f"{path} cannot be read as an image: its header ends without a line "
                    f"{_LAST}, so it is no MetaImage, or damaged; copy it anew."
                )
            name = key.strip().decode("latin-1")
            name = _ALIASES.get(name, name)
            text = os.fsdecode(value.strip()) if name == _LAST else value.strip().decode("latin-1")
            if name not in _KNOWN:
                continue
            if fields.setdefault(name, text) != text:
                raise StackError(
                    f"{path} has {name} twice in its header, as {_short(fields[name])} and "
                    f"{_short(text)}; leave one of them."
                )
            if name == _LAST:
                return _Header(path, fields, file.tell())


def _dtype(header: _Header) -> np.dtype:
    name = header.fields.get("ElementType", "")
    if name not in _TYPES:
        raise header.fault("ElementType", f"one of {', '.join(_TYPES)} is allowed")
    big = header.get("BinaryDataByteOrderMSB", _flag, _EITHER, False)
    return np.dtype(_TYPES[name]).newbyteorder(">" if big else "<")


def _shape(header: _Header, dimension: int) -> tuple[int, ...]:
    def sizes(words: str) -> tuple[int, ...]:
        found = tuple(map(int, words.split()))
        if len(found) != dimension or min(found) < 1:
            raise ValueError
        return found[::-1]

    return header.get("DimSize", sizes, f"{dimension} whole numbers from 1 on are wanted")


def _geometry(header: _Header, n: int) -> Geometry:
    def numbers(key: str, default: Sequence[float]) -> tuple[float, ...]:
        def read(words: str) -> tuple[float, ...]:
            values = tuple(map(float, words.split()))
            if len(values) != len(default) or not all(map(math.isfinite, values)):
                raise ValueError
            return values

        return header.get(key, read, f"{len(default)} finite numbers are wanted", tuple(default))

    key = "ElementSpacing" if "ElementSpacing" in header.fields else "ElementSize"
    spacing, origin = numbers(key, [1.0] * n), numbers("Offset", [0.0] * n)
    if min(spacing) <= 0:
        raise header.fault(key, "numbers above 0 are wanted")
    axes = numbers("TransformMatrix", np.eye(n).ravel().tolist())
    # MetaImage lists the direction axis by axis, so column by column of the matrix.
    matrix = np.reshape(axes, (n, n)).T
    if abs(np.linalg.det(matrix)) < 1e-12:  # rounding error of a determinant of unit vectors
        wanted = "axes that span the space are wanted, as 1 0 0 0 1 0 0 0 1"
        raise header.fault("TransformMatrix", wanted)
    return Geometry(spacing, origin, tuple(matrix.ravel().tolist()), n)


# --- pixels ---------------------------------------------------------------------------------------


def _place(header: _Header) -> tuple[Path, int]:
    """The file that holds the pixels, and their first byte; -1: they are its last ones."""
    name, skip = header.fields[_LAST], header.get("HeaderSize", int, _WHOLE, 0)
    if skip < -1 or (skip == -1 and header.get("CompressedData", _flag, _EITHER, False)):
        raise header.fault("HeaderSize", "0, or the bytes before the pixels, are wanted")
    if name.lower() == "local":
        if 0 < skip < header.end:
            raise header.fault("HeaderSize", f"0 or {header.end} and more are wanted")
        return header.path, skip or header.end
    path = header.path.parent / name.removeprefix(".\\")
    if name and "\0" not in name and path.is_file():
        return path, skip
    if name.split()[:1] == ["LIST"] or "%" in name:
        raise header.fault(_LAST, "one file or LOCAL is wanted, since several files are not read")
    raise StackError(
        f"{header.path} keeps its pixels in {name}, and there is no such file beside it; put it "
        "there, or correct ElementDataFile in the header."
    )


def _damaged(path: Path, what: str) -> StackError:
    return StackError(f"{path} is {what}; copy it anew, with its header.")


def _raw(path: Path, start: int, least: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    wanted, size = math.prod(shape) * dtype.itemsize, os.stat(path).st_size
    held = max(size - max(start, least), 0)
    if held < wanted or (held > wanted and start != -1):
        raise _damaged(
            path,
            f"{'truncated' if held < wanted else 'no raw image of this size'}: it holds {held} "
            f"bytes of pixels, and its header's DimSize and ElementType ask for {wanted}",
        )
    pixels = np.empty(shape, dtype)
    with path.open("rb") as file:
        file.seek(size - wanted if start == -1 else start)
        if file.readinto(pixels.reshape(-1).view(np.uint8).data) != wanted:
            raise _damaged(path, "truncated: it became shorter while it was read")
    return pixels


def _inflated(path: Path, start: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The pixels of one zlib stream that holds exactly them."""
    wanted, at = math.prod(shape) * dtype.itemsize, 0
    held = max(os.stat(path).st_size - start, 0)
    if held * DEFLATE_MOST < wanted:
        raise _damaged(
            path,
            f"truncated: {held} compressed bytes cannot be the {wanted} of pixels that its "
            "header's DimSize and ElementType ask for",
        )
    pixels = np.empty(shape, dtype)  # the system gives memory for what is written into it
    room, stream = pixels.reshape(-1).view(np.uint8).data, isal_zlib.decompressobj()
    with path.open("rb") as file:
        file.seek(start)
        piece = file.read(PIECE)
        if piece[:2] == b"\x1f\x8b":
            raise _damaged(path, "compressed by gzip, where zlib is read")
        try:
            while piece and not stream.eof:
                # One byte more than there is room for shows that there is too much.
                found = stream.decompress(piece, wanted - at + 1)
                if at + len(found) > wanted:
                    raise _damaged(path, f"no image of this size: it holds more than the {wanted} "
                                   "bytes of pixels that its header asks for")  # fmt: skip
                room[at : at + len(found)] = found
                at += len(found)
                piece = file.read(PIECE)
        except (isal_zlib.error, zlib.error, EOFError) as error:  # type: ignore[misc]  # its stub
            raise _damaged(path, "damaged: its compressed pixels do not unpack") from error
    if at != wanted or not stream.eof:
        raise _damaged(path, f"truncated: its compressed pixels end at byte {at} of {wanted}")
    return pixels


def _short(value: str | None) -> str:
    text = value or "nothing"
    return text if len(text) <= 60 else text[:57] + "..."


# --- writing --------------------------------------------------------------------------------------


class PackedSlice(NamedTuple):
    """A slice as a part of a zlib stream that can be unpacked without those before it."""

    data: bytes
    size: int  # of the pixels, bytes
    checksum: int  # Adler-32 of the pixels


def pack_slice(pixels: np.ndarray) -> PackedSlice:
    """Compress a slice (row, column) for :func:`write_metaimage`."""
    raw = np.ascontiguousarray(pixels).data
    packer = isal_zlib.compressobj(COMPRESSION, wbits=-15)
    data = packer.compress(raw) + packer.flush(isal_zlib.Z_FULL_FLUSH)
    return PackedSlice(data, raw.nbytes, isal_zlib.adler32(raw))


@contextmanager
def write_metaimage(
    path: Path, geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype, mark: Mark | None
) -> Iterator[Callable[[PackedSlice], None]]:
    """Write .mha, or .mhd with its .zraw: a header, then one zlib stream.

    Takes what :func:`nodegen.io.stack.stack_writer` takes, and yields a function that takes the
    next slice, packed.
    """
    data, n = files_of(path)[0], geometry.dimension
    fields = {
        "ObjectType": "Image",
        **({"Comment": mark.text} if mark else {}),
        "NDims": n,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": np.little_endian is False,
        "CompressedData": True,
        "CompressedDataSize": f"{0:{SIZE_DIGITS}d}",
        # MetaImage lists the direction axis by axis, so column by column of the matrix.
        "TransformMatrix": _written(np.reshape(geometry.direction, (n, n)).T.ravel()),
        "Offset": _written(geometry.origin),
        "CenterOfRotation": " ".join("0" * n),
        "ElementSpacing": _written(geometry.spacing),
        "DimSize": " ".join(map(str, shape[::-1][:n])),
        "ElementType": ELEMENTS[dtype.name],
        _LAST: "LOCAL" if data == path else data.name,
    }

    def header() -> bytes:
        return os.fsencode("".join(f"{key} = {value}\n" for key, value in fields.items()))

    with ExitStack() as files:
        # The header's file is opened first and so published last: without it there is no image.
        head = files.enter_context(whole_file(path))
        file = head if data == path else files.enter_context(whole_file(data))
        start = file.write(header()) if file is head else 0
        file.write(_ZLIB)
        checksum = 1

        def append(part: PackedSlice) -> None:
            nonlocal checksum
            file.write(part.data)
            checksum = _joined(checksum, part)

        yield append
        file.write(_LAST_BLOCK + checksum.to_bytes(4, "big"))
        fields["CompressedDataSize"] = f"{file.tell() - start:{SIZE_DIGITS}d}"
        head.seek(0)
        head.write(header())  # in the same room


def _joined(checksum: int, part: PackedSlice) -> int:
    """The Adler-32 of what has this checksum with a part behind it: of zlib's adler32_combine."""
    (below, above), (own_below, own_above) = (
        divmod(c, 1 << 16)[::-1] for c in (checksum, part.checksum)
    )
    low = (below + own_below - 1) % _ADLER
    high = (above + own_above + part.size * (below - 1)) % _ADLER
    return high << 16 | low


def _written(values: Iterable[float]) -> str:
    return " ".join(format(value, ".17g") for value in values)
