"""Texture inside a nodule and at its rim, relative to its surround."""

import numpy as np
from scipy import ndimage

from nodegen.evaluation.fidelity.nodule_crop import RAYS, NoduleCrop, ring_medians

# Gaussian sigmas of the finer and of the coarser blur whose difference is the band, px.
BANDS_PX = {"grain": (0.0, 1.0), "texture": (1.0, 3.0)}
INSIDE = (0.0, 0.75)  # in radii of the outline
RIM = (0.85, 1.15)
SHELL = 0.05  # in radii of the outline: the steps of the profile that is taken off
LEAST_DEVIATION = 0.1  # grey levels: what is flatter has no texture to compare with


def texture_of(outline: np.ndarray, crop: NoduleCrop) -> dict[str, float]:
    """Deviation of two bands of detail, inside an outline and at its rim, over the surround's.

    ``grain_...`` is finer than 1 px, ``texture_...`` 1 to 3 px; 1 where the surround has none.
    Deviations are median absolute ones: a vessel hardly moves them. The profile along the outline
    (half sides, by ray) is taken off before: a sharp edge is no texture.
    """
    around = np.interp(crop.angle, RAYS, outline, period=2 * np.pi)
    share = crop.radius / around
    places = {
        "inside": (share >= INSIDE[0]) & (share <= INSIDE[1]),
        "rim": (share >= RIM[0]) & (share <= RIM[1]),
    }
    shells, medians = ring_medians(crop.pixels, (share / SHELL).astype(int))
    pixels = crop.pixels - np.interp(share, (shells + 0.5) * SHELL, medians)
    ratios = {}
    for name, (fine, coarse) in BANDS_PX.items():
        band = band_of(pixels, fine, coarse)
        outside = _deviation(band[crop.surround])
        for place, where in places.items():
            known = where.any() and outside >= LEAST_DEVIATION
            ratios[f"{name}_{place}"] = _deviation(band[where]) / outside if known else 1.0
    return ratios


def band_of(image: np.ndarray, fine_px: float, coarse_px: float) -> np.ndarray:
    """Detail of an image (row, column) between two Gaussian blurs, sigma in px; 0: no blur."""
    upper = ndimage.gaussian_filter(image, fine_px) if fine_px else image
    return np.asarray(upper - ndimage.gaussian_filter(image, coarse_px))


def _deviation(values: np.ndarray) -> float:
    return float(np.median(np.abs(values - np.median(values))))
