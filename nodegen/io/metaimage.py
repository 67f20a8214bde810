"""Reading MetaImage (.mha, .mhd) exactly: every legal form, or a refusal that names the field.

Nothing is left to a reader that may report success after failing. A header is text of any length,
up to the line ``ElementDataFile``; what follows it, or lies in the files that it names, is the
pixels (:mod:`nodegen.io.metaimage_pixels`). Memory is taken for what the files really hold, never
for what a header claims.

The forms are those of MetaIO, the format's own library, whose source is its only full description.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nodegen.errors import StackError
from nodegen.io.geometry import Geometry
from nodegen.io.metaimage_pixels import FileFault, Part, read_pixels

# MetaImage's names of the pixel types, and so the pixel types that are read and written.
ELEMENTS = {
    "uint8": "MET_UCHAR",
    "int8": "MET_CHAR",
    "uint16": "MET_USHORT",
    "int16": "MET_SHORT",
    "uint32": "MET_UINT",
    "int32": "MET_INT",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}
# MetaIO's long is of 4 bytes everywhere.
_TYPES = {name: dtype for dtype, name in ELEMENTS.items()} | {
    "MET_LONG": "int32",
    "MET_ULONG": "uint32",
}
LINE_MAX = 1 << 20  # bytes; a longer line is no header's
_LAST = "ElementDataFile"
# What is read of a header; everything else, users' own keys too, is passed over.
_KNOWN = {
    *("ObjectType", "NDims", "DimSize", "HeaderSize", "ElementType", "ElementNumberOfChannels"),
    *("BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData"),
    *("TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin"),
    *("ElementSpacing", "ElementSize", _LAST),
}
_TRUE, _FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")


@dataclass(frozen=True)
class Header:
    """The fields of a MetaImage's header, and where it ends.

    Attributes
    ----------
    path : Path
    fields : dict of str
        Those that matter here, as they are written; a file's name with ``os.fsdecode``.
    end : int
        First byte after the header.
    names : tuple of str
        The lines after ``ElementDataFile = LIST``.
    """

    path: Path
    fields: dict[str, str]
    end: int
    names: tuple[str, ...] = ()

    def fault(self, key: str, wanted: str) -> StackError:
        """The sentence for a field that is missing or wrong."""
        value = self.fields.get(key)
        said = f"has {key} = {_short(value)}" if value is not None else f"has no {key}"
        return StackError(f"{self.path} {said} in its header, where {wanted}; correct the header.")

    def flag(self, key: str, default: bool = False) -> bool:
        """A field of true or false."""
        value = self.fields.get(key)
        if value is None:
            return default
        if value.lower() in _TRUE or value.lower() in _FALSE:
            return value.lower() in _TRUE
        raise self.fault(key, "True or False is wanted")

    def whole(self, key: str, default: int | None = None) -> int:
        """A field of one whole number."""
        value = self.fields.get(key)
        if value is None and default is not None:
            return default
        try:
            return _int(value or "")
        except ValueError:
            raise self.fault(key, "a whole number is wanted") from None

    def numbers(self, keys: tuple[str, ...], count: int) -> tuple[float, ...] | None:
        """The numbers of the first of ``keys`` that is there; None where none is."""
        key = next((key for key in keys if key in self.fields), None)
        if key is None:
            return None
        try:
            values = tuple(float(word.replace("_", "?")) for word in self.fields[key].split())
        except ValueError:
            values = ()
        if len(values) != count or not all(map(math.isfinite, values)):
            raise self.fault(key, f"{count} finite numbers are wanted")
        return values


def read_metaimage(path: Path) -> tuple[np.ndarray, Geometry]:
    """Read a MetaImage of grey levels, 2D or 3D.

    Returns
    -------
    pixels : ndarray, shape ([slice,] row, column)
        In the file's pixel type and the machine's byte order.
    geometry : Geometry

    Raises
    ------
    StackError
        Where a field of the header is missing, wrong or not taken here, or the pixels are missing,
        damaged, or more or fewer than the header says.
    OSError
        Where the file cannot be read.
    """
    header = read_header(path)
    if header.fields.get("ObjectType", "Image") != "Image":
        raise header.fault("ObjectType", "Image is wanted")
    dimension = header.whole("NDims")
    if dimension not in (2, 3):
        raise StackError(
            f"{path} has {dimension} dimensions where 2 (an image) or 3 (a stack) are allowed; "
            "write each stack to a file of its own."
        )
    channels = header.whole("ElementNumberOfChannels", 1)
    if channels != 1:
        raise StackError(
            f"{path} has {channels} channels where one is allowed; convert it to grey levels."
        )
    dtype = _dtype(header)
    shape = _shape(header, dimension)
    try:
        pixels = read_pixels(
            _parts(header, shape),
            shape,
            dtype,
            compressed=header.flag("CompressedData"),
            text=not header.flag("BinaryData", True),
        )
    except FileFault as fault:
        raise StackError(f"{fault}; copy {path.name} anew, with all of its files.") from fault
    return pixels, _geometry(header, dimension)


def count_slices(path: Path) -> int:
    """Slices of a MetaImage, by its header.

    Raises
    ------
    StackError, OSError
        Where the header cannot be read.
    """
    header = read_header(path)
    dimension = header.whole("NDims")
    return _shape(header, dimension)[0] if dimension == 3 else 1


def read_header(path: Path) -> Header:
    """Read the header of a MetaImage, whatever its length.

    Raises
    ------
    StackError
        Where the file is no MetaImage, or its header contradicts itself.
    OSError
        Where it cannot be read.
    """
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
            text = os.fsdecode(value.strip()) if name == _LAST else value.strip().decode("latin-1")
            if name not in _KNOWN:
                continue
            if fields.setdefault(name, text) != text:
                raise StackError(
                    f"{path} has {name} twice in its header, as {_short(fields[name])} and "
                    f"{_short(text)}; leave one of them."
                )
            if name == _LAST:
                end = file.tell()
                names = _listed(file) if text.split()[:1] == ["LIST"] else ()
                return Header(path, fields, end, names)


def _listed(file: BinaryIO) -> tuple[str, ...]:
    """The names after ``LIST``, one a line."""
    lines = iter(lambda: file.readline(LINE_MAX), b"")
    return tuple(os.fsdecode(line.strip()) for line in lines if line.strip())


def _dtype(header: Header) -> np.dtype:
    name = header.fields.get("ElementType", "")
    if name not in _TYPES:
        raise header.fault("ElementType", f"one of {', '.join(_TYPES)} is allowed")
    orders = {
        key: header.flag(key)
        for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
        if key in header.fields
    }
    if len(set(orders.values())) > 1:
        raise StackError(
            f"{header.path} says both big-endian and little-endian in its header "
            f"({', '.join(orders)}); leave the one that is true."
        )
    return np.dtype(_TYPES[name]).newbyteorder(">" if any(orders.values()) else "<")


def _shape(header: Header, dimension: int) -> tuple[int, ...]:
    try:
        sizes = [_int(word) for word in header.fields.get("DimSize", "").split()]
    except ValueError:
        sizes = []
    if len(sizes) != dimension or min(sizes) < 1:
        raise header.fault("DimSize", f"{dimension} whole numbers from 1 on are wanted")
    return tuple(sizes[::-1])


def _geometry(header: Header, n: int) -> Geometry:
    spacing = header.numbers(("ElementSpacing", "ElementSize"), n) or (1.0,) * n
    if min(spacing) <= 0:
        key = "ElementSpacing" if "ElementSpacing" in header.fields else "ElementSize"
        raise header.fault(key, "numbers above 0 are wanted")
    origin = header.numbers(("Offset", "Position", "Origin"), n) or (0.0,) * n
    keys = ("TransformMatrix", "Rotation", "Orientation")
    axes = header.numbers(keys, n * n) or tuple(np.eye(n).ravel().tolist())
    # MetaImage lists the direction axis by axis, so column by column of the matrix.
    matrix = np.reshape(axes, (n, n)).T
    if abs(np.linalg.det(matrix)) < 1e-12:  # rounding error of a determinant of unit vectors
        key = next(key for key in keys if key in header.fields)
        raise header.fault(key, "axes that span the space are wanted, as 1 0 0 0 1 0 0 0 1")
    return Geometry(spacing, origin, tuple(matrix.ravel().tolist()), n)


# --- where the pixels lie -------------------------------------------------------------------------


def _parts(header: Header, shape: tuple[int, ...]) -> list[Part]:
    """The files that hold the pixels, in order, each with its first byte and its share of them."""
    name, skip = header.fields[_LAST], header.whole("HeaderSize", 0)
    if skip < -1 or (skip == -1 and header.flag("CompressedData")):
        raise header.fault("HeaderSize", "0, or the bytes before the pixels, are wanted")
    if name.lower() == "local":
        if 0 < skip < header.end:
            raise header.fault("HeaderSize", f"0 or {header.end} and more are wanted")
        return [Part(header.path, skip or header.end, shape[0], header.end)]
    words = name.split()
    if words[:1] == ["LIST"]:
        count = _slabs(header, words, shape)
        if len(header.names) != count:
            raise StackError(
                f"{header.path} lists {len(header.names)} files, and its DimSize asks for {count}; "
                "correct the header."
            )
        names: list[str] = list(header.names)
    elif "%" in name and _found(header.path, name) is None:
        names = _pattern(header, words, shape)
    else:
        names = [name]
    share = shape[0] // len(names) if len(names) <= shape[0] else 0
    parts = []
    for each in names:
        found = _found(header.path, each)
        if found is None:
            raise StackError(
                f"{header.path} keeps its pixels in {each}, and there is no such file beside it; "
                "put it there, or correct ElementDataFile in the header."
            )
        parts.append(Part(found, skip, share, 0))
    return parts


def _slabs(header: Header, words: list[str], shape: tuple[int, ...]) -> int:
    """Files of a list: by default one for each slice; ``LIST 3`` would be the whole in one."""
    flat = len(shape) - 1
    if len(words) > 1:
        digits = words[1].upper().removesuffix("D")
        flat = int(digits) if digits.isdecimal() else 0
    if len(words) > 2 or flat not in (len(shape) - 1, len(shape)):
        raise header.fault(_LAST, f"LIST, LIST {len(shape) - 1} or LIST {len(shape)} is allowed")
    return 1 if flat == len(shape) else shape[0]


def _pattern(header: Header, words: list[str], shape: tuple[int, ...]) -> list[str]:
    """Names by a pattern of C's printf, with the first number, the last one and the step."""
    wanted = "a file, LOCAL, LIST, or a pattern as slice_%03d.raw 1 20 1 is allowed"
    numbers = [word for word in words[1:] if word.lstrip("+-").isdecimal()]
    if len(numbers) != len(words) - 1 or len(numbers) > 3:
        raise header.fault(_LAST, f"an existing file or {wanted}")
    first = int(numbers[0]) if numbers else 1
    last = int(numbers[1]) if len(numbers) > 1 else first + shape[0] - 1
    step = int(numbers[2]) if len(numbers) > 2 else max((last - first + 1) // shape[0], 1)
    if step < 1 or len(range(first, last + 1, step)) != shape[0]:
        raise header.fault(_LAST, f"numbers for {shape[0]} files are wanted")
    try:
        return [words[0] % number for number in range(first, last + 1, step)]
    except (TypeError, ValueError):
        raise header.fault(_LAST, wanted) from None


def _found(header: Path, name: str) -> Path | None:
    """The data file of a header: beside it, also where the name has a Windows path."""
    if not name or "\0" in name:
        return None
    slashed = name.replace("\\", "/")
    tail = slashed.rsplit("/", 1)[-1]
    for each in (name, slashed, *([tail] if slashed[1:3] == ":/" else [])):
        path = header.parent / each  # an absolute name stays as it is
        if each and path.is_file():
            return path
    return None


def _int(word: str) -> int:
    """A whole number, plainly written: Python's own ``int`` takes 1_000, too."""
    return int(word.replace("_", "?"))


def _short(value: str | None) -> str:
    text = value or "nothing"
    return text if len(text) <= 60 else text[:57] + "..."
