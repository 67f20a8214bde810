"""Stacks of radiographs in memory, once and in their own pixel type, and reading them."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import SimpleITK as sitk

from nodegen.errors import StackError
from nodegen.io.image import check_pixels
from nodegen.io.metaimage import inflate

TIFF = (".tif", ".tiff")
SUFFIXES = (".mha", ".mhd", *TIFF)

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
        self.pixels = pixels.view() if pixels.ndim == 3 else pixels[None]
        self.pixels.flags.writeable = False


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
    check_pixels(stack.pixels, path)
    return stack


def _read_itk(path: Path) -> Stack:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_form(path, reader.GetDimension(), reader.GetNumberOfComponents())
        pixels = inflate(path, reader.GetSize()[::-1])
        if pixels is None:
            pixels = np.asarray(_Held(reader.Execute()))
    except (RuntimeError, MemoryError, OSError, ValueError) as error:
        raise _unreadable(path) from error
    geometry = Geometry(
        reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection(), reader.GetDimension()
    )
    return Stack(path, pixels, geometry)


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
