"""Flags: what is noteworthy about a box, and would otherwise pass without a word.

A nodule is drawn into every box all the same; whoever reads the recipes may sort these out.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nodegen.io.boxes import Box
from nodegen.lungs.region import Region
from nodegen.synthesis.recipe import Recipe

OVERLAP = "overlap"  # another box of the slice shares pixels with it
OFF_BODY = "off body"  # half or more of it shows nothing: air, or the margin of zeros
OFF_LUNG = "off lung"  # half or more of it lies off the lungs, and off what hides parts of them
LIMIT = "limit"  # what was asked is more than any nodule shows
WHITE = "white"  # the place is too bright for what was asked
HIDDEN = "hidden"  # visibility below 0.5: as faint as that place shows a nodule, not to be seen
OFF = "off"  # what was got is more than 15 % off what was asked

# Of the slice's own range: what shows nothing. Of 166 boxes in real radiographs in NODE21's form
# none has more than 0.18 of its pixels there, and the darkest one's median is 0.28.
NOTHING = 1 / 255
SHARE = 0.5  # of the box's pixels
# The lungs' region is the convex hull of both (:mod:`nodegen.lungs.region`): NODE21's nodules lie
# behind the heart and under the diaphragm, too. Of 19 boxes of nodules in NODE21's images none has
# any pixel off it; of 110 that one annotator drew in others, 2 have 0.52 and 0.57 there, the next
# 0.41.
SHARE_OFF_LUNG = 0.5  # of the box's pixels

WORDS = {
    OVERLAP: "overlap another box",
    OFF_BODY: "lie off the body",
    OFF_LUNG: "lie off the lungs",
    LIMIT: "ask for more than any nodule shows",
    WHITE: "lie where the radiograph is too bright for what was asked",
    HIDDEN: "are too faint to be seen",
    OFF: "stand out 15 % more or less than asked",
}


def flags_of(box: Box, edges: np.ndarray, slice01: np.ndarray) -> list[str]:
    """The flags of one box.

    Parameters
    ----------
    box : Box
        Its corners are px of the slice.
    edges : ndarray of int, shape (box, 4)
        What :func:`edges_of` gives for all boxes of its slice, itself among them.
    slice01 : ndarray, shape (row, column)
        Its slice, in 0..1 of its own range.
    """
    flags = []
    left, top, right, bottom = edges.T
    shared = (left < box.right) & (right > box.left) & (top < box.bottom) & (bottom > box.top)
    if np.count_nonzero(shared) > 1:  # one is the box itself
        flags.append(OVERLAP)
    inside = slice01[box.top : box.bottom, box.left : box.right]
    if float(np.mean(inside <= NOTHING)) >= SHARE:
        flags.append(OFF_BODY)
    return flags


def with_lungs(recipes: Sequence[Recipe], lungs: Region | None) -> list[Recipe]:
    """The recipes of one slice, with the flag of those whose boxes lie off the lungs.

    Without it where no two lungs are found, and of boxes that lie off the body as it is.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of this slice alone.
    lungs : Region or None
        As :func:`nodegen.lungs.region.find_region` gives it.
    """
    flagged = []
    for recipe in recipes:
        box, flags = recipe.box, [flag for flag in recipe.flags if flag != OFF_LUNG]
        if lungs is not None and OFF_BODY not in flags:
            share = lungs.share_off(box.left, box.top, box.right, box.bottom)
            if share >= SHARE_OFF_LUNG:
                flags.insert(flags.count(OVERLAP), OFF_LUNG)
        flagged.append(replace(recipe, flags=flags))
    return flagged


def edges_of(boxes: Sequence[Box]) -> dict[int, np.ndarray]:
    """Left, top, right and bottom of each slice's boxes: by slice, shape (box, 4)."""
    found: dict[int, list[tuple[int, ...]]] = {}
    for box in boxes:
        found.setdefault(box.slice, []).append((box.left, box.top, box.right, box.bottom))
    return {number: np.array(edges) for number, edges in found.items()}


def notes_of(recipes: Sequence[Recipe]) -> list[str]:
    """A line for each flag that recipes have, naming their boxes."""
    notes = []
    for flag, what in WORDS.items():
        found = sorted(recipe.index for recipe in recipes if flag in recipe.flags)
        listed = ", ".join(map(str, found[:20])) + (" …" if len(found) > 20 else "")
        if found:
            notes.append(f"{len(found)} of {len(recipes)} boxes {what}: {listed}")
    return notes
