"""Synthesise: a drawn nodule as a CT patch and its mask, in the organisers' own form."""

import numpy as np
from scipy import ndimage

from nodegen.nodules.harmonics import harmonics
from nodegen.nodules.measure import (
    CORE_SHELL,
    N_ANGULAR,
    SHELL_SCALE_MM,
    SHELLS,
    SURFACE,
    SURFACE_DEGREE,
    Measured,
    density_basis,
    shell_of,
    surface_radii,
)

SIDE = 50  # voxels of 1 mm, each way
LUNG_HU = -860.0  # the patch's ground, far from the nodule
LUNG_NOISE_HU = 25.0
REACH_MM = 12.0  # beyond the surface, to which the neighbourhood is drawn
FADE_MM = 3.0  # from the nodule's neighbourhood to the ground
ROUGH_MM = 1.0  # standard deviation of the smoothing that makes roughness out of noise


def render(drawn: Measured, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Render a nodule in the middle of a patch.

    Parameters
    ----------
    drawn : Measured
    rng : numpy.random.Generator
        For place within the middle voxel, roughness and texture.

    Returns
    -------
    volume_hu : ndarray of int16, shape (slice, row, column) = (SIDE,) * 3
    mask : ndarray of int32, the same shape
        1 in the nodule; never empty.
    """
    log_edge, log_core, along, across, log_roughness, log_thickness = drawn.scalars
    radius_mm = np.exp(drawn.log_radius)
    centre = SIDE / 2 + rng.uniform(-0.5, 0.5, 3)
    shape = (SIDE,) * 3
    rough = np.exp(log_roughness) * _noise(shape, (ROUGH_MM,) * 3, rng)
    smooth = [_smoothing(value) for value in (along, across, across)]
    texture = _noise(shape, smooth, rng)
    volume = LUNG_HU + LUNG_NOISE_HU * rng.standard_normal(shape)
    reach = radius_mm * surface_radii(drawn.surface, SURFACE).max() + REACH_MM
    voxels = np.indices(shape).reshape(3, -1).T
    voxels = voxels[((voxels - centre) ** 2).sum(axis=1) < reach**2]
    here = tuple(voxels.T)

    # The mask was drawn slice by slice on CT, so it repeats where slices are thicker than 1 mm.
    thickness = max(np.exp(log_thickness), 1.0)
    start = rng.uniform(0, thickness)
    cut = voxels.astype(np.float64)
    cut[:, 0] = (np.floor((cut[:, 0] - start) / thickness) + 0.5) * thickness + start
    slices = np.clip(np.round(cut[:, 0]).astype(int), 0, SIDE - 1)
    depth, _ = _depth(cut - centre, drawn, radius_mm)
    mask = np.zeros(shape, dtype=np.int32)
    mask[here] = depth + rough[slices, here[1], here[2]] > 0
    mask[tuple(np.round(centre).astype(int))] = 1

    depth, angular = _depth(voxels - centre, drawn, radius_mm)
    shell = shell_of(depth, radius_mm)
    hu = density_basis(angular[:, :N_ANGULAR], shell) @ drawn.density
    hu += texture[here] * np.exp(np.where(shell >= CORE_SHELL, log_core, log_edge))
    share = np.exp(-np.maximum(-depth - _outermost_mm(radius_mm), 0) / FADE_MM)
    volume[here] += share * (hu - volume[here])
    return np.clip(np.round(volume), -1024, 3071).astype(np.int16), mask


def _depth(
    offsets: np.ndarray, drawn: Measured, radius_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Depth below the surface along each voxel's own radius, and harmonics in its direction."""
    distance = np.linalg.norm(offsets, axis=1)
    angular = harmonics(offsets / np.maximum(distance, 1e-6)[:, None], SURFACE_DEGREE)
    return radius_mm * surface_radii(drawn.surface, angular) - distance, angular


def _outermost_mm(radius_mm: float) -> float:
    """Height above the surface of the outermost shell."""
    place = -SHELLS[0] * radius_mm / (radius_mm + SHELL_SCALE_MM)
    return float(SHELL_SCALE_MM * place / (1 - place))


def _smoothing(correlation: float) -> float:
    """Gaussian that gives white noise this correlation between neighbours."""
    correlation = min(correlation, 0.9)
    return float(np.sqrt(-1 / (4 * np.log(correlation)))) if correlation > 0.02 else 0.0


def _noise(shape: tuple[int, ...], smooth, rng: np.random.Generator) -> np.ndarray:
    """Smoothed Gaussian noise of variance 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), smooth, mode="wrap")
    return noise / noise.std()
