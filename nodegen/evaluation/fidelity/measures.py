"""What is measured of one nodule, on its image alone: real nodules have no image without them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nodegen.evaluation.fidelity.crop import crop_around
from nodegen.evaluation.fidelity.edge import edge_of, gradient_rms_of, margin_of
from nodegen.evaluation.fidelity.outline import find_outline, shape_of
from nodegen.evaluation.fidelity.profile import (
    contrast_of,
    deviation_of,
    half_height_of,
    ring_profile,
)
from nodegen.evaluation.fidelity.texture import texture_of
from nodegen.io.boxes import Box

MEASURES = {  # name: unit
    "contrast": "grey levels",
    "contrast_to_noise": "standard deviations",
    "half_height": "half sides",
    "radius": "half sides",
    "edge_width": "px",
    "margin_width": "px",
    "edge_step": "grey levels",
    "sharpness": "grey levels / px",
    "conspicuity": "gradients of the surround",
    "elongation": "",
    "irregularity": "radii",
    "lobulation": "radii",
    "offset": "sides",
    "texture_inside": "inside / surround",
    "texture_rim": "rim / surround",
    "grain_inside": "inside / surround",
    "grain_rim": "rim / surround",
}
GRAIN = ("grain_inside", "grain_rim")
# Measured against the box: of a nodule whose loose box was tightened they say nothing.
OF_BOX = ("half_height", "radius", "offset")
SIZES_PX = (45, 65)  # thirds of NODE21's 1,476 boxes, by side: below, between, from there on
SIZE_NAMES = ("small", "medium", "large")


def measure_nodule(image: np.ndarray, box: Box) -> dict[str, float]:
    """All measures of one box.

    Parameters
    ----------
    image : ndarray, shape (row, column)
        The slice with its nodule, in grey levels of 0..4095.
    box : Box
        Of the nodule, in px of the slice.

    Returns
    -------
    dict
        The keys of ``MEASURES``, all finite.

    Examples
    --------
    >>> import numpy as np
    >>> from nodegen import Box
    >>> rows, columns = np.indices((200, 200)) + 0.5
    >>> away = np.hypot(rows - 100, columns - 100)
    >>> disc = 1000 + 300 / (1 + np.exp((away - 24) / 1.5))  # radius 24 px, soft edge
    >>> measured = measure_nodule(disc, Box(0, 70, 70, 130, 130))
    >>> round(measured["contrast"]), round(measured["half_height"], 1), round(measured["radius"], 1)
    (300, 0.8, 0.8)
    """
    return measure_with_profile(image, box)[0]


def measure_with_profile(image: np.ndarray, box: Box) -> tuple[dict[str, float], np.ndarray]:
    """All measures of one box, and its profile in rings."""
    crop = crop_around(image, box)
    profile = ring_profile(crop)
    outline = find_outline(crop)
    edge = edge_of(outline, crop)
    contrast = contrast_of(profile)
    measured = {
        "contrast": contrast,
        "contrast_to_noise": contrast / deviation_of(crop),
        "half_height": half_height_of(profile),
        "edge_width": edge.width,
        "margin_width": margin_of(crop),
        "edge_step": edge.step,
        "sharpness": edge.slope,
        "conspicuity": edge.slope / gradient_rms_of(crop),
        **shape_of(outline, crop),
        **texture_of(outline, crop),
    }
    return {name: measured[name] for name in MEASURES}, profile


def side_of(box: Box) -> float:
    """Of the square with a box's area, px."""
    return float(np.sqrt(box.width * box.height))


def size_class(side: float) -> str:
    """Name the third of NODE21's boxes that a side (px) belongs to."""
    return SIZE_NAMES[int(np.searchsorted(SIZES_PX, side, side="right"))]


def quantiles(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """5th, 50th and 95th percentile of each of the named measures over all rows; NaN of none."""
    table = {}
    for name in names:
        values = [row[name] for row in rows]
        p5, p50, p95 = np.percentile(values, (5, 50, 95)) if values else (np.nan,) * 3
        table[name] = {"p5": float(p5), "p50": float(p50), "p95": float(p95)}
    return table
