"""The lungs' vessels: trees that leave the hila, divide and taper, as path lengths along rays."""

import numpy as np

from research.phantom.anatomy import SIDE, Anatomy
from research.phantom.tissue import GOLDEN, PLASTIC, Coordinates, cast

ROOTS = 18  # arteries and veins that leave a hilum
GENERATIONS = 13
ROOT_RADIUS = (3.5, 8.5)  # px
TWIGS = 2600  # small vessels of both lungs
SMALLEST_RADIUS = 0.55  # px
HILUM = ((-84.0, 482.0), (92.0, 456.0))  # column from the midline, row; right and left


def _tree(anatomy: Anatomy, side: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Segments of one lung's vessels, px: start, end, bend `(segment, 3)`, radius at both ends.

    Columns are those of the image.
    """
    sign = (-1, 1)[side]
    x, y = HILUM[side]
    start = np.tile([x + anatomy.midline, y, 0.0], (ROOTS, 1)) + rng.normal(
        0, [8, 34, 26], (ROOTS, 3)
    )
    fan = np.linspace(-1.4, 1.5, ROOTS) + rng.uniform(-0.14, 0.14, ROOTS)
    direction = np.stack([sign * np.cos(fan), np.sin(fan), rng.uniform(-0.35, 0.35, ROOTS)], axis=1)
    radius = rng.uniform(*ROOT_RADIUS, ROOTS) * np.where(fan > 0, 1.12, 0.82)
    found: list[tuple[np.ndarray, ...]] = []
    for _ in range(GENERATIONS):
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = (15 + 9 * radius) * rng.uniform(0.7, 1.4, len(radius))
        end = start + direction * length[:, None]
        bend = rng.normal(0, 0.06, (len(radius), 3)) * length[:, None]
        thin = radius * rng.uniform(0.88, 0.97, len(radius))
        found.append((start, end, bend, radius, thin))
        # Murray's law shares the flow: the cubes of the daughters' radii add up to the parent's.
        share = rng.uniform(0.12, 0.45, len(radius))
        turn = rng.normal(0, [1, 1, 0.45], (len(radius), 3))
        turn -= (turn * direction).sum(1, keepdims=True) * direction
        turn /= np.linalg.norm(turn, axis=1, keepdims=True)
        first = direction + turn * (0.12 + 0.5 * share)[:, None]
        second = direction - turn * (1.0 - 0.9 * share)[:, None]
        radius = np.concatenate([thin * (1 - share) ** (1 / 3), thin * share ** (1 / 3)])
        start = np.concatenate([end, end])
        direction = np.concatenate([first, second])
        keep = radius > SMALLEST_RADIUS
        start, direction, radius = start[keep], direction[keep], radius[keep]
    return tuple(np.concatenate(values) for values in zip(*found, strict=True))


def _twigs(anatomy: Anatomy, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Segments of small vessels all over the lungs, as `_tree`'s, most of them leaving the hila."""
    start = rng.uniform([0, 60, -150], [SIDE, 960, 150], (TWIGS, 3))
    side = (start[:, 0] > anatomy.midline).astype(int)
    hilum = np.array(HILUM)[side] + [anatomy.midline, 0]
    direction = np.zeros((TWIGS, 3))
    direction[:, :2] = start[:, :2] - hilum
    direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-6
    direction += rng.normal(0, [0.5, 0.5, 0.7], (TWIGS, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = rng.uniform(8, 60, TWIGS)
    bend = rng.normal(0, 0.1, (TWIGS, 3)) * length[:, None]
    radius = 0.5 + rng.gamma(1.6, 0.42, TWIGS)
    return start, start + direction * length[:, None], bend, radius, 0.6 * radius


def vessels(anatomy: Anatomy) -> np.ndarray:
    """Path length through all vessels of both lungs, `(row, column)` float32."""
    rng = np.random.default_rng(anatomy.streams[0])
    parts = [_tree(anatomy, side, rng) for side in (0, 1)] + [_twigs(anatomy, rng)]
    start, end, bend, r0, r1 = (np.concatenate(v) for v in zip(*parts, strict=True))
    length = np.linalg.norm(end - start, axis=1)
    result = np.zeros((SIDE, SIDE), np.float32)
    for low, high, across in ((0, 1.6, 4), (1.6, 4, 11), (4, 99, 33)):
        chosen = (r0 >= low) & (r0 < high)
        if not chosen.any():
            continue
        n, steps = int(chosen.sum()), int(np.ceil(length[chosen].max()))
        turn = (np.arange(n)[:, None] * GOLDEN + np.arange(steps) * PLASTIC) % 1
        t = (np.arange(steps) + turn) / steps
        a, b, c = (values[chosen][:, None, :] for values in (start, end, bend))
        point = a + (b - a) * t[..., None] + c * (4 * t * (1 - t))[..., None]
        radius = r0[chosen][:, None] * (1 - t) + r1[chosen][:, None] * t
        along = (b - a) / length[chosen][:, None, None]
        flat = np.hypot(along[..., 0], along[..., 1]) + 1e-6
        offset = (np.arange(across) + turn[..., None]) / across * 2 - 1
        d = offset * radius[..., None]
        x = point[..., :1] - along[..., 1:2] / flat[..., None] * d
        y = point[..., 1:2] + along[..., :1] / flat[..., None] * d
        area = 2 * np.sqrt(1 - offset**2) * radius[..., None] * 2 * radius[..., None] / across
        result += cast(x, y, area * (length[chosen] / steps)[:, None, None])
    return result


def hila(at: Coordinates) -> np.ndarray:
    """Path length through the soft tissue in which the roots of both lungs lie."""
    result = np.zeros_like(at.x)
    for x, y in HILUM:
        result += 30 * np.exp(-(((at.x - 1.15 * x) / 40) ** 2) - ((at.y - y - 20) / 80) ** 2)
        result += 14 * np.exp(-(((at.x - 1.6 * x) / 130) ** 2) - ((at.y - y - 70) / 210) ** 2)
    return result
