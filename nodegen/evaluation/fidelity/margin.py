"""The margin of a nodule: its outline and the outline's shape; its edge, how wide, high and steep.

The outline is the closed path along which a nodule rises most steeply. It is sought by dynamic
programming on the rays from the box's centre, as Timp and Karssemeijer do for masses (Medical
Physics 31, 2004), without their prior on size: the radius is to be measured.
"""

import math

import numpy as np
from scipy import ndimage, special
from skimage.graph import MCP

from nodegen.evaluation.fidelity.nodule_crop import RAYS, NoduleCrop, ring_medians

# --- outline --------------------------------------------------------------------------------------

STEP = 0.0125  # between the points of a ray, in half sides
SEARCH = (0.3, 1.4)  # radii among which the outline is sought, in half sides
LARGEST_JUMP = 2  # points between neighbouring rays: the outline turns by 27 degrees at most
SMOOTH_RAYS = 3.0  # sigma, in rays: 8 degrees
SMOOTH_POINTS = 2.0  # sigma, in points: a fortieth of the half side
LOBES = slice(3, 7)  # harmonics: three to six lobes
ALL = slice(3, 25)  # harmonics beyond the ellipse's: lobes and what is finer


def find_outline(crop: NoduleCrop) -> np.ndarray:
    """Radius of the outline along each ray, in half sides, shape (ANGLES,)."""
    points = np.arange(0, SEARCH[1] + 5 * SMOOTH_POINTS * STEP, STEP)
    levels = ndimage.gaussian_filter1d(crop.along_rays(points), SMOOTH_RAYS, axis=0, mode="wrap")
    rise = -ndimage.gaussian_filter1d(levels, SMOOTH_POINTS, axis=1, order=1)
    first, last = (round(radius / STEP) for radius in SEARCH)
    path = _best_path(rise[:, first:last])
    return (path + first) * STEP


def _best_path(gain: np.ndarray) -> np.ndarray:
    """Point on each ray, so that the sum of the gain is greatest and the path closes."""
    # Its ends are free, so it goes round twice, and the middle is taken.
    rays, points = gain.shape
    jumps = [(1, jump) for jump in range(-LARGEST_JUMP, LARGEST_JUMP + 1)]
    graph = MCP(np.tile(gain.max() - gain, (2, 1)), offsets=jumps)
    costs, _ = graph.find_costs([(0, point) for point in range(points)])
    path = np.array(graph.traceback((2 * rays - 1, int(costs[-1].argmin()))))[:, 1]
    return np.roll(path[rays // 2 : rays // 2 + rays], rays // 2)


def shape_of(outline: np.ndarray, crop: NoduleCrop) -> dict[str, float]:
    """Measures of an outline's shape.

    ``radius``: mean, half sides. ``offset``: of its centre from the box's, smaller sides.
    ``elongation``: longer over shorter axis. ``irregularity``, ``lobulation``: root mean square
    distance from an ellipse over the mean radius, from the third harmonic, of the third to sixth.
    """
    points = outline * np.stack(
        [crop.halves[1] * np.cos(RAYS), crop.halves[0] * np.sin(RAYS)]
    )  # x and y, px
    # Centre and second moments of the area within, integrated along the rays.
    weights = outline**2 / np.sum(outline**2)
    middle = 2 / 3 * points @ weights
    moments = (points * weights) @ points.T / 2 - np.outer(middle, middle)
    variances, axes = np.linalg.eigh(moments)
    shorter, longer = np.sqrt(np.maximum(variances, 1e-9))
    # Scaled along its axes to a circle, an ellipse has no harmonics at all.
    x, y = axes.T @ (points - middle[:, None]) / np.array([[shorter], [longer]])
    distance = np.interp(RAYS, np.arctan2(y, x), np.hypot(x, y), period=2 * np.pi)
    waves = np.abs(np.fft.rfft(distance))
    amplitudes = 2 * waves / waves[0]
    return {
        "radius": float(outline.mean()),
        "offset": float(np.hypot(*middle) / (2 * min(crop.halves))),
        "elongation": float(longer / shorter),
        "irregularity": float(np.sqrt(np.sum(amplitudes[ALL] ** 2) / 2)),
        "lobulation": float(np.sqrt(np.sum(amplitudes[LOBES] ** 2) / 2)),
    }


# --- edge -----------------------------------------------------------------------------------------

SPAN = 0.6  # the edge is looked at so far to both sides of the outline, in its mean radius
POINTS = 61  # along that span
EDGE_SMOOTH_RAYS = 2.0  # sigma, in rays
LEAST_SIGMA_PX = 0.3  # sharper than any detector
WIDTHS, SHIFTS = 40, 15  # tried for the edge's sigma (in equal ratios) and place
FINE = 9  # tried again for each, between the neighbours of the best
RINGS = np.arange(0.075, 1.5, 0.05)  # middles of the rings of the margin's profile, in half sides
RING_SIGMAS, RING_RADII = (0.02, 0.8), (0.35, 1.1)  # tried for the margin, in half sides
LARGEST_SHIFT = 0.2  # of the edge from the outline, in its mean radius
LEAST_STEP = 1e-3  # grey levels: below it, nothing falls outwards
TEN_TO_NINETY = 2 * 1.2815515655446004  # 10 to 90 % of an error function, in sigmas


def edge_of(outline: np.ndarray, crop: NoduleCrop) -> dict[str, float]:
    """Fit the profile across an outline (half sides, by ray) with an error function.

    Rays are shifted so that the outline lies at 0, and freed of their means; the profile is their
    median. ``edge_width``: 10 to 90 % of the step, px; ``edge_step``: grey levels; ``sharpness``:
    the steepest slope, grey levels / px. All are 0 where nothing falls outwards.
    """
    ray_px = crop.radius_px(RAYS)
    radius = float(np.mean(outline * ray_px))  # px
    place = np.linspace(-SPAN, SPAN, POINTS) * radius  # px, inside is negative
    levels = crop.along_rays(outline[:, None] + place / ray_px[:, None], order=3)
    levels = ndimage.gaussian_filter1d(levels, EDGE_SMOOTH_RAYS, axis=0, mode="wrap")
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
    """Width of the margin in the profile of elliptic rings, 10 to 90 %, px; 0 if nothing falls.

    Wider than across the outline (:func:`edge_of`) where that is no ellipse, but never a rib's.
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
