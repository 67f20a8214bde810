"""Synthesise: a drawn nodule as a CT patch and its mask, in the organisers' own form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nodegen.constants import LUNG_HU, PROJECTION_AXIS
from nodegen.errors import LibraryError
from nodegen.io.image import largest_part
from nodegen.synthesis.projection import diameter_mm, project
from research.nodule_model.harmonics import harmonics
from research.nodule_model.measure import (
    CORE_SHELL,
    N_ANGULAR,
    SCALARS,
    SHELL_SCALE_MM,
    SHELLS,
    SURFACE,
    SURFACE_DEGREE,
    Measured,
    density_basis,
    shell_of,
    surface_radii,
)
from research.nodule_model.model import NoduleModel

SMALLEST_MM, LARGEST_MM = 4, 46  # diameters of the organisers' ct_nodules.csv
TRIES = 100  # for one nodule; of the shipped model, one in forty is drawn again
SIDE = 50  # voxels of 1 mm, each way
# What follows was chosen, not fitted; the fit corrects for it by simulation (`fit.ROUNDS`).
LUNG_NOISE_HU = 25.0  # standard deviation in the lung around
BEND_MOST = 0.4  # of the surface's standard deviations
TAIL = 0.8  # of roughness: 0 normal, 1 long spikes
PSF_MM = 0.5  # standard deviation of the scanner's blur
VOLUME_ROUNDS = 3  # to reach the volume drawn in spite of slices and caps
REACH_MM = 12.0  # beyond the surface, to which the neighbourhood is drawn
FADE_MM = 3.0  # from the nodule's neighbourhood to the ground
TEXTURE_FADE_MM = 2.0  # from the texture of the nodule's edge to that of the lung
ROUGH_MM = 0.8  # standard deviation of the smoothing that makes roughness out of noise


@dataclass(frozen=True)
class Synthetic:
    """A synthetic nodule, as the organisers' patches are; arrays are (slice, row, column)."""

    volume_hu: np.ndarray  # int16
    mask: np.ndarray  # int32, 0 or 1
    diameter_mm: int  # as in ct_nodules.csv


def synthesise(model: NoduleModel, count: int, seed: int) -> Iterator[Synthetic]:
    """Draw nodules from the model and render them, one after the other.

    Sizes are drawn from ``count`` equally likely ranges, one each, in random order, so that their
    distribution is the fitted one even for few nodules. A nodule beyond the range of diameters,
    or of which nothing can be seen on a radiograph, is drawn again, from its range of sizes.

    Parameters
    ----------
    model : NoduleModel
        What the nodules' numbers are drawn from.
    count : int
        How many nodules.
    seed : int
        The same model, count and seed give the same nodules.

    Raises
    ------
    LibraryError
        Where a model gives no nodule that can be used.
    """
    rng = np.random.default_rng(seed)
    shares = (rng.permutation(count) + rng.random(count)) / count
    for number, share in enumerate(shares):
        for turn in range(TRIES):
            rng = np.random.default_rng((seed, number, turn))
            volume_hu, mask = render(model.draw(rng, share), rng)
            found_mm = diameter_mm(np.any(mask, axis=PROJECTION_AXIS))
            if SMALLEST_MM <= found_mm <= LARGEST_MM and _visible(volume_hu, mask):
                yield Synthetic(volume_hu, mask, found_mm)
                break
        else:
            raise LibraryError(
                f"The model gave no visible nodule of {SMALLEST_MM} to {LARGEST_MM} mm in {TRIES} "
                "tries: fit it to other patches with `python -m research.nodule_model fit`."
            )


def _visible(volume_hu: np.ndarray, mask: np.ndarray) -> bool:
    """Say whether no axis has a constant projection."""
    return all(
        np.ptp(projection[mask2d]) > 0
        for projection, mask2d in (project(volume_hu, mask, axis) for axis in range(volume_hu.ndim))
    )


def render(drawn: Measured, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Render a nodule in the middle of a patch.

    Parameters
    ----------
    drawn : Measured
        The nodule's numbers, as the model draws them.
    rng : numpy.random.Generator
        For place within the middle voxel, roughness and texture.

    Returns
    -------
    volume_hu : ndarray of int16, shape (slice, row, column) = (SIDE,) * 3
    mask : ndarray of int32, the same shape
        1 in the nodule; never empty.
    """
    scalar = dict(zip(SCALARS, drawn.scalars, strict=True))
    radius_mm = np.exp(drawn.log_radius)
    centre = SIDE / 2 + rng.uniform(-0.5, 0.5, 3)
    shape = (SIDE,) * 3
    rough = np.exp(scalar["log_roughness"]) * _spiky(
        _noise(shape, (0, ROUGH_MM, ROUGH_MM), rng), scalar["spikiness"]
    )
    smooth = [_smoothing(scalar[f"texture_{way}"]) for way in ("along", "across", "across")]
    texture = _noise(shape, smooth, rng)
    volume = LUNG_HU + LUNG_NOISE_HU * rng.standard_normal(shape)
    bend = float(np.clip(scalar["lobulation"] / 3, -BEND_MOST, BEND_MOST))
    reach = radius_mm * surface_radii(drawn.surface, SURFACE, bend).max() + REACH_MM
    voxels = np.indices(shape).reshape(3, -1).T
    voxels = voxels[((voxels - centre) ** 2).sum(axis=1) < reach**2]
    here = tuple(voxels.T)

    # The mask was drawn slice by slice on CT, so it repeats where slices are thicker than 1 mm.
    thickness = max(np.exp(scalar["log_thickness"]), 1.0)
    start = rng.uniform(0, thickness)
    cut = voxels.astype(np.float64)
    cut[:, 0] = (np.floor((cut[:, 0] - start) / thickness) + 0.5) * thickness + start
    slices = np.clip(np.round(cut[:, 0]).astype(int), 0, SIDE - 1)
    radii, distance, angular = _radii(cut - centre, drawn, bend)
    # A reader's outline wavers within its slice, anew in each.
    waver = np.sqrt(1 - angular[:, 2] ** 2 / 3) * rough[slices, here[1], here[2]]
    mask = np.zeros(shape, dtype=np.int32)
    drawn_mm = radius_mm
    for _ in range(VOLUME_ROUNDS):
        mask[here] = drawn_mm * radii + waver > distance
        mask[tuple(np.round(centre).astype(int))] = 1
        _uncap(mask, np.exp(scalar["log_cap"]))
        _join(mask)
        drawn_mm *= np.cbrt(4 * np.pi * radius_mm**3 / 3 / mask.sum())

    radii, distance, angular = _radii(voxels - centre, drawn, bend)
    depth = radius_mm * radii - distance
    shell = shell_of(depth, radius_mm)
    hu = density_basis(angular[:, :N_ANGULAR], shell) @ drawn.density
    core = shell >= CORE_SHELL
    strength = np.exp(np.where(core, scalar["log_texture_core"], scalar["log_texture_edge"]))
    # What was measured at the edge is the nodule's; the lung around it has its own, quieter noise.
    outside = np.clip(-depth / TEXTURE_FADE_MM, 0, 1)
    strength += outside * (np.minimum(strength, LUNG_NOISE_HU) - strength)
    hu += texture[here] * strength
    share = np.exp(-np.maximum(-depth - _outermost_mm(radius_mm), 0) / FADE_MM)
    volume[here] += share * (hu - volume[here])
    volume = ndimage.gaussian_filter(volume, PSF_MM)
    return np.clip(np.round(volume), -1024, 3071).astype(np.int16), mask


def _radii(
    offsets: np.ndarray, drawn: Measured, bend: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Surface's radius (of R = 1) in each voxel's direction, its distance, and the harmonics."""
    distance = np.linalg.norm(offsets, axis=1)
    angular = harmonics(offsets / np.maximum(distance, 1e-6)[:, None], SURFACE_DEGREE)
    return surface_radii(drawn.surface, angular, bend), distance, angular


def _spiky(noise: np.ndarray, skewness: float) -> np.ndarray:
    """Give normal noise heavy tails and about this skewness; variance 1, mean 0."""
    bent = np.sinh(TAIL * noise + np.clip(skewness / 2, -0.5, 0.5))
    return np.asarray((bent - bent.mean()) / bent.std())


def _uncap(mask: np.ndarray, share: float) -> None:
    """Empty outer slices of the mask, in place, up to those nearest this share of the largest's."""
    areas = mask.sum(axis=(1, 2))
    largest = int(areas.argmax())
    away = np.abs(np.log(np.maximum(areas, 0.01) / areas[largest]) - np.log(share))
    first = int(away[: largest + 1].argmin())
    last = len(areas) - 1 - int(away[largest:][::-1].argmin())
    mask[:first] = mask[last + 1 :] = 0


def _join(mask: np.ndarray) -> None:
    """Empty all but the largest piece of the mask, in place; corners that touch join."""
    mask[~largest_part(mask, np.ones((3, 3, 3)))] = 0


def _outermost_mm(radius_mm: float) -> float:
    """Height above the surface of the outermost shell."""
    place = -SHELLS[0] * radius_mm / (radius_mm + SHELL_SCALE_MM)
    return float(SHELL_SCALE_MM * place / (1 - place))


def _smoothing(correlation: float) -> float:
    """Gaussian that gives white noise this correlation between neighbours."""
    correlation = min(correlation, 0.9)
    return float(np.sqrt(-1 / (4 * np.log(correlation)))) if correlation > 0.02 else 0.0


def _noise(shape: tuple[int, ...], smooth: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Smoothed Gaussian noise of variance 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), smooth, mode="wrap")
    return np.asarray(noise / noise.std())
