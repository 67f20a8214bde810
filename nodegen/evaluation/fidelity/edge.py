"""The edge of a nodule: how wide, how high, how steep."""

import math

import numpy as np
from scipy import ndimage, special

from nodegen.evaluation.fidelity.nodule_crop import NoduleCrop, ring_medians

SPAN = 0.6  # the edge is looked at so far to both sides of the outline, in its mean radius
POINTS = 61  # along that span
SMOOTH_RAYS = 2.0  # sigma, in rays
LEAST_SIGMA_PX = 0.3  # sharper than any detector
WIDTHS, SHIFTS = 40, 15  # tried for the edge's sigma (in equal ratios) and place
FINE = 9  # tried again for each, between the neighbours of the best
RINGS = np.arange(0.075, 1.5, 0.05)  # middles of the rings of the margin's profile, in half sides
RING_SIGMAS, RING_RADII = (0.02, 0.8), (0.35, 1.1)  # tried for the margin, in half sides
LARGEST_SHIFT = 0.2  # of the edge from the outline, in its mean radius
LEAST_STEP = 1e-3  # grey levels: below it, nothing falls outwards
TEN_TO_NINETY = 2 * 1.2815515655446004  # 10 to 90 % of an error function, in sigmas


def edge_of(outline: np.ndarray, crop: NoduleCrop) -> dict[str, float]:
    """Fit the profile across an outline with an error function.

    Every ray is shifted so that the outline (half sides, by ray) lies at 0, and freed of its own
    mean; the median of all rays is the profile. A blurred step is an error function; a dome, which
    has no step, is fitted by a wide one. ``edge_width`` is from 10 to 90 % of the step, px,
    ``edge_step`` in grey levels, ``sharpness`` the steepest slope, grey levels / px; all are 0
    where nothing falls outwards.
    """
    radius = float(np.mean(outline * crop.ray_px))  # px
    place = np.linspace(-SPAN, SPAN, POINTS) * radius  # px, inside is negative
    levels = crop.along_rays(outline[:, None] + place / crop.ray_px[:, None], order=3)
    levels = ndimage.gaussian_filter1d(levels, SMOOTH_RAYS, axis=0, mode="wrap")
    profile = np.median(levels - levels.mean(axis=1, keepdims=True), axis=0)

    sigmas = np.geomspace(LEAST_SIGMA_PX, max(radius, 2 * LEAST_SIGMA_PX), WIDTHS)
    shifts = np.linspace(-LARGEST_SHIFT, LARGEST_SHIFT, SHIFTS) * radius
    _, sigma, shift = _best_step(place, profile, sigmas, shifts)
    # Once more, finely, between the neighbours of what was best.
    ratio, apart = sigmas[1] / sigmas[0], shifts[1] - shifts[0]
    sigmas = sigma * ratio ** np.linspace(-1, 1, FINE)
    shifts = shift + apart * np.linspace(-1, 1, FINE)
    step, sigma, _ = _best_step(place, profile, sigmas, shifts)
    known = float(step >= LEAST_STEP)
    slope = step / (sigma * math.sqrt(2 * math.pi))
    return {
        "edge_width": known * TEN_TO_NINETY * sigma,
        "edge_step": known * step,
        "sharpness": known * slope,
    }


def margin_of(crop: NoduleCrop) -> float:
    """Width of the margin in the profile of elliptic rings, 10 to 90 %, px.

    An error function is fitted to the median grey level of each ring around the box's centre. Where
    the outline is no ellipse, the margin is wider than across the outline (:func:`edge_of`), but no
    rib can be taken for it. 0 where nothing falls outwards.
    """
    number = np.floor((crop.radius - RINGS[0]) / 0.05 + 0.5).astype(int)
    known, profile = ring_medians(crop.pixels, np.where(number < len(RINGS), number, -1))
    half = float(np.sqrt(crop.halves[0] * crop.halves[1]))
    sigmas, radii = np.geomspace(*RING_SIGMAS, WIDTHS) * half, np.linspace(*RING_RADII, 31) * half
    step, sigma, _ = _best_step(RINGS[known] * half, profile, sigmas, radii)
    return TEN_TO_NINETY * sigma if step >= LEAST_STEP else 0.0


def _best_step(
    place: np.ndarray, profile: np.ndarray, sigmas: np.ndarray, shifts: np.ndarray
) -> tuple[float, float, float]:
    """Step, sigma and shift of the falling error function that is nearest to the profile."""
    away = (place - shifts[:, None]) / (np.sqrt(2) * sigmas[:, None, None])
    shape = -special.erf(away) / 2  # (sigma, shift, point)
    shape -= shape.mean(axis=-1, keepdims=True)
    profile = profile - profile.mean()
    # For each width and place, the step that fits best is a projection.
    step = (shape * profile).sum(axis=-1) / np.maximum((shape**2).sum(axis=-1), 1e-12)
    error = ((profile - step[..., None] * shape) ** 2).sum(axis=-1)
    error[step <= 0] = np.inf
    width, at = np.unravel_index(error.argmin(), error.shape)
    return float(step[width, at]), float(sigmas[width]), float(shifts[at])


def gradient_rms_of(crop: NoduleCrop) -> float:
    """Root mean square gradient of the surround in one direction, grey levels / px.

    What ribs, vessels and noise do of themselves; blurred by 1 px, so that noise alone does not
    rule it. At least a tenth.
    """
    down, across = np.gradient(ndimage.gaussian_filter(crop.pixels, 1.0))
    slopes = (down**2 + across**2)[crop.surround]
    return max(float(np.sqrt(slopes.mean() / 2)), 0.1)
