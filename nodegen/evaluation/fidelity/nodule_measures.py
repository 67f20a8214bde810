"""What is measured of one nodule, on its image alone: real nodules have no image without them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.stats import median_abs_deviation

from nodegen.evaluation.fidelity.margin import edge_of, find_outline, margin_of, shape_of
from nodegen.evaluation.fidelity.nodule_crop import (
    RAYS,
    NoduleCrop,
    band_of,
    contrast_of,
    half_height_of,
    ring_medians,
)
from nodegen.io.boxes import Box


@dataclass(frozen=True)
class Measure:
    """How a measure is shown: what it says, its unit, digits behind the point."""

    sentence: str
    unit: str = ""
    digits: int = 2


MEASURES = {
    "contrast": Measure("Brightness of the nodule's middle over its surround.", "grey levels", 0),
    "contrast_to_noise": Measure(
        "Contrast against the anatomy around it: below 0.5 hardly to be seen, above 2 obvious.",
        "standard deviations",
    ),
    "half_height": Measure(
        "Where half of the brightness is lost: near 1 for a flat disc that fills its box, 0.5 for "
        "a pointed one.",
        "half sides",
    ),
    "radius": Measure("How much of its box the outline fills; 1 touches its sides.", "half sides"),
    "edge_width": Measure("Length over which the margin falls from 90 % to 10 %.", "px", 1),
    "margin_width": Measure("The same in rings: wider where the outline is no ellipse.", "px", 1),
    "edge_step": Measure("Brightness just inside the margin over outside.", "grey levels", 0),
    "sharpness": Measure("How steeply the margin falls.", "grey levels / px", 0),
    "conspicuity": Measure(
        "Steepness of the margin over that of ribs, vessels and noise around; at 1 it is lost.",
        "gradients of the surround",
    ),
    "elongation": Measure("Longer over shorter diameter; 1 is round."),
    "irregularity": Measure(
        "Deviation of the outline from an ellipse: 0.03 smooth, 0.1 ragged.", "radii"
    ),
    "lobulation": Measure("The same by three to six lobes alone.", "radii"),
    "offset": Measure("Distance of the outline's centre from the box's.", "sides"),
    "texture_inside": Measure("Structure of 1 to 3 px against that around.", "inside / surround"),
    "texture_rim": Measure("The same along the margin.", "rim / surround"),
    "grain_inside": Measure("Noise against that around; low looks wiped.", "inside / surround"),
    "grain_rim": Measure("The same along the margin.", "rim / surround"),
}
JUDGED = {  # all that is measured of a box
    **MEASURES,
    "grain": Measure("Noise at the nodule; 1 is untouched.", "after / before"),
}
GRAIN = ("grain_inside", "grain_rim")
# Thirds of NODE21's 1,476 boxes, by side, px: from this on.
SIZES_PX = {"small": 0, "medium": 45, "large": 65}

# Texture: sigmas of the finer and of the coarser Gaussian blur whose difference is the band, px.
BANDS_PX = {"grain": (0.0, 1.0), "texture": (1.0, 3.0)}
PLACES = {"inside": (0.0, 0.75), "rim": (0.85, 1.15)}  # in radii of the outline
SHELL = 0.05  # in radii of the outline: the steps of the profile that is taken off
LEAST_DEVIATION = 0.1  # grey levels: what is flatter has no texture to compare with


def measure_nodule(crop: NoduleCrop) -> dict[str, float]:
    """All of ``MEASURES``, finite, of one box, by its crop out of grey levels of 0..4095."""
    profile, outline = crop.profile, find_outline(crop)
    edge = edge_of(outline, crop)
    measured = {
        "contrast": contrast_of(profile),
        "contrast_to_noise": crop.contrast_to_noise,
        "half_height": half_height_of(profile),
        "margin_width": margin_of(crop),
        "conspicuity": edge["sharpness"] / _gradient_rms(crop),
        **edge,
        **shape_of(outline, crop),
        **_texture(outline, crop),
    }
    return {name: measured[name] for name in MEASURES}


def _gradient_rms(crop: NoduleCrop) -> float:
    """RMS gradient of the blurred surround in one direction, grey levels / px, at least 0.1."""
    down, across = np.gradient(ndimage.gaussian_filter(crop.pixels, 1.0))
    slopes = (down**2 + across**2)[crop.surround]
    return max(float(np.sqrt(slopes.mean() / 2)), 0.1)


def _texture(outline: np.ndarray, crop: NoduleCrop) -> dict[str, float]:
    """Median absolute deviation of two bands inside an outline and at its rim, over the surround's.

    1 where the surround has none. The profile along the outline (half sides, by ray) is taken off
    before: a sharp edge is no texture.
    """
    share = crop.radius / np.interp(crop.angle, RAYS, outline, period=2 * np.pi)
    shells, medians = ring_medians(crop.pixels, (share / SHELL).astype(int))
    pixels = crop.pixels - np.interp(share, (shells + 0.5) * SHELL, medians)
    ratios = {}
    for name, (fine, coarse) in BANDS_PX.items():
        band = band_of(pixels, fine, coarse)
        outside = median_abs_deviation(band[crop.surround])
        for place, (inner, outer) in PLACES.items():
            where = (share >= inner) & (share <= outer)
            known = where.any() and outside >= LEAST_DEVIATION
            ratio = median_abs_deviation(band[where]) / outside if known else 1.0
            ratios[f"{name}_{place}"] = float(ratio)
    return ratios


def title_of(name: str) -> str:
    """A measure's name as it is read."""
    return name.replace("_", " ").capitalize()


def side_of(box: Box) -> float:
    """Of the square with a box's area, px."""
    return float(np.sqrt(box.width * box.height))
