"""Stacks of radiographs, in and out, with their geometry and pixel type kept.

Reading leaves the stack in its own pixel type, once. Writing streams: a slice is compressed while
the next one is rendered, and the file appears under its name when it is complete.
"""

import os
import queue
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import SimpleITK as sitk

from nodegen.errors import OutputError, StackError

TIFF = (".tif", ".tiff")
SUFFIXES = (".mha", ".mhd", *TIFF)
COMPRESSION = 1  # of zlib: level 2 and more cost time and save little on noise
SIZE_DIGITS = 15  # room in the header for the size of the compressed data
WAITING = 2  # slices that may wait for the compressor

# MetaImage's names of the pixel types, and so the pixel types that are read.
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

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # faults are told once, as one sentence


@dataclass(frozen=True)
class Geometry:
    """Where an image lies, as its file says.

    Attributes
    ----------
    spacing, origin : tuple of float
        (x, y) or (x, y, z), mm.
    direction : tuple of float
        Row by row, 4 or 9 numbers.
    dimension : {2, 3}
        A single image may be a 2D file; in memory it is a stack of one slice.
    """

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    dimension: int

    @classmethod
    def plain(cls, dimension: int) -> Self:
        """Spacing 1 mm, origin 0, axes as they come."""
        ones, zeros = (1.0,) * dimension, (0.0,) * dimension
        return cls(ones, zeros, tuple(np.eye(dimension).ravel().tolist()), dimension)


class Stack:
    """A stack of radiographs in memory.

    Attributes
    ----------
    pixels : ndarray, shape (slice, row, column)
        In the file's own pixel type; not to be written to.
    geometry : Geometry
    path : Path
    """

    def __init__(self, path: Path, pixels: np.ndarray, geometry: Geometry):
        self.path, self.geometry = path, geometry
        self.pixels = pixels if pixels.ndim == 3 else pixels[None]


def find_image(folder: Path) -> Path:
    """Find the one image in a folder.

    Raises
    ------
    StackError
        Where the folder does not exist, or holds no image or several.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise StackError(
            f"The input folder {folder} cannot be read ({error.strerror}); give a folder with one "
            "image and nodules.json."
        ) from error
    found = [p for p in entries if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    if len(found) != 1:
        names = f" ({', '.join(p.name for p in found[:4])})" if found else ""
        raise StackError(
            f"The input folder {folder} holds {len(found) or 'no'} images{names} where one "
            f"({', '.join(SUFFIXES)}) is wanted; leave one there."
        )
    return found[0]


def read_stack(path: Path) -> Stack:
    """Read a stack or a single image.

    Raises
    ------
    StackError
        Where the file is missing, unreadable or truncated, has other than 2 or 3 dimensions or one
        channel, or holds pixels that are not finite.
    """
    if not path.is_file():
        raise StackError(f"There is no image {path}; give the path of one.")
    stack = (_read_tiff if path.suffix.lower() in TIFF else _read_itk)(path)
    if stack.pixels.dtype.name not in ELEMENTS:
        raise StackError(
            f"{path} has pixels of {stack.pixels.dtype} where {', '.join(ELEMENTS)} are allowed; "
            "convert it to one of them."
        )
    if np.issubdtype(stack.pixels.dtype, np.floating):
        for number, pixels in enumerate(stack.pixels):
            if not np.isfinite(pixels).all():
                raise StackError(
                    f"Slice {number} of {path} holds pixels that are NaN or infinite, where finite "
                    "numbers are allowed; replace them."
                )
    return stack


def _read_itk(path: Path) -> Stack:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_form(path, reader.GetDimension(), reader.GetNumberOfComponents())
        image = reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise _unreadable(path) from error
    geometry = Geometry(
        image.GetSpacing(), image.GetOrigin(), image.GetDirection(), image.GetDimension()
    )
    return Stack(path, np.asarray(_Held(image)), geometry)


class _Held:
    """The memory of an ITK image, which lives as long as any array that shows it."""

    def __init__(self, image: sitk.Image):
        self._image = image
        self.__array_interface__ = sitk.GetArrayViewFromImage(image).__array_interface__


def _read_tiff(path: Path) -> Stack:
    # ITK reads no TIFF of 64 bit.
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            channels = series.shape[series.axes.index("S")] if "S" in series.axes else 1
            _check_form(path, len(series.shape) - (channels > 1), channels)
            pixels = series.asarray()
            spacing = [
                10 / value if value > 0 else 1.0 for value in file.pages.first.get_resolution(3)
            ]
    except (OSError, ValueError, IndexError, tifffile.TiffFileError, zlib.error) as error:
        raise _unreadable(path) from error
    plain = Geometry.plain(pixels.ndim)
    return Stack(path, pixels, replace(plain, spacing=(*spacing, 1.0)[: pixels.ndim]))


def _check_form(path: Path, dimension: int, channels: int) -> None:
    if dimension not in (2, 3):
        raise StackError(
            f"{path} has {dimension} dimensions where 2 (an image) or 3 (a stack) are allowed; "
            "write each stack to a file of its own."
        )
    if channels != 1:
        raise StackError(
            f"{path} has {channels} channels where one is allowed; convert it to grey levels."
        )


def _unreadable(path: Path) -> StackError:
    return StackError(
        f"{path} cannot be read as an image: it is damaged, truncated or of another format; "
        "copy it anew."
    )


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

    Raises
    ------
    OutputError
        Where the file cannot be written, from any of the methods.
    """

    def __init__(
        self, path: Path, geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype | type
    ):
        self.path, self.geometry, self.shape = path, geometry, tuple(shape)
        self.dtype = np.dtype(dtype)
        self.written = 0
        self._sink: _MetaImage | _Tiff
        kind = _Tiff if path.suffix.lower() in TIFF else _MetaImage
        self._sink = kind(path, geometry, self.shape, self.dtype)
        self._queue: queue.Queue[np.ndarray | None] = queue.Queue(WAITING)
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._sink.open()
        except OSError as error:
            self._sink.discard()
            raise self._failed(error) from error
        self._thread.start()
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
            raise self._failed(self._fault)
        self.written += 1

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        try:
            self._queue.put(None)
            self._thread.join()
            if kind is None:
                if self._fault is not None:
                    raise self._fault
                if self.written != self.shape[0]:
                    raise ValueError(f"{self.written} of {self.shape[0]} slices were written")
                self._sink.commit()
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._sink.discard()

    def _work(self) -> None:
        while (pixels := self._queue.get()) is not None:
            if self._fault is None:
                try:
                    self._sink.write(pixels)
                except BaseException as error:
                    self._fault = error

    def _failed(self, error: BaseException) -> OutputError:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return OutputError(
            f"{self.path} cannot be written ({why}); give an output folder that is writable and "
            "has room."
        )


def _partial(path: Path) -> Path:
    """Where a file grows; its name is no image's."""
    return path.with_name(f".{path.name}.partial")


def _remove(partial: Path) -> None:
    with suppress(OSError):  # where nothing could be made, there is nothing to remove
        partial.unlink()


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(format(value, ".17g") for value in values)


class _MetaImage:
    """.mha, or .mhd with its .zraw: a header, then one zlib stream."""

    def __init__(self, path: Path, geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype):
        self.local = path.suffix.lower() == ".mha"
        self.path, self.data = path, path if self.local else path.with_suffix(".zraw")
        self.geometry, self.shape, self.dtype = geometry, shape, dtype
        self.file: BinaryIO | None = None
        self.size = 0

    def open(self) -> None:
        self.file = _partial(self.data).open("w+b")
        if self.local:
            self.file.write(self._header())
        self.compressor = zlib.compressobj(COMPRESSION)

    def write(self, pixels: np.ndarray) -> None:
        self._append(self.compressor.compress(np.ascontiguousarray(pixels).data))

    def _append(self, data: bytes) -> None:
        assert self.file is not None
        self.file.write(data)
        self.size += len(data)

    def commit(self) -> None:
        assert self.file is not None
        self._append(self.compressor.flush())
        if self.local:
            self.file.seek(0)
            self.file.write(self._header())  # now with the true size, in the same room
        _close(self.file)
        os.replace(_partial(self.data), self.data)
        if not self.local:
            with _partial(self.path).open("w+b") as header:
                header.write(self._header())
                _close(header)
            os.replace(_partial(self.path), self.path)

    def discard(self) -> None:
        if self.file is not None:
            self.file.close()
        for path in {self.path, self.data}:
            _remove(_partial(path))

    def _header(self) -> bytes:
        n = self.geometry.dimension
        # MetaImage lists the direction axis by axis, so column by column of the matrix.
        axes = np.reshape(self.geometry.direction, (n, n)).T.ravel()
        size = (self.shape[2], self.shape[1], self.shape[0])[:n]
        fields = {
            "ObjectType": "Image",
            "NDims": n,
            "BinaryData": True,
            "BinaryDataByteOrderMSB": np.little_endian is False,
            "CompressedData": True,
            "CompressedDataSize": f"{self.size:{SIZE_DIGITS}d}",
            "TransformMatrix": _numbers(tuple(axes)),
            "Offset": _numbers(self.geometry.origin),
            "CenterOfRotation": " ".join("0" * n),
            "ElementSpacing": _numbers(self.geometry.spacing),
            "DimSize": " ".join(map(str, size)),
            "ElementType": ELEMENTS[self.dtype.name],
            "ElementDataFile": "LOCAL" if self.local else self.data.name,
        }
        return "".join(f"{key} = {value}\n" for key, value in fields.items()).encode()


class _Tiff:
    """.tif: one page a slice; of the geometry, a TIFF can hold the spacing in the plane."""

    def __init__(self, path: Path, geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype):
        self.path, self.geometry = path, geometry
        self.file: BinaryIO | None = None

    def open(self) -> None:
        from tifffile import TiffWriter

        self.file = _partial(self.path).open("w+b")
        self.tiff = TiffWriter(self.file)

    def write(self, pixels: np.ndarray) -> None:
        x, y = self.geometry.spacing[:2]
        self.tiff.write(
            pixels,
            photometric="minisblack",
            resolution=(10 / x, 10 / y),
            resolutionunit="CENTIMETER",
            metadata=None,
        )

    def commit(self) -> None:
        assert self.file is not None
        self.tiff.close()
        _close(self.file)
        os.replace(_partial(self.path), self.path)

    def discard(self) -> None:
        if self.file is not None:
            self.file.close()
        _remove(_partial(self.path))


def _close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
