"""Loose boxes: the outline of a nodule inside a box that was drawn wide around it.

Boxes of some annotators are twice as large as what is seen in them. An outline is sought from many
centres and at several sizes, and taken only where it is certain: where it falls off in four of five
directions by more than what the same search finds at places without a nodule.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nodegen.evaluation.fidelity.margin import find_outline
from nodegen.evaluation.fidelity.nodule_crop import RAYS, crop_around
from nodegen.io.boxes import Box

DIAMETERS = (0.36, 0.45, 0.56, 0.70, 0.88)  # tried, in sides of the loose box
LEAST_PX = 10  # diameters below it are not tried
OFF_CENTRE = 0.2  # in sides: as far from the box's centre lies the nodule's at most
PER_AXIS = 7  # centres tried, at most
BEYOND = 0.05  # in sides: as far may the outline leave the loose box
OUTLINE = 0.8  # radius of the outline that is sought, in half sides of the box that is tried
SECTORS = 16
INNER, OUTER = np.linspace(0.55, 0.95, 7), np.linspace(1.1, 1.45, 7)  # in radii of the outline
QUANTILE = 20  # of the sectors' falls: four in five fall by more
# The 95th percentile of the score at 150 places in the lungs of 45 NIH radiographs, off their
# nodules, in boxes of the same sizes. Of 33 boxes by NIH's radiologists 27 are above, of 75 of one
# annotator 43.
CERTAIN = 0.775
# Half the extent of the outline over the half sides of tight boxes, geometric mean of both axes:
# the median of 26 nodules in boxes of NODE21 and of ChestX-Det.
TIGHT = 0.837
LEAST_SIDE_PX = 14  # a tightened box that is smaller holds no nodule


def tighten(
    pixels: np.ndarray, boxes: Sequence[Box], sources: Sequence[str], loose: Sequence[str]
) -> Iterator[tuple[Box, str, bool]]:
    """Tighten the loose boxes of a radiograph.

    Parameters
    ----------
    pixels : ndarray, shape (row, column)
        Grey levels of 0..4095.
    boxes : list of Box
        Of its nodules.
    sources : list of str
        The annotation source of each.
    loose : list of str
        The sources whose boxes are loose.

    Yields
    ------
    box : Box
    source : str
        Its annotation source.
    tightened : bool
        A loose box is left out where no outline is certain, or where its nodule has a tight box.
    """
    tight = [box for box, source in zip(boxes, sources, strict=True) if source not in loose]
    for box, source in zip(boxes, sources, strict=True):
        if source not in loose:
            yield box, source, False
        elif not any(_contains(box, other) for other in tight):
            found = tightened(pixels, box)
            if found:
                yield found, source, True


def _contains(box: Box, other: Box) -> bool:
    x, y = other.centre
    return box.left <= x <= box.right and box.top <= y <= box.bottom


def tightened(pixels: np.ndarray, loose: Box) -> Box | None:
    """The box that a tight annotator would have drawn; None where no outline is certain.

    Parameters
    ----------
    pixels : ndarray, shape (row, column)
        Grey levels of 0..4095.
    loose : Box
        The annotator's.
    """
    found = max(_outlines(pixels, loose), key=lambda one: one[0], default=None)
    if found is None or found[0] < CERTAIN:
        return None
    _, x, y = found
    half = [max(float(np.ptp(values)) / 2 / TIGHT, 0.5) for values in (x, y)]
    middle = [(float(values.min()) + float(values.max())) / 2 for values in (x, y)]
    left, top = (round(m - h) for m, h in zip(middle, half, strict=True))
    right, bottom = (round(m + h) for m, h in zip(middle, half, strict=True))
    if min(right - left, bottom - top) < LEAST_SIDE_PX:
        return None
    return Box(loose.slice, left, top, right, bottom, loose.index)


def _outlines(pixels: np.ndarray, loose: Box) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Score, x and y (px) of every outline that lies inside the loose box."""
    x, y = loose.centre
    side = math.sqrt(loose.width * loose.height)
    slack = BEYOND * side
    for box, diameter in _tried(loose, side):
        if min(box.left, box.top) < 2 or box.right > pixels.shape[1] - 2:
            continue
        if box.bottom > pixels.shape[0] - 2:
            continue
        crop = crop_around(pixels, box)
        outline = find_outline(crop)
        centre_x, centre_y = box.centre
        xs = centre_x + crop.halves[1] * outline * np.cos(RAYS)
        ys = centre_y + crop.halves[0] * outline * np.sin(RAYS)
        off = max(
            float(np.abs(xs - x).max()) - loose.width / 2,
            float(np.abs(ys - y).max()) - loose.height / 2,
        )
        if off <= slack:
            inner, outer = (
                crop.along_rays(outline[:, None] * share).mean(1) for share in (INNER, OUTER)
            )
            falls = (inner - outer).reshape(SECTORS, -1).mean(1)
            score = float(np.percentile(falls, QUANTILE)) / crop.deviation
            yield score * math.sqrt(diameter / side), xs, ys


def _tried(loose: Box, side: float) -> Iterator[tuple[Box, float]]:
    """Boxes whose outline may be the nodule's, and the outline's diameter, px."""
    x, y = loose.centre
    for share in DIAMETERS:
        diameter = share * side
        if diameter < LEAST_PX:
            continue
        half = diameter / OUTLINE / 2
        reach = [
            min(OFF_CENTRE * length, max(length / 2 - 0.45 * diameter, 0))
            for length in (loose.width, loose.height)
        ]
        count = min(max(1, math.ceil(2 * max(reach) / (0.25 * diameter))), PER_AXIS)
        steps = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
        for across in steps:
            for down in steps:
                at = x + across * reach[0], y + down * reach[1]
                left, top, right, bottom = (
                    round(value)
                    for value in (at[0] - half, at[1] - half, at[0] + half, at[1] + half)
                )
                yield Box(loose.slice, left, top, right, bottom, loose.index), diameter
