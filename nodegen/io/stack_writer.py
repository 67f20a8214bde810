"""Writing stacks, slice by slice, with the geometry and the pixel type of what was read.

A slice is compressed while the next one is rendered, and the file appears under its name when it
is complete.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from isal import isal_zlib

from nodegen.errors import OutputError
from nodegen.io.files import cannot_write, whole_file
from nodegen.io.geometry import Geometry
from nodegen.io.mark import XMP_TIFF, Mark
from nodegen.io.metaimage import ELEMENTS
from nodegen.io.stack import SUFFIXES, TIFF

# Of isal, 0 to 3: a seventh of the time that zlib's least takes, for files a tenth larger.
COMPRESSION = 2
SIZE_DIGITS = 15  # room in the header for the size of the compressed data
LARGE_TIFF = 4_000_000_000  # bytes of pixels; beyond them a TIFF becomes a BigTIFF
WAITING = 2  # slices that may wait for the compressor


class StackWriter:
    """Writes a stack slice by slice; a context manager.

    On a clean exit the whole file lies under ``path``; on an exception nothing does.

    Parameters
    ----------
    path : Path
        Ends in .mha, .mhd (the pixels go beside it, into .zraw) or .tif.
    shape : (slices, rows, columns)
    dtype : dtype
        Of the slices that will be written.
    mark : Mark, optional
        Says in the file what is synthetic.

    Raises
    ------
    OutputError
        Where the file cannot be written, from any of the methods.
    """

    def __init__(
        self,
        path: Path,
        geometry: Geometry,
        shape: tuple[int, ...],
        dtype: np.dtype | type,
        mark: Mark | None = None,
    ):
        self.path, self.geometry, self.shape = path, geometry, tuple(shape)
        self.dtype, self.mark, self.written = np.dtype(dtype), mark, 0
        check_suffix(path)
        kind = _Tiff if path.suffix.lower() in TIFF else _MetaImage
        self._sink: _MetaImage | _Tiff = kind(self)
        self._queue: queue.Queue[np.ndarray | None] = queue.Queue(WAITING)
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._files = ExitStack()

    def __enter__(self) -> Self:
        try:
            with ExitStack() as files:
                self._sink.open(files)
                self._thread.start()
                self._files = files.pop_all()
        except OSError as error:
            raise cannot_write(self.path, error) from error
        return self

    def write(self, pixels: np.ndarray) -> None:
        """Hand over the next slice, (row, column); it is not to be changed afterwards."""
        if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
            raise ValueError(
                f"a slice of {pixels.dtype} {pixels.shape}, not {self.dtype} {self.shape[1:]}"
            )
        if self._fault is None:
            self._queue.put(pixels)
        if self._fault is not None:
            raise cannot_write(self.path, self._fault) from self._fault
        self.written += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._files as files:  # gives the files their names, or removes them
                self._queue.put(None)
                self._thread.join()
                if error is not None:
                    files.pop_all().__exit__(kind, error, trace)
                    return
                if self._fault is not None:
                    raise self._fault
                if self.written != self.shape[0]:
                    raise ValueError(f"{self.written} of {self.shape[0]} slices were written")
                self._sink.finish()
        except OSError as fault:
            raise cannot_write(self.path, fault) from fault

    def _work(self) -> None:
        while (pixels := self._queue.get()) is not None:
            if self._fault is None:
                try:
                    self._sink.write(pixels)
                except BaseException as error:
                    self._fault = error


def check_suffix(path: Path) -> None:
    """Refuse a name that is no stack's.

    Raises
    ------
    OutputError
        Where it ends otherwise than stacks do.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"{path} ends in {path.suffix or 'no suffix'}, where one of {', '.join(SUFFIXES)} is "
            "wanted; give such a name."
        )


def files_of(path: Path) -> tuple[Path, ...]:
    """The files in which a stack of this name is written; the one that names the others last."""
    if path.suffix.lower() != ".mhd":
        return (path,)
    # Readers take a data file's name with a percent sign for a pattern of names.
    return path.with_name(path.with_suffix(".zraw").name.replace("%", "_")), path


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(format(value, ".17g") for value in values)


class _MetaImage:
    """.mha, or .mhd with its .zraw: a header, then one zlib stream."""

    def __init__(self, stack: StackWriter):
        self.stack, self.data, self.size = stack, files_of(stack.path)[0], 0

    def open(self, files: ExitStack) -> None:
        # The header's file is opened first and so published last: without it there is no image.
        self.head = files.enter_context(whole_file(self.stack.path))
        local = self.data == self.stack.path
        self.file = self.head if local else files.enter_context(whole_file(self.data))
        if local:
            self.file.write(self._header())
        self.compressor = isal_zlib.compressobj(COMPRESSION)

    def write(self, pixels: np.ndarray) -> None:
        self._append(self.compressor.compress(np.ascontiguousarray(pixels).data))

    def _append(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)

    def finish(self) -> None:
        self._append(self.compressor.flush())
        self.head.seek(0)
        self.head.write(self._header())  # now with the true size, in the same room

    def _header(self) -> bytes:
        geometry, shape = self.stack.geometry, self.stack.shape
        n = geometry.dimension
        # MetaImage lists the direction axis by axis, so column by column of the matrix.
        axes = np.reshape(geometry.direction, (n, n)).T.ravel()
        size = (shape[2], shape[1], shape[0])[:n]
        fields = {
            "ObjectType": "Image",
            **({"Comment": self.stack.mark.text} if self.stack.mark else {}),
            "NDims": n,
            "BinaryData": True,
            "BinaryDataByteOrderMSB": np.little_endian is False,
            "CompressedData": True,
            "CompressedDataSize": f"{self.size:{SIZE_DIGITS}d}",
            "TransformMatrix": _numbers(tuple(axes)),
            "Offset": _numbers(geometry.origin),
            "CenterOfRotation": " ".join("0" * n),
            "ElementSpacing": _numbers(geometry.spacing),
            "DimSize": " ".join(map(str, size)),
            "ElementType": ELEMENTS[self.stack.dtype.name],
            "ElementDataFile": "LOCAL" if self.data == self.stack.path else self.data.name,
        }
        return os.fsencode("".join(f"{key} = {value}\n" for key, value in fields.items()))


class _Tiff:
    """.tif: one page a slice; of the geometry, a TIFF can hold the spacing in the plane."""

    def __init__(self, stack: StackWriter):
        self.stack, self.mark = stack, stack.mark
        # A TIFF of 4 GiB and more needs wider numbers.
        self.large = math.prod(stack.shape) * stack.dtype.itemsize > LARGE_TIFF

    def open(self, files: ExitStack) -> None:
        from tifffile import TiffWriter

        self.tiff = TiffWriter(files.enter_context(whole_file(self.stack.path)), bigtiff=self.large)

    def write(self, pixels: np.ndarray) -> None:
        x, y = self.stack.geometry.spacing[:2]
        along, across, unit, white = self.stack.geometry.tags or ((10 / x), (10 / y), 3, 0)
        more: list[Any] = [(281, "H", 1, white, True)]
        more *= bool(white and white < np.iinfo(pixels.dtype).max)
        if self.mark:
            content = self.mark.xmp.encode()
            more.append((XMP_TIFF, "B", len(content), content, True))
        self.tiff.write(
            (white - pixels).astype(pixels.dtype, copy=False) if white else pixels,
            extratags=more,
            description=self.mark.text if self.mark else None,
            software=f"nodegen {self.mark.version}" if self.mark else None,
            photometric="miniswhite" if white else "minisblack",
            resolution=(along, across),
            resolutionunit=unit,
            metadata=None,
        )
        self.mark = None  # on the first page alone

    def finish(self) -> None:
        self.tiff.close()
