"""Radiographs in memory: arrays and SimpleITK images, checked, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from nodegen.errors import StackError
from nodegen.io.metaimage import ELEMENTS

if TYPE_CHECKING:
    import SimpleITK as sitk

Image: TypeAlias = Union[np.ndarray, "sitk.Image"]


def to_array(image: Image) -> np.ndarray:
    """The pixels of an image as a stack, (slice, row, column), in their own type.

    Parameters
    ----------
    image : ndarray, shape ([slice,] row, column), or SimpleITK.Image
        A single image becomes a stack of one slice.

    Raises
    ------
    StackError
        Where it has another number of dimensions or channels, another pixel type than those of
        ``ELEMENTS``, no pixels, or pixels that are not finite.

    Examples
    --------
    >>> to_array(np.zeros((4, 6), dtype=np.uint8)).shape
    (1, 4, 6)
    """
    if isinstance(image, np.ma.MaskedArray | np.matrix):
        raise StackError(
            f"The image is a {type(image).__name__} where a plain ndarray is allowed; fill what is "
            "masked, and convert it by numpy.array."
        )
    if isinstance(image, np.ndarray):
        pixels = image
    elif hasattr(image, "GetPixelID"):  # without importing SimpleITK for those who do not use it
        import SimpleITK as sitk

        if image.GetNumberOfComponentsPerPixel() != 1:
            raise StackError(
                f"The image has {image.GetNumberOfComponentsPerPixel()} channels where one is "
                "allowed; convert it to grey levels."
            )
        pixels = sitk.GetArrayFromImage(image)
    else:
        raise StackError(
            f"The image is a {type(image).__name__} where an ndarray or a SimpleITK image is "
            "allowed; convert it to one of them."
        )
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise StackError(
            f"The image has the shape {pixels.shape} where (row, column) or (slice, row, column), "
            "not empty, is allowed; give one stack at a time."
        )
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and min(pixels.shape[:2]) > 4:
        raise StackError(
            f"The image has the shape {pixels.shape}, which is that of a picture in colours, where "
            "(row, column) or (slice, row, column) is allowed; convert it to grey levels."
        )
    check_pixels(pixels if pixels.ndim == 3 else pixels[None], "The image")
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return native if native.ndim == 3 else native[None]


def to_image(pixels: np.ndarray, like: Image) -> Image:
    """Give a stack (slice, row, column) the form of ``like``: its dimensions, type, geometry."""
    if isinstance(like, np.ndarray):
        return pixels.reshape(like.shape).astype(like.dtype, copy=False)
    import SimpleITK as sitk

    made = sitk.GetImageFromArray(pixels.reshape(like.GetSize()[::-1]))
    made.CopyInformation(like)
    return made


def dimension_of(image: Image) -> int:
    """2 for a single image, 3 for a stack."""
    return image.ndim if isinstance(image, np.ndarray) else int(image.GetDimension())


def check_pixels(pixels: np.ndarray, name: object) -> None:
    """Refuse pixels of a type that is not taken, and pixels that are not finite.

    Parameters
    ----------
    pixels : ndarray, shape (slice, row, column)
        The image's grey levels.
    name : object
        What the message calls the image.

    Raises
    ------
    StackError
        Where they are of such a kind.
    """
    if pixels.dtype.name not in ELEMENTS:
        raise StackError(
            f"{name} has pixels of {pixels.dtype} where {', '.join(ELEMENTS)} are allowed; "
            "convert it to one of them."
        )
    if np.issubdtype(pixels.dtype, np.floating):
        for number, slice_ in enumerate(pixels):
            if not np.isfinite(slice_).all():
                raise StackError(
                    f"Slice {number} of {name} holds pixels that are NaN or infinite, where finite "
                    "numbers are allowed; replace them."
                )
