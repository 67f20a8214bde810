"""A box with its surround, in half sides of the box: 1 is the ellipse that touches its sides."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from nodegen.io.boxes import Box

REACH = 2.0  # half a crop, in the box's half sides: the surround's outer radius
SURROUND = (1.3, 2.0)  # inner and outer radius of the surround, in half sides
ANGLES = 128  # rays around the centre; at a radius of 30 px they are 1.5 px apart
RAYS = np.arange(ANGLES) * (2 * np.pi / ANGLES)  # the angle of each
RING_WIDTH = 0.125  # in the box's half sides
RINGS = 9  # from the centre outwards: the last ends at 1.125, just beyond the box
INNERMOST = 3  # rings, whose mean is the contrast: radius 0.375
RADII = (np.arange(RINGS) + 0.5) * RING_WIDTH  # the rings' middles


@dataclass(frozen=True)
class NoduleCrop:
    """A box and what lies around it."""

    window: tuple[slice, slice]  # its rows and columns in the slice
    pixels: np.ndarray  # (row, column), float64, grey levels
    radius: np.ndarray  # of each pixel from the box's centre, in half sides
    angle: np.ndarray  # of each pixel, in the same units, 0 to 2 pi
    centre: tuple[float, float]  # (row, column) in the crop, px from its top left edge
    halves: tuple[float, float]  # half of the box's height and of its width, px

    @cached_property
    def surround(self) -> np.ndarray:
        """Which pixels lie 1.3 to 2 radii from the centre; all, where none does."""
        ring: np.ndarray = (self.radius >= SURROUND[0]) & (self.radius <= SURROUND[1])
        return ring if ring.any() else ~ring

    @property
    def level(self) -> float:
        """Median of the surround, grey levels."""
        return float(np.median(self.pixels[self.surround]))

    def along_rays(self, radius: np.ndarray, order: int = 1) -> np.ndarray:
        """Grey levels along the rays, (ANGLES, point), by a spline of ``order``.

        ``radius``, (point,) or (ANGLES, point), is in half sides.
        """
        sine, cosine = (f(RAYS)[:, None] for f in (np.sin, np.cos))
        rows = self.centre[0] + self.halves[0] * radius * sine - 0.5
        columns = self.centre[1] + self.halves[1] * radius * cosine - 0.5
        levels: np.ndarray = ndimage.map_coordinates(
            self.pixels, np.broadcast_arrays(rows, columns), order=order, mode="nearest"
        )
        return levels

    def radius_px(self, angle: np.ndarray) -> np.ndarray:
        """Length of one radius at each angle, px."""
        down, across = self.halves[0] * np.sin(angle), self.halves[1] * np.cos(angle)
        return np.asarray(np.hypot(down, across))

    @property
    def distance(self) -> np.ndarray:
        """Of each pixel from the box's centre, in the box's smaller sides."""
        return np.asarray(self.radius * self.radius_px(self.angle) / (2 * min(self.halves)))

    @property
    def deviation(self) -> float:
        """Standard deviation of the surround, grey levels, at least 1: what hides a nodule.

        A plane is taken off before: the slope from lung to chest wall hides none.
        """
        rows, columns = np.nonzero(self.surround)
        plane = np.stack([np.ones(len(rows)), rows, columns], axis=1)
        levels = self.pixels[rows, columns]
        fitted = plane @ np.linalg.lstsq(plane, levels, rcond=None)[0]
        return max(float((levels - fitted).std()), 1.0)

    @property
    def profile(self) -> np.ndarray:
        """Median grey level in each elliptic ring minus the surround's, shape (RINGS,).

        A ring without a pixel, in a box of a few px, is interpolated.
        """
        number = (self.radius / RING_WIDTH).astype(int)
        rings, medians = ring_medians(self.pixels, np.where(number < RINGS, number, -1))
        profile = np.interp(RADII, RADII[rings], medians)
        return np.asarray(profile - self.level)

    @property
    def contrast_to_noise(self) -> float:
        """Contrast over the surround's standard deviation."""
        return contrast_of(self.profile) / self.deviation


def ring_medians(pixels: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rings that have pixels, and the median of each; a pixel of ring -1 lies in none."""
    rings = np.unique(number[number >= 0])
    return rings, np.asarray(ndimage.median(pixels, number, rings))


def crop_around(image: np.ndarray, box: Box) -> NoduleCrop:
    """Cut a box with its surround out of its slice (row, column).

    Rows and columns of 0 at the slice's sides (NODE21's padding) are left out, but for a box there.
    """
    centre, halves = box.centre[::-1], (box.height / 2, box.width / 2)
    window = []
    for axis, (low, high) in enumerate(((box.top, box.bottom), (box.left, box.right))):
        filled = np.flatnonzero(image.any(axis=1 - axis))
        first, last = (filled[0], filled[-1] + 1) if len(filled) else (0, image.shape[axis])
        if low >= last or high <= first:
            first, last = 0, image.shape[axis]
        reach = REACH * halves[axis]
        start = max(int(np.floor(centre[axis] - reach)) - 1, int(first))
        window.append(slice(start, min(int(np.ceil(centre[axis] + reach)) + 1, int(last))))
    pixels = image[tuple(window)].astype(np.float64)
    middle = centre[0] - window[0].start, centre[1] - window[1].start
    rows, columns = np.indices(pixels.shape) + 0.5
    down, across = (rows - middle[0]) / halves[0], (columns - middle[1]) / halves[1]
    angle = np.arctan2(down, across) % (2 * np.pi)
    cut = window[0], window[1]
    return NoduleCrop(cut, pixels, np.hypot(down, across), angle, middle, halves)


def band_of(image: np.ndarray, fine_px: float, coarse_px: float) -> np.ndarray:
    """Detail of an image (row, column) between two Gaussian blurs, sigma in px; 0: no blur."""
    upper = ndimage.gaussian_filter(image, fine_px) if fine_px else image
    return np.asarray(upper - ndimage.gaussian_filter(image, coarse_px))


def contrast_of(profile: np.ndarray) -> float:
    """Mean of the three innermost rings of a profile, grey levels."""
    return float(profile[:INNERMOST].mean())


def half_height_of(profile: np.ndarray) -> float:
    """Radius, half sides, at which the profile first falls below half of its contrast.

    0 where the middle is no brighter than the surround; the last ring's where it never falls.
    """
    half = contrast_of(profile) / 2
    if half <= 0:
        return 0.0
    below = np.flatnonzero(profile < half)
    if not len(below) or below[0] == 0:
        return float(RADII[0 if len(below) else -1])
    first = int(below[0])
    return float(np.interp(-half, -profile[first - 1 : first + 1], RADII[first - 1 : first + 1]))
