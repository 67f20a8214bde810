"""Random views of a training case: what a lung network must not be led astray by.

Films lie turned, cropped and framed; their grey scale follows any curve, inverted as well; breasts,
fluid, infiltrates, wires, plates and letters lie over the lungs. Every range was set by eye, so
that a person still finds the lungs in nearly all views.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import ndimage
from torch.nn import functional

from nodegen.lungs.region import GRID_PX, standardised
from research.lungs.cases import UNKNOWN


def view(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one view of a case.

    Parameters
    ----------
    image : numpy.ndarray, shape (row, column)
        In 0..1.
    labels : numpy.ndarray of uint8, shape (row, column)
        0 elsewhere, 1 the lung on the left of the image, 2 the other, 255 where it is not known.
    rng : numpy.random.Generator
        Draws all that is random.

    Returns
    -------
    grid : numpy.ndarray of float32, shape (256, 256)
        As :func:`nodegen.lungs.region.to_grid` makes it, in -1..1.
    labels : numpy.ndarray of int64, shape (256, 256)
    """
    image, labels = _warped(image.astype(np.float32), labels, rng)
    lungs = (labels == 1) | (labels == 2)
    if rng.random() < 0.25:
        image, labels = _effusion(image, labels, rng)
    if rng.random() < 0.5:
        image = _shadows(image, lungs, rng)
    image = _grey(image, rng)
    if rng.random() < 0.6:
        image = _devices(image, rng)
    image = _sharpness(image, rng)
    if rng.random() < 0.08:
        image = 1 - image
    if rng.random() < 0.3:
        image, labels = _framed(image, labels, rng)
    return standardised(image), labels.astype(np.int64)


def _warped(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turn, zoom, shift, bend and mirror; a mirrored chest's sides change their labels."""
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], _swapped(labels[:, ::-1])
    angle = np.deg2rad(rng.normal(0, 7) if rng.random() < 0.85 else rng.uniform(-40, 40))
    zoom = np.exp(rng.uniform(-0.5, 0.35))  # of what is seen: below 1 enlarges
    stretch = np.exp(rng.normal(0, 0.09))
    shear = rng.normal(0, 0.05)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = zoom * turn @ np.array([[stretch, shear], [0, 1 / stretch]])
    shift = rng.uniform(-0.22, 0.22, 2)
    theta = torch.tensor(np.column_stack([matrix, shift]), dtype=torch.float32)[None]
    grid = functional.affine_grid(theta, [1, 1, GRID_PX, GRID_PX], align_corners=False)
    bend = torch.tensor(rng.normal(0, 1, (1, 2, 6, 6)) * rng.uniform(0, 0.05), dtype=torch.float32)
    bend = functional.interpolate(bend, GRID_PX, mode="bicubic", align_corners=False)
    grid = grid + bend.permute(0, 2, 3, 1)
    padding = "zeros" if rng.random() < 0.7 else "border"
    seen = functional.grid_sample(
        torch.tensor(np.ascontiguousarray(image))[None, None], grid,
        padding_mode=padding, align_corners=False,
    )  # fmt: skip
    told = functional.grid_sample(
        torch.tensor(np.ascontiguousarray(labels), dtype=torch.float32)[None, None], grid,
        mode="nearest", padding_mode="zeros", align_corners=False,
    )  # fmt: skip
    return np.asarray(seen[0, 0]), np.asarray(told[0, 0]).astype(np.uint8)


def _swapped(labels: np.ndarray) -> np.ndarray:
    made: np.ndarray = np.choose(np.minimum(labels, 3), [0, 2, 1, UNKNOWN]).astype(np.uint8)
    return made


def _effusion(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fill the foot of one lung with fluid, higher at the side; what it hides is no lung field."""
    lung = int(rng.integers(1, 3))
    rows, columns = np.nonzero(labels == lung)
    if len(rows) < 500:
        return image, labels
    top, bottom = rows.min(), rows.max()
    level = bottom - rng.uniform(0.08, 0.45) * (bottom - top)
    y, x = np.mgrid[:GRID_PX, :GRID_PX]
    outward = (x - columns.mean()) * (-1 if lung == 1 else 1) / max(np.ptp(columns), 1)
    surface = level - rng.uniform(0, 30) * np.clip(outward + 0.1, 0, None) ** 2 * 4
    depth = np.clip((y - surface) / rng.uniform(4, 14), 0, 1)
    near = ndimage.gaussian_filter((labels == lung).astype(np.float32), 1.5)
    bright = np.percentile(image, rng.uniform(75, 95))
    weight = depth * near * rng.uniform(0.75, 1.0)
    filled = image * (1 - weight) + np.maximum(bright, image) * weight
    return filled, np.where((labels == lung) & (depth > 0.6), 0, labels).astype(np.uint8)


def _shadows(image: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Breasts, infiltrates and dense or clear regions: soft ellipses, lungs' labels unchanged."""
    y, x = np.mgrid[:GRID_PX, :GRID_PX]
    rows, columns = np.nonzero(lungs)
    for _ in range(int(rng.integers(1, 5))):
        if len(rows) and rng.random() < 0.8:
            spot = int(rng.integers(len(rows)))
            row, column = rows[spot], columns[spot]
        else:
            row, column = rng.uniform(0, GRID_PX, 2)
        size, ratio = rng.uniform(8, 60), np.exp(rng.normal(0, 0.3))
        radius = np.hypot((x - column) / (size * ratio), (y - row) / (size / ratio))
        edge = rng.uniform(0.05, 0.6)
        disc = np.clip((1 + edge / 2 - radius) / edge, 0, 1)
        image = image + disc * rng.uniform(-0.08, 0.22)
    return image.astype(np.float32)


def _grey(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another curve of the film, an uneven field, another local contrast."""
    if rng.random() < 0.4:  # local contrast, as enhanced or energy-normalised films have it
        base = ndimage.gaussian_filter(image, rng.uniform(10, 40))
        image = rng.uniform(0.2, 1.1) * base + rng.uniform(0.7, 2.2) * (image - base)
    if rng.random() < 0.5:
        field = ndimage.zoom(rng.normal(0, 1, (4, 4)), GRID_PX / 4, order=3, mode="nearest")
        image = image + rng.uniform(0, 0.12) * field
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    image = image ** np.exp(rng.normal(0, 0.4))
    if rng.random() < 0.3:  # burnt out or under-exposed
        low, high = rng.uniform(-0.05, 0.15), rng.uniform(0.7, 1.05)
        image = np.clip((image - low) / (high - low), 0, 1)
    return image.astype(np.float32)


def _devices(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wires, tubes, plates, electrodes and letters, brighter than what is under them."""
    layer = Image.new("L", (GRID_PX, GRID_PX))
    pen = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(1, 6))):
        kind, tone = rng.random(), int(rng.uniform(60, 255))
        x, y = rng.uniform(0, GRID_PX, 2)
        if kind < 0.55:  # a wire or tube that wanders
            heading, points = rng.uniform(0, 2 * np.pi), [(x, y)]
            for _ in range(int(rng.integers(4, 25))):
                heading += rng.normal(0, 0.3)
                last = points[-1]
                points.append((last[0] + 9 * np.cos(heading), last[1] + 9 * np.sin(heading)))
            pen.line(points, fill=tone, width=int(rng.integers(1, 4)), joint="curve")
        elif kind < 0.75:
            radius = rng.uniform(2, 6)
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tone)
        elif kind < 0.9:
            side = rng.uniform(8, 24, 2)
            pen.rounded_rectangle((x, y, x + side[0], y + side[1]), 5, fill=tone)
        else:
            pen.text((x, y), str(rng.choice(["L", "R", "PORTABLE", "AP 30"])), fill=255)
    over = ndimage.gaussian_filter(np.asarray(layer, np.float32) / 255, rng.uniform(0.3, 1.0))
    made: np.ndarray = np.maximum(image, image + over * rng.uniform(0.3, 1.0))
    return made


def _sharpness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, rng.uniform(0.2, 2.0))
    made: np.ndarray = image + rng.uniform(0, 0.04) * rng.standard_normal(image.shape).astype(
        np.float32
    )
    return made


def _framed(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Blank what a collimator or a crop leaves outside, on one to four sides."""
    cut = (rng.uniform(0, 0.16, 4) * (rng.random(4) < 0.5) * GRID_PX).astype(int)
    shown = np.zeros(labels.shape, bool)
    shown[cut[0] : GRID_PX - cut[1], cut[2] : GRID_PX - cut[3]] = True
    blank = image.min() if rng.random() < 0.8 else image.max()
    return np.where(shown, image, blank), np.where(shown, labels, 0).astype(np.uint8)
