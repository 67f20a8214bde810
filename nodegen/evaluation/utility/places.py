"""Where nodules are drawn: the same places for every arm."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.cache import content_hash
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.io.box_tables import BoxTable
from nodegen.io.boxes import Box, fit_boxes

TABLE_PX = 1024  # side of the images that the table of places is about: NODE21's
TRIES = 2000  # of a radiograph; 24 places are found in a lung field by a few hundred
GAP_PX = 4  # between boxes
PADDING = 0.02  # largest part of a box that may lie on the padding, whose grey level is the least


def boxes_of(tables: Sequence[BoxTable], sizes_px: tuple[float, float]) -> np.ndarray:
    """Boxes of a size that counts, (box, 4): x, y, width, height, px of ``TABLE_PX`` squared."""
    images = [image for table in tables for image in table.images]
    every = [box for image in images for box in image.scaled(TABLE_PX, TABLE_PX)]
    boxes = np.reshape([(box.x, box.y, box.width, box.height) for box in every], (-1, 4))
    larger = boxes[:, 2:].max(axis=1)
    found = boxes[(larger >= sizes_px[0]) & (larger <= sizes_px[1])]
    if not len(found):
        raise UtilityError(
            f"The table of places holds no box of {sizes_px[0]:g} to {sizes_px[1]:g} px; give one "
            "with boxes of that size."
        )
    return np.asarray(found)


def place_all(
    radiographs: Sequence[BoxedRadiograph], source: np.ndarray, nodules: int, seed: int
) -> list[BoxedRadiograph]:
    """Draw places of nodules into radiographs, from what :func:`boxes_of` gives.

    They keep away from boxes that are there; of ``nodules`` as many are drawn as find room. They
    depend on the seed and the radiograph's name alone.
    """
    return [
        replace(one, nodules=(*one.nodules, *_draw(one, source, nodules, seed)))
        for one in radiographs
    ]


def _draw(one: BoxedRadiograph, source: np.ndarray, count: int, seed: int) -> list[Box]:
    """Boxes that keep away from those that are there, from each other and from the padding."""
    rng = np.random.default_rng(int(content_hash("places", one.name, seed), 16))
    pixels = one.load()
    padding, (rows, columns) = pixels == pixels.min(), pixels.shape
    scale = np.array([columns, rows, columns, rows]) / TABLE_PX
    found: list[Box] = []
    for number in rng.integers(len(source), size=TRIES):
        x, y, width, height = (int(v) for v in source[number] * scale)
        if min(x, y) < 0 or x + width > columns or y + height > rows:
            continue
        box = fit_boxes([Box(0, x, y, x + width, y + height)], (1, rows, columns))[0]
        on_body = padding[box.top : box.bottom, box.left : box.right].mean() <= PADDING
        others = (*one.nodules, *one.ignored, *found)
        if on_body and all(box.gap(other) >= GAP_PX for other in others):
            found.append(box)
        if len(found) == count:
            break
    return found
