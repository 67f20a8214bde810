"""The judge's verdict on one or several stacks with nodules."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic_core import to_jsonable_python

from nodegen.errors import StackError
from nodegen.evaluation.boxed_images import known_spacing
from nodegen.evaluation.fidelity import before_after
from nodegen.evaluation.fidelity.comparison import Comparison, compare_with, quantiles
from nodegen.evaluation.fidelity.grey_levels import grey_levels_of_pair
from nodegen.evaluation.fidelity.ground import ground_of, lungs_of
from nodegen.evaluation.fidelity.nodule_crop import crop_around
from nodegen.evaluation.fidelity.nodule_measures import MEASURES, Measure, measure_nodule, side_of
from nodegen.evaluation.fidelity.reference import Reference, digest_of
from nodegen.evaluation.statistics import auc_error
from nodegen.io.boxes import Box, read_boxes
from nodegen.io.stack import read_stack
from nodegen.lungs.fields import Lungs

JUDGED = {  # all that is measured of a box
    **MEASURES,
    "grain": Measure(
        "The radiograph's finest noise at the nodule, after over before; 1 is untouched.",
        "after / before",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What the judge found."""

    boxes: int  # how many were judged
    measures: dict[str, dict[str, float]]  # p5, p50, p95 of each in JUDGED; NaN without boxes
    detectability: float  # AUC from fine grain alone; NaN for fewer than ten places
    detectability_error: float  # its standard error, were nothing to detect
    far: float  # largest change far from any box, grey levels of 0..4095
    comparison: Comparison | None  # with the reference; None without boxes
    # Of every box all in JUDGED, its profile, its radiograph's digest, its ground, where it lies.
    rows: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON; NaN becomes null."""
        content: dict[str, Any] = to_jsonable_python(self, inf_nan_mode="null")
        return content


@dataclass(frozen=True)
class StackPair:
    """The same stack before and after, and its boxes."""

    before: np.ndarray  # (slice, row, column), grey levels of 0..4095
    after: np.ndarray
    boxes: list[Box]
    spacing: tuple[float, float] | None = None  # x and y, mm; None where the file says none, or 1
    right: str = "left"  # or "right": where the patient's right is shown, by the file's direction

    @cached_property
    def lungs(self) -> dict[int, Lungs | None]:
        """The lung fields of each slice that has a box; None where no two are found."""
        return {number: lungs_of(self.before[number]) for number in {b.slice for b in self.boxes}}


class Judge:
    """Measures pairs one by one, keeping only the figures; without a reference, by the shipped."""

    def __init__(self, reference: Reference | None = None):
        self.reference = reference or Reference.load()
        self._pairs = 0
        self._rows: list[dict[str, Any]] = []
        self._features: list[tuple[np.ndarray, np.ndarray]] = []  # untouched and treated
        self._places: list[before_after.Place] = []
        self._far = 0.0

    def add(self, pair: StackPair) -> list[dict[str, Any]]:
        """Measure a pair; its rows, in the order of its boxes."""
        rows: dict[int, dict[str, Any]] = {}
        for number, (before, after) in enumerate(zip(pair.before, pair.after, strict=True)):
            here = {i: box for i, box in enumerate(pair.boxes) if box.slice == number}
            far = before_after.far_change(before, after, here.values())
            self._far = max(self._far, far)
            # The same radiograph, treated several times or given under two names, is one: its
            # places never lie in training and in test at once.
            digest = digest_of(before) if here else ""
            for i, box in here.items():
                crop = crop_around(after, box)
                crops = before_after.crops_of(before, after, box)
                rows[i] = {
                    "pair": self._pairs,
                    "index": box.index,
                    "slice": box.slice,
                    "radiograph": digest,
                    "ground": ground_of(pair.lungs[number], before, box),
                    "side": box.side,
                    "size_px": side_of(box),
                    **measure_nodule(crop),
                    "grain": before_after.grain_of(crops),
                    "profile": crop.profile.tolist(),
                }
                self._features.append(before_after.features_of(crops))
                self._places.append((digest, *box.edges))
        found = [rows[i] for i in range(len(pair.boxes))]
        self._rows += found
        self._pairs += 1
        return found

    def verdict(self) -> Verdict:
        """Judge all that was added."""
        comparison, found = None, float("nan")
        if self._rows:
            untouched, treated = map(np.array, zip(*self._features, strict=True))
            found = before_after.detectability(untouched, treated, self._places)
            comparison = compare_with(self.reference, self._rows)
        boxes, measures = len(self._rows), pd.DataFrame(self._rows, columns=[*JUDGED])
        error = auc_error(boxes, boxes)
        return Verdict(boxes, quantiles(measures), found, error, self._far, comparison, self._rows)


def judge(pairs: Iterable[StackPair], reference: Reference | None = None) -> Verdict:
    """Judge all boxes of all pairs together, as :class:`Judge` does, holding one pair at a time."""
    at_work = Judge(reference)
    for pair in pairs:
        at_work.add(pair)
    return at_work.verdict()


def read_pair(before: Path, after: Path, boxes: Path) -> StackPair:
    """Read a pair and bring both to grey levels of 0..4095.

    Raises
    ------
    StackError, BoxesError
        Where the two have different shapes, one cannot be read, or the boxes do not fit.
    """
    old, new = read_stack(before), read_stack(after)
    if old.pixels.shape != new.pixels.shape:
        raise StackError(
            f"{before} has the shape {old.pixels.shape} and {after} {new.pixels.shape} (slice, "
            "row, column), where the same is wanted; give the two stacks of one run."
        )
    levels = grey_levels_of_pair(old.pixels, new.pixels)
    right = "right" if old.geometry.direction[0] < 0 else "left"
    return StackPair(*levels, read_boxes(boxes, old.pixels.shape), known_spacing(old), right)
