"""Where nodules are drawn, and where there are none: drawn once, the same for every arm."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.store import content_hash
from nodegen.evaluation.utility.tables import XYWH, Table
from nodegen.io.boxes import Box, fit_boxes

TABLE_PX = 1024  # side of the images that the table of places is about: NODE21's
TRIES = 4000  # of a radiograph; in a lung field they find about 14 nodules' places
GAP_PX = 4  # between a place without and any box
PADDING = 0.02  # largest part of a box that may lie on the padding, whose grey level is the least
Rule = Callable[[Box, Box], bool]


def boxes_of(table: Table, sizes_px: tuple[float, float]) -> list[XYWH]:
    """The boxes of a table from which places are drawn: those of a size that counts."""
    found = [
        box
        for boxes in table.values()
        for box in boxes
        if sizes_px[0] <= max(box[2:]) <= sizes_px[1]
    ]
    if not found:
        raise UtilityError(
            f"The table of places holds no box of {sizes_px[0]:g} to {sizes_px[1]:g} px; give one "
            "with boxes of that size."
        )
    return found


def place_all(
    radiographs: Sequence[Radiograph],
    source: Sequence[XYWH],
    nodules: int,
    without: int,
    seed: int,
) -> list[Radiograph]:
    """Draw places into radiographs: for nodules, where they have none yet, and without.

    Parameters
    ----------
    source : list of (x, y, width, height)
        px of a square of ``TABLE_PX``: what is drawn from.
    nodules, without : int
        In each radiograph at most; as many as find room.
    seed : int
        Of the draw; a radiograph's own places depend on it and on the radiograph's name alone.
    """
    return [_placed(one, source, nodules, without, seed) for one in radiographs]


def _placed(
    one: Radiograph, source: Sequence[XYWH], nodules: int, without: int, seed: int
) -> Radiograph:
    rng = np.random.default_rng(int(content_hash("places", one.name, seed), 16))
    pixels = one.load()
    padding = pixels == pixels.min()
    taken = list(one.nodules + one.ignored)
    own = one.nodules or tuple(_draw(rng, padding, source, nodules, taken, apart, apart))
    places = _draw(rng, padding, source, without, [*taken, *own], disjoint, disjoint)
    return replace(one, nodules=own, places=tuple(places))


def _draw(
    rng: np.random.Generator,
    padding: np.ndarray,
    source: Sequence[XYWH],
    count: int,
    taken: Sequence[Box],
    rule: Rule,
    among: Rule,
) -> list[Box]:
    """Boxes that keep ``rule`` towards those taken and ``among`` towards each other."""
    rows, columns = padding.shape
    scale = np.array([columns, rows, columns, rows]) / TABLE_PX
    found: list[Box] = []
    for _ in range(TRIES if count else 0):
        x, y, width, height = (int(v) for v in source[int(rng.integers(len(source)))] * scale)
        if x < 0 or y < 0 or x + width > columns or y + height > rows:
            continue
        box = fit_boxes([Box(0, x, y, x + width, y + height)], (1, rows, columns))[0]
        if padding[box.top : box.bottom, box.left : box.right].mean() > PADDING:
            continue
        if all(rule(box, b) for b in taken) and all(among(box, b) for b in found):
            found.append(box)
        if len(found) == count:
            break
    return found


def disjoint(a: Box, b: Box) -> bool:
    """Whether two boxes have a gap between them."""
    return (
        a.right + GAP_PX <= b.left
        or b.right + GAP_PX <= a.left
        or a.bottom + GAP_PX <= b.top
        or b.bottom + GAP_PX <= a.top
    )


def apart(a: Box, b: Box) -> bool:
    """Whether neither box reaches the middle of the other's surround, twice its size."""
    sides = [max(box.width, box.height) for box in (a, b)]
    (ax, ay), (bx, by) = a.centre, b.centre
    return max(abs(ax - bx), abs(ay - by)) > sum(sides) / 2 + max(sides) / 2
