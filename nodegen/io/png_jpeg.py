"""Reading PNG and JPEG of grey levels, with all their bits and the way up that they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodegen.errors import StackError
from nodegen.io.image import Geometry

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG")
COLOURED = 8  # grey levels of 255 between colours from which a picture is no radiograph
SQUARE = 0.02  # relative difference of a pixel's sides from which it is no square
_DEPTH, _COLOURS = 24, 25  # bytes of a PNG that hold its bits and its kind of colours


def read_picture(path: Path) -> tuple[np.ndarray, Geometry]:
    """Read a PNG or JPEG, (row, column): grey of 8 or 16 bit; colours, where all are the same.

    The geometry has no size of pixels: what such files tell is that of a print. A StackError says
    where it is damaged, in colours, or its pixels are not square.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path, formats=FORMATS) as image:
            image.verify()  # a PNG's checksums, which are not looked at when it is decoded
        with Image.open(path, formats=FORMATS) as image:
            _check_square(path, image)
            orientation = image.getexif().get(0x0112, 1)
            pixels = _deep(path) if image.format == "PNG" else None
            if pixels is not None:
                if orientation != 1:
                    raise StackError(
                        f"{path} is to be shown turned (EXIF Orientation {orientation}), which is "
                        "taken of 8 bit alone; turn its pixels."
                    )
            elif image.mode.startswith("I"):
                pixels = np.asarray(ImageOps.exif_transpose(image)).clip(0, 65535)
                pixels = pixels.astype(np.uint16)
            else:
                pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (
        UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError,
        TypeError, ZeroDivisionError, OverflowError,
    ) as error:  # fmt: skip
        raise StackError(
            f"{path} cannot be read as an image: it is damaged, truncated or of another format; "
            "copy it anew."
        ) from error
    return _grey(path, pixels), Geometry.plain(2)


def _deep(path: Path) -> np.ndarray | None:
    """A PNG of 16 bit in several channels, of which Pillow keeps 8 bit; None of any other."""
    import imagecodecs

    content = path.read_bytes()
    if content[_DEPTH] != 16 or content[_COLOURS] not in (2, 4, 6):
        return None
    pixels: np.ndarray = np.asarray(imagecodecs.png_decode(content))
    return pixels[..., :1] if pixels.shape[2] == 2 else pixels[..., :3]  # without transparency


def _grey(path: Path, pixels: np.ndarray) -> np.ndarray:
    """One channel of a picture, (row, column[, channel]), whose channels are alike."""
    if pixels.ndim == 2:
        return pixels
    unlike = np.ptp(pixels.astype(np.int32), axis=2)
    if np.percentile(unlike, 99) > COLOURED * np.iinfo(pixels.dtype).max / 255:
        raise StackError(
            f"{path} is a picture in colours, where a radiograph in grey levels is wanted; leave "
            "it out."
        )
    if not unlike.any():
        return np.ascontiguousarray(pixels[..., 0])
    mean = np.rint(pixels @ np.array([0.299, 0.587, 0.114]))  # luma, as JPEG defines it
    return np.asarray(mean.astype(pixels.dtype))


def _check_square(path: Path, image: Image.Image) -> None:
    told: Any = image.info.get("aspect") or image.info.get("dpi")
    if image.info.get("jfif_unit") == 0:  # a ratio alone
        told = image.info.get("jfif_density")
    if told and min(told) > 0 and abs(told[0] / told[1] - 1) > SQUARE:
        raise StackError(
            f"{path} has {told[0]:g} x {told[1]:g} pixels to a unit of length, where square pixels "
            "are wanted; resample it."
        )
