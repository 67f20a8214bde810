"""The surround of a box, cut out of its slice, in units of the box."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nodegen.io.boxes import Box

REACH = 2.0  # half a crop, in the box's half sides: the surround's outer radius
SURROUND = (1.3, 2.0)  # inner and outer radius of the surround, in half sides
ANGLES = 128  # rays around the centre; at a radius of 30 px they are 1.5 px apart


@dataclass(frozen=True)
class Crop:
    """A box and what lies around it.

    Attributes
    ----------
    pixels : ndarray of float64, shape (row, column)
        Grey levels.
    radius, angle : ndarray, shape (row, column)
        Of each pixel: distance from the box's centre in units of the box's half sides (1 on the
        ellipse that touches its four sides), and the angle in the same units, 0 to 2 pi.
    centre : tuple of float
        (row, column) in the crop, px from its top left edge.
    halves : tuple of float
        Half of the box's height and of its width, px.
    """

    pixels: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    centre: tuple[float, float]
    halves: tuple[float, float]

    @property
    def surround(self) -> np.ndarray:
        """Which pixels lie 1.3 to 2 radii from the centre; all, where none does."""
        ring = (self.radius >= SURROUND[0]) & (self.radius <= SURROUND[1])
        return ring if ring.any() else np.ones_like(ring)

    def along_rays(self, radius: np.ndarray, order: int = 1) -> np.ndarray:
        """Grey levels along the rays.

        Parameters
        ----------
        radius : ndarray, shape (point,) or (ANGLES, point)
            In half sides.
        order : int
            Of the interpolating spline.

        Returns
        -------
        ndarray, shape (ANGLES, point)
        """
        sine, cosine = (f(angles())[:, None] for f in (np.sin, np.cos))
        rows = self.centre[0] + self.halves[0] * radius * sine - 0.5
        columns = self.centre[1] + self.halves[1] * radius * cosine - 0.5
        levels: np.ndarray = ndimage.map_coordinates(
            self.pixels, np.broadcast_arrays(rows, columns), order=order, mode="nearest"
        )
        return levels

    @property
    def ray_px(self) -> np.ndarray:
        """Length of one radius along each ray, px, shape (ANGLES,)."""
        down, across = self.halves[0] * np.sin(angles()), self.halves[1] * np.cos(angles())
        return np.asarray(np.hypot(down, across))


def angles() -> np.ndarray:
    """Of the rays, shape (ANGLES,)."""
    return np.arange(ANGLES) * (2 * np.pi / ANGLES)


def crop_around(image: np.ndarray, box: Box) -> Crop:
    """Cut out a box with its surround.

    Parameters
    ----------
    image : ndarray, shape (row, column)
        The box's slice. Rows and columns at its sides that hold nothing but 0 are padding (NODE21
        pads the shorter side) and are left out, unless the box lies in them.
    box : Box
        In px of the image.
    """
    centre_x, centre_y = box.centre
    halves = box.height / 2, box.width / 2
    window = []
    for axis, (centre, half, low, high) in enumerate(
        ((centre_y, halves[0], box.top, box.bottom), (centre_x, halves[1], box.left, box.right))
    ):
        first, last = _filled(image, axis)
        if low >= last or high <= first:
            first, last = 0, image.shape[axis]
        window.append(
            slice(
                max(int(np.floor(centre - REACH * half)) - 1, first),
                min(int(np.ceil(centre + REACH * half)) + 1, last),
            )
        )
    top, left = window[0].start, window[1].start
    pixels = image[tuple(window)].astype(np.float64)
    centre_in = centre_y - top, centre_x - left
    rows, columns = np.indices(pixels.shape) + 0.5
    down, across = (rows - centre_in[0]) / halves[0], (columns - centre_in[1]) / halves[1]
    return Crop(
        pixels,
        np.hypot(down, across),
        np.arctan2(down, across) % (2 * np.pi),
        centre_in,
        halves,
    )


def _filled(image: np.ndarray, axis: int) -> tuple[int, int]:
    """First row (axis 0) or column (1) that holds more than 0, and the first after the last."""
    lines = np.flatnonzero(image.any(axis=1 - axis))
    return (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, image.shape[axis])
