"""Simulated chest radiographs with boxes, made by calculation: no patient's data is in them.

The path of a pixel is :mod:`nodegen.phantom.render`. Lengths, densities and curves were set by eye,
by how the chest looks beside real radiographs, but for the grey scale and the boxes, which say what
they were fitted to.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nodegen.io.boxes import BOXES, write_boxes
from nodegen.io.files import claim
from nodegen.io.image import SIMULATED, Geometry, Mark
from nodegen.io.stack import StackWriter
from nodegen.phantom.anatomy import SIDE, draw_anatomy
from nodegen.phantom.box_places import draw_boxes
from nodegen.phantom.render import radiograph
from nodegen.workers import track

IMAGE_NAME = "phantom.mha"
ONES = (1.0, 1.0, 1.0)
GEOMETRY = Geometry(ONES, ONES, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), 3)  # the organisers'


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
        with StackWriter(staged[image], *form) as writer:
            for index in track(range(slices), slices, "simulating", "slice", progress):
                patient, places = np.random.SeedSequence([seed, index]).spawn(2)
                anatomy = draw_anatomy(np.random.default_rng(patient))
                writer.write(radiograph(anatomy))
                boxes += draw_boxes(anatomy, index, np.random.default_rng(places))
        numbered = [replace(box, index=i) for i, box in enumerate(boxes)]
        write_boxes(staged[output / BOXES], numbered)
    return image
