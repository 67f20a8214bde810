"""The profile in rings, and what is read from it: contrast, surround, half-height radius."""

import numpy as np

from nodegen.evaluation.fidelity.crop import Crop

RING_WIDTH = 0.125  # in the box's half sides
RINGS = 9  # from the centre outwards: the last ends at 1.125, just beyond the box
MIDDLE = 3  # the innermost rings, whose mean is the contrast: radius 0.375
RADII = (np.arange(RINGS) + 0.5) * RING_WIDTH  # the rings' middles


def ring_profile(crop: Crop) -> np.ndarray:
    """Median grey level in each ring minus the surround's.

    Returns
    -------
    ndarray, shape (RINGS,)
        Rings are elliptic, so that the outermost follow the box's sides. A ring without a pixel, in
        a box of a few px, gets what lies between its neighbours.
    """
    number = (crop.radius / RING_WIDTH).astype(int)
    profile = np.full(RINGS, np.nan)
    for ring in range(RINGS):
        levels = crop.pixels[number == ring]
        if levels.size:
            profile[ring] = np.median(levels)
    known = np.isfinite(profile)
    profile = np.interp(RADII, RADII[known], profile[known])
    return np.asarray(profile - np.median(crop.pixels[crop.surround]))


def contrast_of(profile: np.ndarray) -> float:
    """Mean of the three innermost rings, grey levels."""
    return float(profile[:MIDDLE].mean())


def deviation_of(crop: Crop) -> float:
    """Standard deviation of the surround, grey levels: what a nodule must stand out from.

    A plane is taken off before: the slope from lung to chest wall hides no nodule. At least 1, the
    step between two grey levels.
    """
    rows, columns = np.nonzero(crop.surround)
    plane = np.stack([np.ones(len(rows)), rows, columns], axis=1)
    levels = crop.pixels[rows, columns]
    fitted = plane @ np.linalg.lstsq(plane, levels, rcond=None)[0]
    return max(float((levels - fitted).std()), 1.0)


def half_height_of(profile: np.ndarray) -> float:
    """Radius, in half sides, at which the profile first falls below half of its contrast.

    Between the rings' middles it is interpolated. 0 where the middle is no brighter than the
    surround; the last ring's radius where the profile never falls so low.
    """
    half = contrast_of(profile) / 2
    if half <= 0:
        return 0.0
    below = np.flatnonzero(profile < half)
    if not len(below):
        return float(RADII[-1])
    first = int(below[0])
    if first == 0:
        return float(RADII[0])
    fallen = (profile[first - 1] - half) / (profile[first - 1] - profile[first])
    return float(RADII[first - 1] + fallen * RING_WIDTH)
