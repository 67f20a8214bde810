"""Tubes cast onto the image: ribs, clavicles and vessels as path lengths along rays."""

import numpy as np

from nodegen.phantom.anatomy import SIDE

# Multiples of these, modulo 1, fill an interval and a square evenly.
GOLDEN, PLASTIC = 0.6180339887, 0.7548776662


def cast(x: np.ndarray, y: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Sum volumes (px³) at columns `x`, rows `y` into four pixels each: path lengths, px."""
    x, y, volume = (np.ravel(values) for values in np.broadcast_arrays(x, y, volume))
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    inside = (left >= 0) & (left < SIDE - 1) & (top >= 0) & (top < SIDE - 1)
    x, y, volume, left, top = x[inside], y[inside], volume[inside], left[inside], top[inside]
    right_part, low_part = x - left, y - top
    index = top * SIDE + left
    result = np.zeros(SIDE * SIDE)
    for step, weight in (
        (0, (1 - right_part) * (1 - low_part)),
        (1, right_part * (1 - low_part)),
        (SIDE, (1 - right_part) * low_part),
        (SIDE + 1, right_part * low_part),
    ):
        result += np.bincount(index + step, weight * volume, SIDE * SIDE)
    return result.reshape(SIDE, SIDE).astype(np.float32)


def tube(
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
