"""What is measured of one nodule, on its image alone: real nodules have no image without them."""

from dataclasses import dataclass

import numpy as np

from nodegen.evaluation.fidelity.margin import (
    edge_of,
    find_outline,
    gradient_rms_of,
    margin_of,
    shape_of,
)
from nodegen.evaluation.fidelity.nodule_crop import NoduleCrop, contrast_of, half_height_of
from nodegen.evaluation.fidelity.texture import texture_of
from nodegen.io.boxes import Box


@dataclass(frozen=True)
class Measure:
    """How a measure is shown: what it says, its unit, digits behind the point."""

    sentence: str
    unit: str = ""
    digits: int = 2


MEASURES = {
    "contrast": Measure(
        "How much brighter than its surround the middle of the nodule is.", "grey levels", 0
    ),
    "contrast_to_noise": Measure(
        "Contrast against the anatomy around it: below 0.5 hardly to be seen, above 2 obvious.",
        "standard deviations",
    ),
    "half_height": Measure(
        "How far from the centre the nodule has lost half of its brightness; 1 is at the box's "
        "sides. A flat disc that fills its box has nearly 1, a pointed one about 0.5.",
        "half sides",
    ),
    "radius": Measure(
        "How much of its box the nodule's outline fills; 1 touches the box's sides.", "half sides"
    ),
    "edge_width": Measure(
        "Over how many pixels the margin falls from nine tenths of its height to one tenth.",
        "px",
        1,
    ),
    "margin_width": Measure(
        "The same in rings around the box's centre: wider where the outline is no ellipse.", "px", 1
    ),
    "edge_step": Measure(
        "How much brighter the nodule is just inside its margin than just outside.",
        "grey levels",
        0,
    ),
    "sharpness": Measure("How steeply the margin falls.", "grey levels / px", 0),
    "conspicuity": Measure(
        "Steepness of the margin against that of ribs, vessels and noise around; about 1, the "
        "margin is lost among them.",
        "gradients of the surround",
    ),
    "elongation": Measure("Longer over shorter diameter; 1 is round."),
    "irregularity": Measure(
        "How far the outline strays from an ellipse, as a part of the radius: 0.03 smooth, 0.1 "
        "ragged.",
        "radii",
    ),
    "lobulation": Measure("The same by three to six lobes alone.", "radii"),
    "offset": Measure(
        "How far the outline's centre lies from that of its box; 0 is exactly in the middle.",
        "sides",
    ),
    "texture_inside": Measure(
        "Fine structure (1 to 3 px) inside the nodule against that around it; 1 is alike.",
        "inside / surround",
    ),
    "texture_rim": Measure("The same along the nodule's margin.", "rim / surround"),
    "grain_inside": Measure(
        "The radiograph's finest noise inside the nodule against that around it; far below 1, the "
        "nodule looks wiped.",
        "inside / surround",
    ),
    "grain_rim": Measure("The same along the nodule's margin.", "rim / surround"),
}
GRAIN = ("grain_inside", "grain_rim")
# Measured against the box: of a nodule whose loose box was tightened they say nothing.
OF_BOX = ("half_height", "radius", "offset")
SIZES_PX = (45, 65)  # thirds of NODE21's 1,476 boxes, by side: below, between, from there on
SIZE_NAMES = ("small", "medium", "large")


def measure_nodule(crop: NoduleCrop) -> dict[str, float]:
    """All of ``MEASURES``, finite, of one box, by its crop out of grey levels of 0..4095."""
    profile, outline = crop.profile, find_outline(crop)
    edge, contrast = edge_of(outline, crop), contrast_of(profile)
    measured = {
        "contrast": contrast,
        "contrast_to_noise": contrast / crop.deviation,
        "half_height": half_height_of(profile),
        "margin_width": margin_of(crop),
        "conspicuity": edge["sharpness"] / gradient_rms_of(crop),
        **edge,
        **shape_of(outline, crop),
        **texture_of(outline, crop),
    }
    return {name: measured[name] for name in MEASURES}


def title_of(name: str) -> str:
    """A measure's name as it is read."""
    return name.replace("_", " ").capitalize()


def side_of(box: Box) -> float:
    """Of the square with a box's area, px."""
    return float(np.sqrt(box.width * box.height))


def size_class(side: float) -> str:
    """Name the third of NODE21's boxes that a side (px) belongs to."""
    return SIZE_NAMES[int(np.searchsorted(SIZES_PX, side, side="right"))]
