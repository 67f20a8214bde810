"""Small 8-bit pictures of 12- and 16-bit radiographs: window, cut, size, PNG and ``data:`` URI."""

import base64
import io

import numpy as np
from PIL import Image

from nodegen.io.boxes import Box

WINDOW_PERCENTILES = (0.5, 99.5)  # black and white, where nothing else is asked for


def eight_bit(
    pixels: np.ndarray,
    percentiles: tuple[float, float] = WINDOW_PERCENTILES,
    *,
    of: np.ndarray | None = None,
    least_width: float = 1e-6,
) -> np.ndarray:
    """Window grey levels to 8 bit.

    Parameters
    ----------
    pixels : ndarray
        Of any shape.
    percentiles : (low, high)
        Of the grey levels: what becomes 0 and 255.
    of : ndarray, optional
        Other grey levels whose percentiles count.
    least_width : float
        A narrower window, in grey levels, grows to it, so that a quiet place is not all noise.

    Examples
    --------
    >>> eight_bit(np.array([0, 500, 1000]), (0, 100))
    array([  0, 127, 255], dtype=uint8)
    """
    low, high = np.percentile(pixels if of is None else of, percentiles)
    lacking = max(least_width - (high - low), 0) / 2
    low, high = low - lacking, high + lacking
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
    return np.asarray(np.clip(scaled, 0, 255).astype(np.uint8))


def around(box: Box, shape: tuple[int, ...], sides: float) -> tuple[slice, slice]:
    """Rows and columns of a square around a box.

    Parameters
    ----------
    box, shape : Box, (rows, columns)
        The box, and its slice, at whose edges the square is cut off.
    sides : float
        Side of the square over the box's larger side.
    """
    x, y = box.centre
    half = sides * max(box.width, box.height) / 2
    return (
        slice(max(round(y - half), 0), min(round(y + half), shape[0])),
        slice(max(round(x - half), 0), min(round(x + half), shape[1])),
    )


def resized(
    image: Image.Image, side: int, resample: Image.Resampling = Image.Resampling.LANCZOS
) -> tuple[Image.Image, float]:
    """Resize an image until its larger side is ``side`` px.

    Returns
    -------
    image, scale : PIL.Image.Image, float
        The scale is the number of new pixels for each old one along a side.
    """
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, resample), scale


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """An image as the bytes of a file; Pillow's ``save`` takes the options."""
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def data_uri(image: Image.Image, quality: int = 75) -> str:
    """An image, grey or RGB, as a ``data:`` URI of WebP; quality is 0 to 100."""
    content = base64.b64encode(encoded(image, "WEBP", quality=quality)).decode()
    return f"data:image/webp;base64,{content}"
