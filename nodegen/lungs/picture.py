"""A picture of places: the radiograph, its lungs' outlines, the density over it, and boxes."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from nodegen.io.boxes import Box
from nodegen.io.preview import eight_bit, encoded, resized
from nodegen.lungs.fields import Lungs
from nodegen.lungs.region import LEFT, RIGHT

LUNG_INK = {RIGHT: (255, 96, 32), LEFT: (32, 176, 255)}
BOX_INK = (255, 224, 0)
DENSITY_INK = np.array([160, 32, 240])
DENSITY_OPACITY = 0.55  # where the density is highest
OUTLINE_PX = 2


def picture(
    pixels: np.ndarray, lungs: Lungs, density: np.ndarray, boxes: list[Box], side: int = 1024
) -> bytes:
    """Draw the picture.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
        The radiograph, in any grey scale.
    lungs : Lungs
        Its lung fields, of the same shape.
    density : numpy.ndarray
        From :class:`nodegen.lungs.prior.Places`.
    boxes : list of Box
        Outlined in the picture; px of the radiograph.
    side : int
        Longer side of the picture, px.

    Returns
    -------
    bytes
        A PNG.
    """
    grey = eight_bit(pixels, (1, 99.5))
    colours = np.repeat(grey[..., None].astype(np.float32), 3, 2)
    shade = np.asarray(
        Image.fromarray((density / density.max()).astype(np.float32)).resize(
            (pixels.shape[1], pixels.shape[0]), Image.Resampling.BILINEAR
        )
    )[..., None]
    colours += DENSITY_OPACITY * shade * (DENSITY_INK - colours)
    for lung, ink in LUNG_INK.items():
        mask = lungs.labels == lung
        colours[mask & ~ndimage.binary_erosion(mask, iterations=OUTLINE_PX)] = ink
    image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for box in boxes:
        corners = (box.left, box.top, box.right - 1, box.bottom - 1)
        pen.rectangle(corners, outline=BOX_INK, width=OUTLINE_PX)
    return encoded(resized(image, side)[0])
