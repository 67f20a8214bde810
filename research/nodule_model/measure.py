"""Measure a CT nodule: its size, surface, density and texture as one row of numbers.

The surface is star-shaped about the mask's centroid: ``log(r / R)`` in spherical harmonics, R the
radius of the ball of the same volume, r the radius that holds the mask's volume in each direction.
Density is HU in harmonics on shells, whose places are depths below the surface: dense near it,
where HU change fast, and sparse in the middle. What neither says is roughness and texture.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from research.nodule_model.harmonics import harmonics, orders, parities, sphere

SURFACE_DEGREE = 8  # a lobe of a 15 mm nodule; what is finer is roughness
DENSITY_DEGREE = 4
SHELLS = np.array([-0.8, -0.4, 0.0, 0.25, 0.5, 0.7, 0.85, 1.0])  # 0 the surface, 1 the middle
SHELL_SCALE_MM = 2.0  # depth at which shells begin to spread
HU_FLOOR, HU_CEILING = -1000.0, 600.0  # HU beyond them (metal, air outside) are not the nodule's
DIRECTIONS = 800
RAY_STEP_MM = 0.25
SMALLEST_RADIUS = 0.25  # of R; the surface where the centroid lies outside the mask
NOISE_HU = 60.0  # of a voxel about its shells; with the next, how far shells may follow it
MEAN_PRIOR_HU = 1000.0  # spread of a shell's mean
DENSITY_PRIOR_HU = 100.0  # spread of degree 1 within a shell; falls with degree
TALL_MM = 4.0  # thickest CT slice
SCALARS = (
    "log_texture_edge",  # of HU, standard deviation of what the shells leave over
    "log_texture_core",
    "texture_along",  # correlation of neighbours' texture, from slice to slice
    "texture_across",  # and within slices
    "log_roughness",  # of mm
    "lobulation",  # skewness of the surface: lobes and tails rather than dents
    "spikiness",  # skewness of what is rough: outward spikes rather than notches
    "log_thickness",  # of mm
    "log_cap",  # area of the mask's first and last slice over that of its largest
)
CORE_SHELL = 0.5  # where the core begins

SPHERE = sphere(DIRECTIONS)
SURFACE = harmonics(SPHERE, SURFACE_DEGREE)
N_SURFACE = SURFACE.shape[1] - 1  # degree 0 follows from R
N_ANGULAR = (DENSITY_DEGREE + 1) ** 2
N_DENSITY = N_ANGULAR * (len(SHELLS) - 1) + 1  # the middle has one density, whatever the direction


@dataclass(frozen=True)
class Measured:
    """One nodule in numbers."""

    log_radius: float  # of R in mm
    scalars: np.ndarray  # (len(SCALARS),)
    surface: np.ndarray  # (N_SURFACE,): harmonics of log(r / R), degrees 1 up
    density: np.ndarray  # (N_DENSITY,): HU, shell by shell from the outside, harmonics in each


def surface_radii(surface: np.ndarray, basis: np.ndarray, bend: float = 0.0) -> np.ndarray:
    """Radii in units of R, of a surface whose ball of the same volume has radius 1.

    Parameters
    ----------
    surface : ndarray, shape (N_SURFACE,)
        Weights of the harmonics of log(r / R), degrees 1 up.
    basis : ndarray, shape (n, N_SURFACE + 1)
        Harmonics in the directions wanted.
    bend : float
        Above 0 what stands out stands out more, and what is dented is dented less.
    """
    everywhere, wanted = (table[:, 1:] @ surface for table in (SURFACE, basis))
    if bend:
        scale = everywhere.std() + 1e-6
        everywhere, wanted = (
            scale * np.expm1(bend * value / scale) / bend for value in (everywhere, wanted)
        )
    return np.asarray(np.exp(wanted - np.log(np.mean(np.exp(3 * everywhere))) / 3))


def shell_of(depth_mm: np.ndarray, radius_mm: float) -> np.ndarray:
    """Place of a depth below the surface on the scale of ``SHELLS``: 0 at the surface, 1 at R."""
    deepest = radius_mm / (radius_mm + SHELL_SCALE_MM)
    return np.asarray(
        np.clip(depth_mm / (np.abs(depth_mm) + SHELL_SCALE_MM) / deepest, SHELLS[0], 1.0)
    )


def density_basis(angular: np.ndarray, shell: np.ndarray) -> np.ndarray:
    """Shells' hats times harmonics, shape (n, N_DENSITY).

    Parameters
    ----------
    angular : ndarray, shape (n, N_ANGULAR)
        Harmonics in each voxel's direction.
    shell : ndarray, shape (n,)
        Each voxel's place, from :func:`shell_of`.
    """
    low = np.clip(np.searchsorted(SHELLS, shell, side="right") - 1, 0, len(SHELLS) - 2)
    share = (shell - SHELLS[low]) / (SHELLS[low + 1] - SHELLS[low])
    hats = np.zeros((len(shell), len(SHELLS)))
    rows = np.arange(len(shell))
    hats[rows, low] = 1 - share
    hats[rows, low + 1] = share
    outer = (hats[:, :-1, None] * angular[:, None, :]).reshape(len(shell), -1)
    return np.hstack([outer, hats[:, -1:]])


def column_parities() -> tuple[np.ndarray, np.ndarray]:
    """Parities, shape (n, 3), of the columns of ``surface`` and of ``density``."""
    angular = parities(DENSITY_DEGREE)
    density = np.vstack([np.tile(angular, (len(SHELLS) - 1, 1)), np.zeros((1, 3), dtype=bool)])
    return parities(SURFACE_DEGREE)[1:], density


def measure(volume_hu: np.ndarray, mask: np.ndarray) -> Measured:
    """Measure one nodule.

    Parameters
    ----------
    volume_hu : ndarray, shape (slice, row, column)
        At 1 mm.
    mask : ndarray of bool, the same shape
        Not empty.
    """
    voxels = np.argwhere(mask)
    centre = voxels.mean(axis=0)
    radius_mm = float(np.cbrt(3 * len(voxels) / (4 * np.pi)))
    raw = _radii(mask, centre, radius_mm)
    fitted, *_ = np.linalg.lstsq(SURFACE, np.log(raw), rcond=None)
    surface = fitted[1:]
    rough = np.log(raw) - SURFACE @ fitted
    roughness_mm = radius_mm * rough.std()
    lobulation, spikiness = _skewness(SURFACE @ fitted), _skewness(rough)

    offsets = np.indices(mask.shape).reshape(3, -1).T - centre
    distance = np.linalg.norm(offsets, axis=1)
    near = distance < radius_mm * raw.max() + 6.0
    offsets = offsets[near]
    distance = distance[near]
    directions = offsets / np.maximum(distance, 1e-6)[:, None]
    angular = harmonics(directions, SURFACE_DEGREE)
    depth_mm = radius_mm * surface_radii(surface, angular) - distance
    shell = shell_of(depth_mm, radius_mm)
    # Beyond the outermost shell lies what is no longer the nodule's neighbourhood.
    kept = shell > SHELLS[0]
    basis = density_basis(angular[:, :N_ANGULAR], shell)
    hu = np.clip(volume_hu.reshape(-1)[near], HU_FLOOR, HU_CEILING).astype(np.float64)
    density = _density(basis[kept], hu[kept])

    residual = np.zeros(mask.size)
    residual[np.flatnonzero(near)] = hu - basis @ density
    inner = np.zeros(mask.size, dtype=bool)
    inner[np.flatnonzero(near)] = shell >= CORE_SHELL
    left, deep = residual.reshape(mask.shape), inner.reshape(mask.shape)
    edge, core = (_log_rms(left[mask & part]) for part in (~deep, deep))
    along, across = _neighbours(np.where(mask, left / np.exp(np.where(deep, core, edge)), np.nan))
    thickness_mm = _thickness_mm(mask)
    areas = mask.sum(axis=(1, 2))
    areas = areas[areas > 0]
    cap = np.log(areas[[0, -1]] / areas.max()).mean()
    roughness = np.log(roughness_mm + 0.01)
    thickness = np.log(thickness_mm)
    scalars = [edge, core, along, across, roughness, lobulation, spikiness, thickness, cap]
    return Measured(float(np.log(radius_mm)), np.array(scalars), surface, density)


def _radii(mask: np.ndarray, centre: np.ndarray, radius_mm: float) -> np.ndarray:
    """Radius in each direction of ``SPHERE`` that holds the ray's share of the volume, over R."""
    steps = np.arange(RAY_STEP_MM / 2, np.sqrt(3) * max(mask.shape), RAY_STEP_MM)
    steps = steps[steps < np.linalg.norm(np.argwhere(mask) - centre, axis=1).max() + 1.5]
    points = centre[:, None, None] + SPHERE.T[:, :, None] * steps
    hit = ndimage.map_coordinates(mask.astype(np.float32), points, order=1)
    radii = np.cbrt(3 * (hit * steps**2).sum(axis=1) * RAY_STEP_MM)
    return np.asarray(np.maximum(radii / radius_mm, SMALLEST_RADIUS))


def _density(basis: np.ndarray, hu: np.ndarray) -> np.ndarray:
    """Ridge regression of HU on the shells; high degrees are held back the most."""
    degrees = np.array([l for l, _ in orders(DENSITY_DEGREE)])  # noqa: E741
    # A density without a kink in the middle has degree l vanish there as distance ** l.
    near_middle = np.minimum(1 - SHELLS[:-1], 1)[:, None] ** (degrees / 2)
    prior = DENSITY_PRIOR_HU / np.maximum(degrees, 1) * near_middle
    prior[:, 0] = MEAN_PRIOR_HU
    weight = np.append((NOISE_HU / prior.ravel()) ** 2, (NOISE_HU / MEAN_PRIOR_HU) ** 2)
    mean = np.zeros(len(weight))
    mean[0 : len(weight) - 1 : N_ANGULAR] = mean[-1] = np.median(hu)
    normal = basis.T @ basis + np.diag(weight)
    return mean + np.linalg.solve(normal, basis.T @ (hu - basis @ mean))


def _skewness(values: np.ndarray) -> float:
    apart = values - values.mean()
    return float((apart**3).mean() / (apart.std() + 1e-6) ** 3)


def _log_rms(values: np.ndarray) -> float:
    return float(0.5 * np.log((values**2).mean() + 1)) if values.size else 0.0


def _neighbours(residual: np.ndarray) -> tuple[float, float]:
    """Correlation of neighbours' residuals: across slices, and within them."""
    power = np.nanmean(residual**2) + 1e-9
    found = []
    for axis in range(3):
        one, other = np.moveaxis(residual, axis, 0)[:-1], np.moveaxis(residual, axis, 0)[1:]
        products = one * other
        found.append(np.nanmean(products) / power if np.isfinite(products).any() else 0.0)
    return float(np.clip(found[0], -0.9, 0.9)), float(np.clip(np.mean(found[1:]), -0.9, 0.9))


def _thickness_mm(mask: np.ndarray) -> float:
    """CT slice thickness, from how often the mask repeats from one slice to the next."""
    slices = mask[np.flatnonzero(mask.any(axis=(1, 2)))]
    if len(slices) < 2:
        return 1.0
    same = float(np.mean([np.array_equal(a, b) for a, b in pairwise(slices)]))
    return float(min(1 / (1 - min(same, 0.75)), TALL_MM))
