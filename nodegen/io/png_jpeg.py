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


def read_picture(path: Path) -> tuple[np.ndarray, Geometry]:
    """Read a PNG or JPEG, (row, column): grey of 8 or 16 bit; colours, where all are the same.

    The geometry has no size of pixels: what such files tell is that of a print. A StackError says
    where it is damaged, in colours, or its pixels are not square.
    """
    import imagecodecs
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=FORMATS) as image:
            image.verify()  # a PNG's checksums, which are not looked at when it is decoded
        with Image.open(path, formats=FORMATS) as image:
            _check_square(path, image)
            way_up = image.getexif().get(0x0112, 1)  # EXIF's Orientation
            if image.format == "PNG":  # of 16 bit in several channels Pillow keeps 8
                pixels: np.ndarray = np.asarray(imagecodecs.png_decode(path.read_bytes()))
            else:
                pixels = np.asarray(image.convert("RGB"))
    except (
        UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError,
        TypeError, ZeroDivisionError, OverflowError, RuntimeError,
    ) as error:  # fmt: skip
        raise StackError(
            f"{path} cannot be read as an image: it is damaged, truncated or of another format; "
            "copy it anew."
        ) from error
    if way_up in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    down, across = (-1 if way_up in turned else 1 for turned in ((3, 4, 7, 8), (2, 3, 6, 7)))
    return _grey(path, pixels[::down, ::across]), Geometry.plain(2)


def _grey(path: Path, pixels: np.ndarray) -> np.ndarray:
    """One channel of a picture, (row, column[, channel]), whose channels are alike."""
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels)
    pixels = pixels[..., : {2: 1, 4: 3}.get(pixels.shape[2])]  # without transparency
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
    density: Any = image.info.get("aspect") or image.info.get("dpi")
    if image.info.get("jfif_unit") == 0:  # a ratio alone
        density = image.info.get("jfif_density")
    if density and min(density) > 0 and abs(density[0] / density[1] - 1) > SQUARE:
        raise StackError(
            f"{path} has {density[0]:g} x {density[1]:g} pixels to a unit of length, where square "
            "pixels are wanted; resample it."
        )
