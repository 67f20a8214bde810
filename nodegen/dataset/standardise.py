"""Bring radiographs to NODE21's form: its grey scale, its crop to the lungs, 1024 × 1024 px.

The grey scale is made equal by energy-based normalisation (Philipsen et al., IEEE TMI 34(9), 2015):
an image is parted into bands of detail, and each band gets the energy that it has in the reference,
inside the lungs. The crop is that of the organisers: the lungs with a margin, the longer side
1024 px, the shorter one centred between zeros.
"""

from dataclasses import dataclass

import numpy as np

from nodegen.dataset.energy import normalised
from nodegen.dataset.transformation import SIDE_PX, LungCrop, StandardisationTransform, cropped
from nodegen.io.radiograph import NODE21_MAX, Radiograph
from nodegen.lungs.fields import Lungs, find_lungs

# Margins around both lungs over their width or height, mean over 24 of NODE21's images.
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 0.12, 0.09, 0.14


@dataclass(frozen=True)
class Standardised:
    """A radiograph in NODE21's form, and how it was brought there."""

    radiograph: Radiograph  # uint16, 1024 × 1024 px, 0..4095
    transformation: StandardisationTransform
    lungs: Lungs  # of the standardised image


def standardise(radiograph: Radiograph) -> Standardised:
    """Bring a radiograph to NODE21's form.

    Parameters
    ----------
    radiograph : Radiograph
        Of any size, in grey levels of any scale; left as it is.

    Returns
    -------
    Standardised

    Raises
    ------
    StackError
        Where no plausible pair of lungs is found.
    """
    found = find_lungs(radiograph.pixels)
    crop = crop_of(found)
    seen, shown = cropped(radiograph.pixels.astype(np.float32), crop)
    lungs = Lungs(np.where(shown, cropped(found.labels, crop)[0], 0), found.confidence)
    pixels, gains, offset = normalised(seen, lungs.labels > 0)
    grey = np.clip(np.rint(pixels), 0, NODE21_MAX).astype(np.uint16)
    grey[~shown] = 0
    spacing = radiograph.spacing
    if spacing is not None:
        spacing = spacing[0] / crop.scale, spacing[1] / crop.scale
    made = Radiograph(grey, spacing, radiograph.path, radiograph.slice, radiograph.patient)
    rows, columns = radiograph.pixels.shape
    return Standardised(made, StandardisationTransform(crop, gains, offset, (rows, columns)), lungs)


def crop_of(lungs: Lungs) -> LungCrop:
    """The crop around both lungs, with margins, made to fit 1024 × 1024 px."""
    filled = [np.flatnonzero(lungs.labels.any(axis)) for axis in (0, 1)]
    (left, right), (top, bottom) = ((int(place[0]), int(place[-1]) + 1) for place in filled)
    width, height = right - left, bottom - top
    limits = lungs.labels.shape
    edges = (
        round(max(left - MARGIN_X * width, 0)),
        round(max(top - MARGIN_TOP * height, 0)),
        round(min(right + MARGIN_X * width, limits[1])),
        round(min(bottom + MARGIN_BOTTOM * height, limits[0])),
    )
    sides = edges[2] - edges[0], edges[3] - edges[1]
    scale = SIDE_PX / max(sides)
    x, y = ((SIDE_PX - round(side * scale)) // 2 for side in sides)
    return LungCrop(*edges, scale, x, y)
