"""The outline of a nodule: the closed path along which it rises most steeply.

It is sought by dynamic programming on the rays from the box's centre, as Timp and Karssemeijer do
for masses (Medical Physics 31, 2004), without their prior on size: the radius is to be measured.
"""

import numpy as np
from scipy import ndimage
from skimage.graph import MCP

from nodegen.evaluation.fidelity.nodule_crop import ANGLES, RAYS, NoduleCrop

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
    """Point on each ray, so that the sum of the gain is greatest and the path closes.

    The rays are gone round twice; the middle of that path is where its ends, which are free, no
    longer matter.
    """
    rays, points = gain.shape
    jumps = [(1, jump) for jump in range(-LARGEST_JUMP, LARGEST_JUMP + 1)]
    graph = MCP(np.tile(gain.max() - gain, (2, 1)), offsets=jumps)
    costs, _ = graph.find_costs([(0, point) for point in range(points)])
    path = np.array(graph.traceback((2 * rays - 1, int(costs[-1].argmin()))))[:, 1]
    return np.roll(path[rays // 2 : rays // 2 + rays], rays // 2)


def shape_of(outline: np.ndarray, crop: NoduleCrop) -> dict[str, float]:
    """Measures of an outline's shape.

    ``radius``: mean, in half sides. ``offset``: of its centre from the box's, in the box's smaller
    side. ``elongation``: longer over shorter axis. ``irregularity`` and ``lobulation``: root mean
    square of its distance from an ellipse, over its mean radius, by all harmonics from the third
    and by the third to the sixth.
    """
    x = crop.halves[1] * outline * np.cos(RAYS)
    y = crop.halves[0] * outline * np.sin(RAYS)
    middle, moments = _moments(x, y)
    shorter, longer = np.sqrt(np.linalg.eigvalsh(moments))
    amplitudes = _harmonics(x - middle[0], y - middle[1], moments)
    return {
        "radius": float(outline.mean()),
        "offset": float(np.hypot(*middle) / (2 * min(crop.halves))),
        "elongation": float(longer / max(shorter, 1e-9)),
        "irregularity": float(np.sqrt(np.sum(amplitudes[ALL] ** 2) / 2)),
        "lobulation": float(np.sqrt(np.sum(amplitudes[LOBES] ** 2) / 2)),
    }


def _moments(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass (x, y) and second central moments of the area within a closed polygon."""
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    cross = x * next_y - next_x * y  # twice the area of each triangle with the origin
    area = cross.sum() / 2
    middle = np.array([((x + next_x) * cross).sum(), ((y + next_y) * cross).sum()]) / (6 * area)
    xx, yy = (
        ((a * a + a * b + b * b) * cross).sum() / (12 * area) for a, b in ((x, next_x), (y, next_y))
    )
    products = x * next_y + 2 * x * y + 2 * next_x * next_y + next_x * y
    xy = (products * cross).sum() / (24 * area)
    return middle, np.array([[xx, xy], [xy, yy]]) - np.outer(middle, middle)


def _harmonics(x: np.ndarray, y: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Amplitude of each harmonic of the distance from the ellipse, over the mean radius."""
    # Scaled along its axes to a circle, an ellipse has no harmonics at all.
    spreads, axes = np.linalg.eigh(moments)
    along = axes.T @ np.stack([x, y]) / np.sqrt(np.maximum(spreads, 1e-9))[:, None]
    at = np.arctan2(along[1], along[0])
    distance = np.interp(RAYS, at, np.hypot(*along), period=2 * np.pi)
    waves = np.abs(np.fft.rfft(distance)) / ANGLES
    return np.asarray(2 * waves / waves[0])
