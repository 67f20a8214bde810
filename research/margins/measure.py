"""Margins: how far beyond the mask each scale must compute, measured on trained weights.

The generators' theoretical reach adds up to a window that is hardly smaller than the crop; their
effective reach is far shorter. The margins are the smallest with which the result, after the
add-back, stays within a quarter of one grey level of 255 of what the same scales give where each
computes the whole crop, on many cases, with room to spare for cases that were not tried.
"""

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodegen.cascade.cascade import INDEX, Cascade, read_index
from nodegen.constants import CROP_PX, HALF_WIDTH_PX, SCALES
from nodegen.io.boxes import Recipe
from nodegen.io.files import write_text
from nodegen.synthesis.contribution import FittedNodule
from nodegen.synthesis.harmonise import Harmonise, harmonisation_mask
from nodegen.training.card import write_page
from nodegen.workers import track

BOUND = 0.002  # of the -1..1 scale: a quarter of one grey level of 255
ROOM = 0.6  # part of the bound that the measured cases may use


@dataclass(frozen=True)
class Case:
    """One box: the crop (row, column) in 0..1, the nodule where it lies in it, and the recipe."""

    crop: np.ndarray
    nodule: FittedNodule
    recipe: Recipe


def windowing_error(cascade: Cascade, case: Case, truth: np.ndarray | None = None) -> float:
    """Largest difference that the default windows make after the add-back, on the -1..1 scale."""
    weight = 2 * case.recipe.weight * harmonisation_mask(case.nodule)
    truth = full_change(cascade, case) if truth is None else truth
    made = _change(cascade, case)
    return float(np.abs(weight * (made - truth)).max())


def full_change(cascade: Cascade, case: Case) -> np.ndarray:
    """What the same scales make of the nodule where each computes the whole crop, in 0..1."""
    return _change(whole(cascade), case)


def whole(cascade: Cascade) -> Cascade:
    """Return the cascade with default windows that are the whole crop at each scale."""
    other = copy(cascade)
    other.margins = (CROP_PX,) * SCALES
    return other


def _change(cascade: Cascade, case: Case) -> np.ndarray:
    blend = Harmonise({case.recipe.signal: cascade})
    images = np.stack([case.nodule.pasted(case.crop), case.crop])
    return blend.changed(images, case.nodule.reach, case.recipe)


def measure_margins(
    cascade: Cascade, cases: Sequence[Case], progress: bool = True
) -> tuple[tuple[int, ...], float]:
    """Find the least margins for ``cases``; those of the cascade are replaced.

    Returns
    -------
    margins : tuple of int
        At each scale, px.
    error : float
        The largest error with them, on the -1..1 scale.
    """
    steps = track(cases, len(cases), "full computation", "case", progress)
    truths = [full_change(cascade, case) for case in steps]

    order = list(range(len(cases)))  # hardest first, once it is known

    def worst(margins: tuple[int, ...]) -> float:
        cascade.margins = margins
        error = 0.0
        for k in order:
            here = windowing_error(cascade, cases[k], truths[k])
            error = max(error, here)
            if error > ROOM * BOUND:
                order.remove(k)
                order.insert(0, k)
                break
        return error

    least = next(
        (m for m in range(HALF_WIDTH_PX * 2) if worst((m,) * SCALES) <= ROOM * BOUND),
        HALF_WIDTH_PX * 2,
    )
    margins = (least,) * SCALES
    # The finest scales cost most: try each without its margin, from the top, then with less of it.
    for n in track(reversed(range(SCALES)), SCALES, "margins", "scale", progress):
        for less in range(margins[n]):
            tried = (*margins[:n], less, *margins[n + 1 :])
            if worst(tried) <= ROOM * BOUND:
                margins = tried
                break
    return margins, worst(margins)


def store_margins(folder: Path, margins: tuple[int, ...], error: float, cases: int) -> None:
    """Write measured margins into the cascade's ``cascade.json``."""
    index = read_index(folder)
    del index["sha256"]
    index["margins"] = list(margins)
    index["card"]["margins"] = {"cases": cases, "bound": BOUND, "largest_error": round(error, 6)}
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    write_page(folder)
