"""Stacks of radiographs in memory, once and in their own pixel type, and reading them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nodegen.errors import StackError
from nodegen.io.geometry import Geometry as Geometry
from nodegen.io.image import check_pixels
from nodegen.io.metaimage import read_metaimage
from nodegen.io.tiff import read_tiff

METAIMAGE = (".mha", ".mhd")
TIFF = (".tif", ".tiff")
SUFFIXES = (*METAIMAGE, *TIFF)
DEEPEST = 3  # folders within folders in which an image is looked for, to name it in a message


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
    if not found and (deeper := _deeper(entries)):
        raise StackError(
            f"The input folder {folder} holds no image itself, and {deeper} does; give the folder "
            "in which the image lies, with its nodules.json."
        )
    if len(found) != 1:
        names = f" ({', '.join(p.name for p in found[:4])})" if found else ""
        raise StackError(
            f"The input folder {folder} holds {len(found) or 'no'} images{names} where one "
            f"({', '.join(SUFFIXES)}) is wanted; leave one there."
        )
    return found[0]


def image_at(place: Path) -> Path:
    """The image that is meant: the file itself, or the one image in a folder.

    Raises
    ------
    StackError
        As :func:`find_image`.
    """
    return find_image(place) if place.is_dir() else place


def _deeper(entries: list[Path]) -> Path | None:
    """The first folder within that holds an image, so many folders down."""
    folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    for _ in range(DEEPEST):
        below: list[Path] = []
        for folder in folders:
            try:
                inside = sorted(folder.iterdir())
            except OSError:
                continue
            if any(path.suffix.lower() in SUFFIXES and path.is_file() for path in inside):
                return folder
            below += [path for path in inside if path.is_dir() and not path.is_symlink()]
        folders = below
    return None


def read_stack(path: Path) -> Stack:
    """Read a stack or a single image: MetaImage, TIFF, or PNG.

    Raises
    ------
    StackError
        Where the file is missing, of another kind, unreadable, damaged or truncated, has other than
        2 or 3 dimensions or one channel, or holds pixels that are not finite.
    """
    if not path.is_file():
        raise StackError(f"There is no image {path}; give the path of one.")
    suffix = path.suffix.lower()
    readers = dict.fromkeys(METAIMAGE, read_metaimage) | dict.fromkeys(TIFF, read_tiff)
    readers[".png"] = _read_png
    if suffix not in readers:
        raise StackError(
            f"{path} is of a kind that is not read ({suffix or 'no suffix'}), where "
            f"{', '.join(readers)} are; convert it to one of them."
        )
    try:
        pixels, geometry = readers[suffix](path)
    except OSError as error:
        raise StackError(
            f"{path} cannot be read ({error.strerror or error}); make it readable, or copy it anew."
        ) from error
    except MemoryError as error:
        raise StackError(
            f"{path} is too large for this machine's memory; split it, or take another machine."
        ) from error
    check_pixels(pixels if pixels.ndim == 3 else pixels[None], path)
    return Stack(path, pixels, geometry)


def _read_png(path: Path) -> tuple[np.ndarray, Geometry]:
    """Read a PNG of grey levels, of 8 or 16 bit."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in ("L", "I;16", "I"):
                raise StackError(
                    f"{path} holds pixels of the kind {image.mode}, where grey levels of 8 or 16 "
                    "bit are allowed; convert it to them."
                )
            pixels = np.asarray(image)
    except (
        UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError
    ) as error:  # fmt: skip
        raise StackError(
            f"{path} cannot be read as an image: it is damaged, truncated or no PNG; copy it anew."
        ) from error
    return pixels.astype(np.uint16) if pixels.dtype != np.uint8 else pixels, Geometry.plain(2)
