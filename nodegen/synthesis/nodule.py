"""One nodule of the library: its projection and its water-equivalent thickness."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from nodegen.constants import EMPTY_RAY
from nodegen.synthesis.projection import cut_to_mask
from nodegen.synthesis.water_thickness import FAINTEST

VISIBLE = 0.5  # of the plateau: the visible disc ends at half its height
PLATEAU_PERCENTILE = 90  # of the rays that meet the nodule


@dataclass(frozen=True)
class Nodule:
    """One nodule along one axis: the paper's projection, and what it adds to a radiograph.

    Attributes
    ----------
    projection : ndarray of float32, shape (row, column)
        As :func:`nodegen.synthesis.projection.project` gives it: 1.56 (``EMPTY_RAY``) where a ray
        meets nothing, more where it meets the nodule. Cut to the mask's bounding box, at 1 mm a
        pixel.
    mask : ndarray of bool, the same shape
        Where a ray meets the nodule; touches all four sides.
    diameter_mm : int
        Larger side of the nodule's bounding box as the library lists it (before any turn).
    name : str
        The patch it comes from.
    axis : {0, 1, 2}
        Axis of the rays in the patch's array (slice, row, column).
    water_mm : ndarray of float32, shape (row, column)
        Water-equivalent thickness, mm, as
        :func:`nodegen.synthesis.water_thickness.water_thickness` gives it: finer than the
        projection, and cut by itself.
    step_mm : float
        Side of the thickness's samples.
    """

    projection: np.ndarray
    mask: np.ndarray
    diameter_mm: int
    name: str
    axis: int
    water_mm: np.ndarray
    step_mm: float

    @cached_property
    def plateau(self) -> float:
        """Height of the plateau, mm of water."""
        return plateau(self.water_mm)

    @cached_property
    def disc(self) -> np.ndarray:
        """The samples (row, column) of the thickness that are seen."""
        return visible_disc(self.water_mm)

    def oriented(self, mirror: bool = False, turn_deg: float = 0.0) -> "Nodule":
        """Mirror the projection, then turn it in the plane; cut to its new bounding box.

        Parameters
        ----------
        mirror : bool
            Swap left and right, before the turn.
        turn_deg : float
            Counter-clockwise as displayed (rows run down), in degrees. Multiples of 90 are exact.

        Returns
        -------
        Nodule
            Of the same diameter, name, axis and thickness. The projection is interpolated by cubic
            splines, held within its own range, over a ground of ``EMPTY_RAY``; the mask linearly,
            cut at one half. The result depends on the arguments alone.
        """
        projection, mask = self.projection, self.mask
        if mirror:
            projection, mask = projection[:, ::-1], mask[:, ::-1]
        quarters, rest_deg = divmod(float(turn_deg) % 360.0, 90.0)
        projection, mask = (np.rot90(array, int(quarters)) for array in (projection, mask))
        if rest_deg:
            projection, mask = _turned(projection, mask, rest_deg)
        return replace(
            self,
            projection=np.ascontiguousarray(projection),
            mask=np.ascontiguousarray(mask),
        )


def _turned(
    projection: np.ndarray, mask: np.ndarray, turn_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Turn both by less than a quarter turn, and cut them to the mask."""
    # One pixel of ground on each side, so that the spline sees the nodule's edge, not the array's.
    ground = np.pad(projection, 1, constant_values=np.float32(EMPTY_RAY))
    turned = ndimage.rotate(ground, turn_deg, order=3, mode="constant", cval=EMPTY_RAY)
    turned = np.clip(turned, projection.min(), projection.max())
    weight = ndimage.rotate(np.pad(mask, 1).astype(np.float32), turn_deg, order=1)
    # A nodule one pixel thin may fall below one half everywhere: then its densest pixels are kept.
    turned_mask = weight >= min(0.5, float(weight.max()))
    return cut_to_mask(turned.astype(np.float32), turned_mask)


def plateau(water_mm: np.ndarray) -> float:
    """Height of a nodule's plateau: the 90th percentile of the rays that meet it, mm of water."""
    met = water_mm[water_mm > FAINTEST * water_mm.max()]
    return float(np.percentile(met, PLATEAU_PERCENTILE)) if met.size else 0.0


def visible_disc(water_mm: np.ndarray) -> np.ndarray:
    """The samples above half the plateau, their largest connected part: what is seen of a nodule.

    Returns
    -------
    ndarray of bool, the shape of ``water_mm``
        Empty only where the nodule is no denser than lung.
    """
    above = water_mm > VISIBLE * plateau(water_mm)
    parts, count = ndimage.label(above)
    if count < 2:
        return np.asarray(above)
    return np.asarray(parts == 1 + np.bincount(parts.ravel())[1:].argmax())


def relative_density(height_mm: float, disc: np.ndarray, step_mm: float) -> float:
    """Plateau over the visible disc's diameter: 0.93 of a ball of water, less of ground glass."""
    area = float(disc.sum()) * step_mm**2
    return float(height_mm / max(2 * np.sqrt(area / np.pi), step_mm))
