"""Simulated chest radiographs with boxes, made by calculation: no patient's data is in them.

The sample is made by it, and the network for lungs learned from it. Lengths, densities and curves
were set by eye, but for the grey scale and the boxes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from nodegen.io.boxes import BOXES, Box, write_boxes
from nodegen.io.files import claim
from nodegen.io.image import SIMULATED, Geometry, Mark
from nodegen.io.stack import stack_writer
from nodegen.workers import track
from research.phantom.anatomy import SIDE, Anatomy
from research.phantom.render import radiograph
from research.phantom.tissue import borders, cage_half_width, domes, frame

IMAGE_NAME = "phantom.mha"
GEOMETRY = replace(Geometry.plain(3), origin=(1.0, 1.0, 1.0))  # the organisers'
# NODE21's 1,476 boxes: larger side 32 / 57 / 109 px at the 5th / 50th / 95th percentile, which a
# lognormal law of this median and spread follows.
SIDE_MEDIAN, SIDE_SPREAD, SIDE_LIMITS = 57.0, 0.372, (20.0, 180.0)
SMALLER_SIDE = (0.8, 1.0)  # over the larger one
COUNTS = (1, 1, 2, 2, 3)  # boxes on a slice, each as likely
HIDDEN = 0.25  # of the boxes lie over heart or diaphragm, where lung is hidden
EDGE = 18  # distance that a box's centre keeps from the ribs, px, besides half of its side


def write_phantom(
    output: Path, slices: int, seed: int, *, progress: bool = True, overwrite: bool = False
) -> Path:
    """Write a stack of simulated radiographs and its boxes, in NODE21's form.

    Parameters
    ----------
    output : pathlib.Path
        Folder that gets ``phantom.mha``, `(slice, row, column)` uint16 of 1024 × 1024 px, 0..4095,
        and ``nodules.json``.
    slices, seed : int
        Number of radiographs; a slice depends on the seed and on its own index alone.
    progress : bool
        Show on standard output how far it is.
    overwrite : bool
        Replace a stack and boxes that are there.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds a result already.
    """
    boxes, image = [], output / IMAGE_NAME
    mark = Mark("Simulated radiograph", SIMULATED)
    form = GEOMETRY, (slices, SIDE, SIDE), np.dtype(np.uint16), mark
    with claim(image, output / BOXES, overwrite=overwrite) as staged:
        with stack_writer(staged[image], *form) as write:
            for index in track(range(slices), slices, "simulating", "slice", progress):
                patient, places = np.random.SeedSequence([seed, index]).spawn(2)
                anatomy = Anatomy(np.random.default_rng(patient))
                write(radiograph(anatomy))
                boxes += draw_boxes(anatomy, index, np.random.default_rng(places))
        numbered = [replace(box, index=i) for i, box in enumerate(boxes)]
        write_boxes(staged[output / BOXES], numbered)
    return image


def _regions(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Masks `(row, column)` of the lungs seen free, and of lung behind heart and diaphragm."""
    at = frame(anatomy)
    apex, width = at.both(anatomy.apex), at.both(anatomy.half_width)
    cage = cage_half_width(at.y, apex, width, anatomy.cage_bottom)
    right, left = borders(anatomy)
    row = at.y[:, :1].astype(int)
    shown = np.zeros((SIDE, SIDE), bool)
    shown[: SIDE - anatomy.margin[1], : SIDE - anatomy.margin[0]] = True
    thorax = shown & (np.abs(at.x) < cage) & (at.y > apex + 30)
    below = at.y - domes(anatomy, at)
    beside = np.maximum(at.x - left[row], -at.x - right[row])
    free = thorax & (below < 0) & (beside > 0)
    heart = thorax & (below < 0) & (beside < -12) & (beside > -110) & (at.y > 560)
    recess = thorax & (below > 12) & (below < 80) & (np.abs(at.x) > 150)
    return free, heart | recess


def draw_boxes(anatomy: Anatomy, index: int, rng: np.random.Generator) -> list[Box]:
    """Draw the one to three boxes of slice ``index``, apart from each other; their index is 0."""
    free, hidden = _regions(anatomy)
    boxes: list[Box] = []
    for _ in range(int(rng.choice(COUNTS))):
        region = hidden if rng.random() < HIDDEN else free
        larger = float(np.clip(SIDE_MEDIAN * np.exp(SIDE_SPREAD * rng.normal()), *SIDE_LIMITS))
        sides = [round(larger), round(larger * rng.uniform(*SMALLER_SIDE))]
        width, height = rng.permutation(sides).tolist()
        room = region.copy()
        for box in boxes:
            room[
                max(box.top - height - 8, 0) : box.bottom + height + 8,
                max(box.left - width - 8, 0) : box.right + width + 8,
            ] = False
        room[: height // 2 + 1] = room[SIDE - anatomy.margin[1] - height :] = False
        room[:, : width // 2 + 1] = room[:, SIDE - anatomy.margin[0] - width :] = False
        inside = ndimage.distance_transform_edt(free | hidden)
        room &= inside > min(larger / 2 + EDGE, 0.8 * inside[room].max(initial=0))
        spots = np.flatnonzero(room)
        if not len(spots):
            continue
        row, column = divmod(int(rng.choice(spots)), SIDE)
        left, top = column - width // 2, row - height // 2
        boxes.append(Box(index, left, top, left + width, top + height, 0))
    return boxes
