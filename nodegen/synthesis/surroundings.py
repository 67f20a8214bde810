"""Surroundings: strands that lead to a nodule, spicules, a tail to the pleura, and satellites.

Vessels bend and branch, and are as bright as others around; satellites are the nodule once more,
small and turned. They pass through the detector, the tone curve and harmonisation with the nodule,
which alone is the mask, and what a box marks.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from nodegen.io.boxes import Box
from nodegen.schemas import Satellite, Strand


class _Kind(NamedTuple):
    """How often it comes, and both ends of what is drawn of it."""

    share: float  # of the nodules that have it
    number: tuple[int, int]
    extent: tuple[float, float]  # length, of a satellite its distance, in radii of the nodule
    size_px: tuple[float, float]  # width, of a satellite its radius
    height: tuple[float, float]  # over the nodule's plateau
    bend: float = 0.0  # most that its end lies off its first direction, over its length


# Shares of 53 real nodules; the rest by eye beside them.
STRANDS = _Kind(9 / 53, (1, 3), (1.2, 3.0), (2.5, 4.5), (0.4, 0.85), 0.35)
SPICULES = _Kind(2 / 53, (5, 8), (0.4, 0.9), (1.5, 3.0), (0.6, 1.0), 0.15)
TAIL = _Kind(2 / 53, (1, 1), (1.5, 3.0), (1.5, 3.0), (0.6, 1.0), 0.25)
SATELLITES = _Kind(7 / 53, (1, 2), (1.2, 3.0), (2.5, 9.0), (0.5, 1.0))
LARGEST_SATELLITE = 0.35  # of the nodule's radius: what is larger would have a box of its own
BRANCHES = 0.5  # share of the vessels that part in two
BRANCH_BEND = (0.35, 0.65)  # how far the branch's end lies off the vessel's, over its length
VESSEL = 0.9  # contrast of a vessel, in standard deviations of the surround, at most
FARTHEST_PX = 50.0  # from the nodule's margin: it lies in the crop of any box
ROOT = 0.8  # of the nodule's radius: there a strand begins, so that it joins the margin
APART_DEG = 120.0  # from one strand to the next
STRAYS_DEG = 20.0  # standard deviation of their directions
FINE_PX, COARSE_PX = 1.5, 5.0  # sigmas of the band in which vessels of the ground are looked for
DIRECTIONS = 36
FOUND = 1.0  # of the band's standard deviation: a brighter ray is a vessel
HILUM_ROW = 0.45  # of the radiograph's rows; its column is the middle
FAINTEST = 0.02  # of the plateau: what is thinner does not count as drawn


def draw_surroundings(
    rng: np.random.Generator, slice01: np.ndarray, box: Box, fill: float, visibility: float
) -> tuple[list[Strand], list[Satellite]]:
    """Draw what surrounds a nodule, from its box's own stream: nothing for two of three.

    A strand continues a vessel of the untouched slice (row, column), in 0..1. ``fill`` is the side
    of the nodule's visible disc over the box's, ``visibility`` the nodule's contrast in standard
    deviations of its surround.
    """
    radius = fill * math.sqrt(box.width * box.height) / 2
    x, y = box.centre
    hilum = HILUM_ROW * slice01.shape[0], 0.5 * slice01.shape[1]
    inwards = math.degrees(math.atan2(y - hilum[0], hilum[1] - x)) + rng.normal(0, STRAYS_DEG)
    strands: list[Strand] = []
    if rng.random() < STRANDS.share:
        found = vessel_direction(slice01, box, radius)
        vessels = _strands(rng, STRANDS, inwards if found is None else found, radius)
        strands += [v for vessel in vessels for v in _branched(rng, vessel, visibility)]
    if rng.random() < SPICULES.share:
        strands += _strands(rng, SPICULES, rng.uniform(0, 360), radius)
    if rng.random() < TAIL.share:
        strands += _strands(rng, TAIL, inwards + 180, radius)
    satellites = []
    if rng.random() < SATELLITES.share:
        smallest_px, largest_px = SATELLITES.size_px
        largest_px = min(max(LARGEST_SATELLITE * radius, smallest_px), largest_px)
        for _ in range(int(rng.integers(*SATELLITES.number, endpoint=True))):
            size_px = rng.uniform(smallest_px, largest_px)
            satellites.append(
                Satellite(
                    angle_deg=round(rng.uniform(0, 360), 1),
                    away_px=round(
                        min(rng.uniform(*SATELLITES.extent) * radius, radius + FARTHEST_PX), 1
                    ),
                    radius_px=round(size_px, 1),
                    # The smaller, the thinner, but not in proportion: what is faint is not seen.
                    height=round(rng.uniform(*SATELLITES.height) * math.sqrt(size_px / radius), 3),
                    turn_deg=round(rng.uniform(0, 360), 1),
                )
            )
    return strands, satellites


def _strands(rng: np.random.Generator, kind: _Kind, at_deg: float, radius: float) -> list[Strand]:
    """Strands of one kind, the first in its direction and the others around it."""
    count = int(rng.integers(*kind.number, endpoint=True))
    directions = at_deg + min(APART_DEG, 360.0 / count) * np.arange(count)
    directions[1:] += rng.normal(0, STRAYS_DEG, count - 1)
    return [
        Strand(
            angle_deg=round(float(direction) % 360, 1),
            root_px=round(ROOT * radius, 1),
            length_px=round(min(rng.uniform(*kind.extent) * radius, FARTHEST_PX), 1),
            width_px=round(rng.uniform(*kind.size_px), 2),
            height=round(rng.uniform(*kind.height), 3),
            bend=round(rng.uniform(-kind.bend, kind.bend), 3),
        )
        for direction in directions
    ]


def _branched(rng: np.random.Generator, vessel: Strand, visibility: float) -> list[Strand]:
    """A vessel, no brighter than others around, and its branch, where it has one."""
    most = VESSEL / max(visibility, 0.1)
    vessel = replace(vessel, height=round(min(vessel.height, most), 3))
    aside = rng.uniform(*BRANCH_BEND) * rng.choice((-1, 1))
    shorter, thinner, parts = rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.9), rng.random() < BRANCHES
    branch = replace(
        vessel,
        length_px=round(vessel.length_px * shorter, 1),
        width_px=round(vessel.width_px * thinner, 2),
        bend=round(float(np.clip(vessel.bend + aside, -1, 1)), 3),
    )
    return [vessel, branch] if parts else [vessel]


def vessel_direction(slice01: np.ndarray, box: Box, radius: float) -> float | None:
    """Direction of the brightest vessel that leads to a box, by the nodule's radius, px.

    In degrees, counter-clockwise as displayed from the right; None where none is bright enough.
    """
    x, y = box.centre
    reach = int(2 * radius + 3 * COARSE_PX)
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    ground = slice01[top : int(y) + reach + 1, left : int(x) + reach + 1]
    band = gaussian_filter(ground, FINE_PX) - gaussian_filter(ground, COARSE_PX)
    angles = 2 * np.pi / DIRECTIONS * np.arange(DIRECTIONS)[:, None]
    away = np.linspace(1.1, 2.0, 12) * radius
    rows = y - 0.5 - top - away * np.sin(angles)
    columns = x - 0.5 - left + away * np.cos(angles)
    rays = map_coordinates(band, [rows, columns], order=1, mode="nearest").mean(axis=1)
    best = int(rays.argmax())
    return best * 360.0 / DIRECTIONS if rays[best] > FOUND * band.std() else None


def strands_on(
    strands: list[Strand], shape: tuple[int, int], at: tuple[float, float]
) -> np.ndarray:
    """Thickness of strands, 1 at the nodule's plateau, on a canvas of ``shape`` (row, column).

    ``at`` is the row and column of the box's centre, px from the canvas's top left edge.
    """
    thickness = np.zeros(shape, dtype=np.float32)
    up = np.float32(at[0] - 0.5) - np.arange(shape[0], dtype=np.float32)
    across = np.arange(shape[1], dtype=np.float32) + np.float32(0.5 - at[1])
    for strand in strands:
        angle = math.radians(strand.angle_deg)
        reach = strand.root_px + strand.length_px + 3 * strand.width_px
        near = np.ix_(np.abs(up) < reach, np.abs(across) < reach)
        x, y = across[near[1]], up[near[0]]
        along = x * math.cos(angle) + y * math.sin(angle)
        share = np.clip((along - strand.root_px) / strand.length_px, 0, 1)
        off = y * math.cos(angle) - x * math.sin(angle)
        off -= strand.bend * strand.length_px * share**2
        # Thinner and narrower towards its end.
        sigma = strand.width_px / 2.355 * (1 - 0.4 * share)
        ridge = strand.height * np.sqrt(1 - share) * np.exp(-0.5 * (off / sigma) ** 2)
        ridge *= np.clip(along / max(strand.root_px, 1.0), 0, 1) ** 2  # rises within the nodule
        thickness[near] = np.maximum(thickness[near], ridge)
    return thickness
