"""Ribs, clavicles, scapulae and spine, as path lengths of bone along rays."""

import numpy as np
from scipy import ndimage

from research.phantom.anatomy import Anatomy
from research.phantom.tissue import (
    GOLDEN,
    PLASTIC,
    Coordinates,
    cage_half_width,
    cast,
    chord,
    lean,
)

RIBS = 11  # a side; the twelfth lies below the image
CORTEX, CORE = 5.4, 0.85  # excess density over soft tissue, in its units
RIB_HALF_HEIGHT, RIB_HALF_THICKNESS = 18.0, 10.0  # px: 12 and 7 mm


def _rib_path(anatomy: Anatomy, side: int, rib: int) -> np.ndarray:
    """Centre line of a rib, `(point, 3)`: column from the midline, row, depth towards the front."""
    sign = (-1, 1)[side]
    width, apex = anatomy.half_width[side], anatomy.apex[side]
    end = np.interp(rib, [0, 1, 3, 6, 8, 10], [2.35, 2.6, 2.66, 2.5, 2.2, 1.75])
    angle = np.linspace(0.04, end, 800)
    drop = anatomy.rib_drop * np.interp(rib, [0, 1, 4, 10], [0.4, 0.62, 0.95, 1.15])
    start = anatomy.rib_first + anatomy.rib_pitch * rib * (1 + 0.012 * rib)
    start += anatomy.rib_jitter[2 * rib + side] + 0.8 * sign * anatomy.tilt
    drop *= 1 + 0.02 * anatomy.rib_jitter[(2 * rib + side + 7) % len(anatomy.rib_jitter)]
    fall = ((1 - np.cos(angle)) / 2) ** 1.1
    rise = (
        anatomy.rib_rise
        * np.sin(np.clip(2 * angle, 0, np.pi))
        * np.interp(rib, [0, 4, 10], [0.4, 0.8, 1.0])
    )
    y = start + drop * fall - rise + 90 * np.clip(0.6 - angle, 0, None) ** 2
    lateral = float(
        cage_half_width(np.interp(np.pi / 2, angle, y), apex, width, anatomy.cage_bottom)
    )
    outer = 0.5 * (cage_half_width(y, apex, width, anatomy.cage_bottom) + lateral)
    outer = np.minimum(outer, lateral) if rib else np.full_like(y, 195.0)
    x = sign * (18 + (outer - 18) * np.sin(angle) ** 0.92)
    depth = -anatomy.depth * width * np.cos(angle) * np.interp(rib, [0, 4], [0.5, 1.0])
    return np.stack([x, y, depth], axis=1)


def _place(anatomy: Anatomy, path: np.ndarray) -> np.ndarray:
    """From columns counted from the midline to columns of the image."""
    shift = anatomy.midline + lean(anatomy, path[:, 1])
    return path + np.stack([shift, 0 * shift, 0 * shift], axis=1)


def ribs_and_clavicles(anatomy: Anatomy) -> np.ndarray:
    """Path length of bone through ribs and clavicles, `(row, column)` float32."""
    parts = []
    for side in (0, 1):
        for rib in range(RIBS):
            path = _place(anatomy, _rib_path(anatomy, side, rib))
            n = len(path)
            taper = np.interp(np.linspace(0, 1, n), [0, 0.1, 0.8, 1], [0.55, 0.9, 1.0, 1.15])
            size = taper * np.interp(rib, [0, 1, 10], [1.15, 0.95, 1.0])
            # In front ribs are thinner, and at their ends bone turns to cartilage.
            along = [0, 0.05, 0.45, 0.62, 0.88, 1]
            fade = np.interp(np.arange(n) / n, along, [0.3, 1, 0.9, 0.5, 0.32, 0.03])
            side_on = np.abs(np.linspace(-1, 1.2, n))  # about 0 where the rib turns at the side
            fade = fade * (1.0 if rib else 0.3) * np.interp(side_on, [0, 0.35], [0.6, 1])
            parts.append(
                _tube(path, RIB_HALF_HEIGHT * size, RIB_HALF_THICKNESS * taper,
                     shell=CORTEX * fade, core=CORE * fade, upper=0.45)
            )  # fmt: skip
        sign = (-1, 1)[side]
        t = np.linspace(0, 1, 1000)
        x = sign * (38 + 540 * t)
        y = anatomy.clavicle[side] - 1.2 * anatomy.clavicle_rise[side] * t**0.8
        y -= 18 * np.sin(2 * np.pi * t**1.2)
        path = _place(anatomy, np.stack([x, y, 60 * np.sin(2 * np.pi * t)], axis=1))
        size = np.interp(t, [0, 0.06, 0.2, 0.5, 0.8, 0.97, 1], [8, 23, 20, 15, 17, 21, 16])
        parts.append(_tube(path, size, 0.8 * size, shell=0.5 * CORTEX, core=0.6 * CORE, upper=0.3))
    return cast(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _tube(
    path: np.ndarray,
    height: np.ndarray,
    thickness: np.ndarray,
    *,
    shell: np.ndarray | float,
    core: np.ndarray | float,
    upper: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sample a bone, an elliptical tube with a dense cortex: columns, rows, volumes for `cast`.

    `path` is the centre line, `(point, 3)`: column, row, depth; `height` and `thickness` are the
    half-axes of its cross-section, px; `shell` and `core` the densities of the cortex and of what
    it holds, over soft tissue's; the cortex is denser above, and less dense below, by `upper`.
    """
    tangent = np.gradient(path, axis=0)
    step = np.linalg.norm(tangent, axis=1, keepdims=True)
    tangent = tangent / step
    up = np.array([0.0, -1.0, 0.0]) + tangent[:, 1:2] * tangent
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    out = np.cross(tangent, up)
    angles, rings = 48, ((0.97, 0.06, shell), (0.91, 0.06, shell), (0.44, 0.88, core))
    xs, ys, weights = [], [], []
    for ring, (radius, width, density) in enumerate(rings):
        count = angles if radius > 0.8 else angles // 2
        # Each cross-section is turned by the golden ratio: even samples, and no moiré.
        turn = (np.arange(len(path)) * GOLDEN + 0.37 * ring)[:, None] % 1
        angle = 2 * np.pi * (np.arange(count) + turn) / count
        level = (np.arange(count) * GOLDEN + np.arange(len(path))[:, None] * PLASTIC) % 1
        reach = radius if radius > 0.8 else 0.88 * np.sqrt(level)
        a = reach * height[:, None] * np.cos(angle)
        b = reach * thickness[:, None] * np.sin(angle)
        xs.append((path[:, :1] + a * up[:, :1] + b * out[:, :1]).ravel())
        ys.append((path[:, 1:2] + a * up[:, 1:2] + b * out[:, 1:2]).ravel())
        area = 2 * np.pi * radius * width * height * thickness / count
        weight = np.tile((density * area * step[:, 0])[:, None], (1, count))
        if radius > 0.8:  # a rib's upper border is denser than its lower one
            weight *= 1 + upper * np.cos(angle)
        weights.append(weight.ravel())
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(weights)


def spine(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length of bone through the vertebrae: bodies with end plates, pedicles, processes."""
    pitch = anatomy.rib_pitch * 0.92
    phase = (at.y - anatomy.rib_first - 10) / pitch
    level = np.round(phase)
    dy = (phase - level) * pitch
    half_height = 0.42 * pitch
    half_width = 47 + 0.012 * at.y + 6 * (dy / half_height) ** 2
    in_body = 0.6 + 0.4 * np.clip((half_height - np.abs(dy)) / 6 + 0.5, 0, 1)
    bodies = chord(half_width - np.abs(at.x), 34.0) * in_body * (0.42 + 0.12 * np.sin(level * 2.4))
    side_wall = np.exp(-(((np.abs(at.x) - half_width + 3) / 2.6) ** 2)) * 12 * in_body
    plates = (
        np.exp(-(((np.abs(dy) - half_height + 2) / 2.4) ** 2)) * 5 * (np.abs(at.x) < half_width)
    )
    oval = np.hypot((np.abs(at.x) - 31) / 9, (dy + 6) / 13)
    pedicles = np.exp(-(((oval - 1) / 0.24) ** 2)) * 15
    drop = np.hypot(at.x / 7, (dy - 12) / np.where(dy < 12, 24, 15))
    processes = np.exp(-(((drop - 1) / 0.3) ** 2)) * 18 + 6 * (drop < 1)
    across = (
        15 * np.clip(1 - np.abs(dy + 10 + 0.12 * np.abs(at.x)) / 11, 0, 1) * (np.abs(at.x) < 86)
    )
    whole = bodies + side_wall + plates + pedicles + processes + across * 0.7
    return np.asarray(ndimage.gaussian_filter(whole, 1.6))


def scapulae(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length of bone through the shoulder blades: a thin plate with a dense outer border."""
    result = np.zeros_like(at.x)
    for side, sign in ((0, -1), (1, 1)):
        x, tip = sign * at.x, 470.0
        below = np.clip((tip - at.y) / tip, 0, 1)
        inner = anatomy.scapula[side] + 44 * np.sin(2.4 * below) - 8
        outer = anatomy.scapula[side] + 26 + 210 * below**0.75
        inside = np.minimum(x - inner, outer - x)
        plate = np.clip(inside / 9 + 0.5, 0, 1) * (below > 0)
        border = np.exp(-(((outer - x - 7) / 6) ** 2)) * np.clip(below * 9, 0, 1)
        head = chord(62 - np.hypot(x - anatomy.half_width[side] - 40, at.y - 205), 62.0)
        result += 5 * plate + 9 * border * (1 - 0.5 * below) + 0.3 * head
    return np.asarray(ndimage.gaussian_filter(result, 2.5))
