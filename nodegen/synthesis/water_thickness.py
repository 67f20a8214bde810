"""Water-equivalent thickness: what a CT nodule adds along each ray, mm of water.

A nodule takes the place of lung, so it adds the line integral of its attenuation less the lung's.
HU are attenuation relative to water: ``(HU - lung) / 1000`` a millimetre is a thickness of water.

A mask at 1 mm has steps that show where a nodule is enlarged. So its surface is the zero of the
smoothed signed distance, sampled finer, with partly filled voxels at the rim. CT blurs the rim, so
the density near the surface is that of what lies beneath it.
"""

import numpy as np
from scipy import ndimage

from nodegen.constants import LUNG_HU
from nodegen.io.library import FAINTEST
from nodegen.synthesis.fit_to_box import bounds

DENSEST_HU = 1500.0  # above: metal
WATER_HU = 1000.0  # from air to water
# Of the signed distance: takes off a voxel's steps and what a reader's outline strays from slice to
# slice, leaves a lobe of 3 mm. At 0.8 small nodules look like polygons where they are enlarged; a
# detector learns most at 1.2 to 1.8, less at 0.8 and 2.5 (research/generators.md).
SMOOTH_MM = 1.2
SHIFT_MM = 2.0  # most that the surface is moved to hold the mask's volume
RIM_MM = 1.5  # depth down to which CT's blur thins a nodule (PSF of about 0.6 mm)
UNDER_MM = 1.0  # sigma of the mean that carries density from beneath the rim outwards
MARGIN_MM = 3  # of lung around the mask
# Along the larger side of a nodule, whatever its size: a box has 20 to 130 px, and of fewer samples
# their width would decide how steep a margin can be.
SAMPLES = 64
FINEST = 3  # halvings of a millimetre at most: 56 samples of a nodule of 7 mm, for 35 px at most


def added_water(volume_hu: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """Water that each sample of a nodule adds to the lung, mm along any axis.

    Parameters
    ----------
    volume_hu, mask : ndarray, shape (slice, row, column)
        CT patch at 1 mm, in HU, and its segmentation: what is above 0 is the nodule; something is.

    Returns
    -------
    added_mm, step_mm : ndarray of float32, shape (slice, row, column), and float
        0 beside the nodule; a sample's side, 1 mm halved until the nodule has ``SAMPLES`` along its
        larger side.
    """
    from scipy.optimize import brentq  # slow to import, and of use only here

    inside = np.asarray(mask) > 0
    places = np.argwhere(inside)
    window = tuple(
        slice(max(low - MARGIN_MM, 0), high + MARGIN_MM + 1)
        for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True)
    )
    longest_mm = int((places.max(axis=0) - places.min(axis=0) + 1).max())
    halvings = int(np.clip(np.ceil(np.log2(SAMPLES / longest_mm)), 1, FINEST))
    finer = 2**halvings
    inside = np.pad(inside[window], MARGIN_MM)
    hu = np.pad(np.asarray(volume_hu)[window].astype(np.float32), MARGIN_MM, mode="edge")
    depth = ndimage.distance_transform_edt(inside)
    signed = np.where(inside, depth - 0.5, 0.5 - ndimage.distance_transform_edt(~inside))
    signed = _finer(ndimage.gaussian_filter(signed, SMOOTH_MM).astype(np.float32), 1)
    # Smoothing draws what is curved inwards: the surface goes where it holds the mask's volume.
    volume = float(inside.sum()) * 2**3
    near = signed[np.abs(signed) < 2 * SHIFT_MM]
    whole = float((signed >= 2 * SHIFT_MM).sum())
    shift = brentq(
        lambda shift: whole + float(_share(near + np.float32(shift), 2).sum()) - volume,
        *(-SHIFT_MM, SHIFT_MM),
        xtol=SHIFT_MM / 100,
    )
    signed = _finer(signed + np.float32(shift), halvings - 1)
    added = (np.clip(_filled(hu, inside, depth), LUNG_HU, DENSEST_HU) - LUNG_HU) / WATER_HU
    return np.asarray(_share(signed, finer) * _finer(added, halvings) / finer), 1 / finer


def along(added_mm: np.ndarray, step_mm: float, axis: int) -> tuple[np.ndarray, float]:
    """Sum what :func:`added_water` gave along one axis of its array, and cut it to the nodule.

    Parameters
    ----------
    added_mm, step_mm, axis
        What it gave; 0, 1 or 2.

    Returns
    -------
    water_mm, side_mm : ndarray of float32, shape (row, column), and float
        All 0 where the nodule is no denser than lung; a sample's side.

    Examples
    --------
    A ball of water, 20 mm across, in lung of -860 HU: 17.4 mm of water in its middle.

    >>> away = np.linalg.norm(np.indices((30, 30, 30)) - 14.5, axis=0)
    >>> added = added_water(np.where(away < 10, 0.0, -860.0), away < 10)
    >>> water_mm, step_mm = along(*added, axis=1)
    >>> round(float(water_mm.max()), 1), round(max(water_mm.shape) * step_mm)
    (17.4, 20)
    """
    water_mm = _cut(added_mm.sum(axis=axis))
    coarser = max(1.0, max(water_mm.shape) / SAMPLES)
    if coarser > 1:
        shape = [max(1, round(side / coarser)) for side in water_mm.shape]
        smooth = ndimage.gaussian_filter(water_mm, 0.5 * np.sqrt(coarser**2 - 1), mode="constant")
        water_mm = ndimage.zoom(
            smooth, np.divide(shape, smooth.shape), order=1, grid_mode=True, mode="grid-constant"
        )
    return water_mm.astype(np.float32), coarser * step_mm


def _share(signed: np.ndarray, finer: int) -> np.ndarray:
    """Share of each fine voxel that lies inside, by its signed distance in mm."""
    return np.clip(0.5 + finer * signed, 0, 1)


def _filled(hu: np.ndarray, inside: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """HU in which the rim has the density of what lies beneath it, and the surround the rim's."""
    weight = np.where(inside, np.clip(depth - 0.5, 0, RIM_MM) ** 2, 0.0)
    total = ndimage.gaussian_filter(weight, UNDER_MM)
    mean = ndimage.gaussian_filter(weight * hu, UNDER_MM) / np.maximum(total, 1e-9)
    far = total < 1e-3 * total.max()
    nearest = ndimage.distance_transform_edt(far, return_distances=False, return_indices=True)
    mean = mean[tuple(nearest)]
    share = np.where(inside, np.clip((depth - 0.5) / RIM_MM, 0, 1), 0.0)
    return np.asarray(mean + share * (hu - mean))


def _finer(volume: np.ndarray, halvings: int) -> np.ndarray:
    """Halve the voxels, axis by axis: between two, a quarter and three quarters of the way."""
    for _ in range(halvings):
        for axis in range(volume.ndim):
            ahead, behind = (np.roll(volume, shift, axis) for shift in (-1, 1))
            pair = np.stack([0.75 * volume + 0.25 * near for near in (behind, ahead)], axis + 1)
            volume = pair.reshape(*(n * (1 + (k == axis)) for k, n in enumerate(volume.shape)))
            volume = volume.astype(np.float32)
    return np.asarray(volume)


def _cut(water_mm: np.ndarray) -> np.ndarray:
    peak = float(water_mm.max())
    if peak <= 0:
        return np.zeros((1, 1), dtype=np.float32)
    return water_mm[bounds(water_mm > FAINTEST * peak)]
