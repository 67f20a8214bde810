"""The judge's verdict on one or several stacks with nodules."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nodegen.errors import StackError
from nodegen.evaluation.boxed_images import known_spacing
from nodegen.evaluation.fidelity import before_after
from nodegen.evaluation.fidelity.comparison import Comparison, compare_with, quantiles
from nodegen.evaluation.fidelity.grey_levels import grey_levels_of_pair
from nodegen.evaluation.fidelity.ground import ground_of, lungs_of
from nodegen.evaluation.fidelity.nodule_crop import crop_around
from nodegen.evaluation.fidelity.nodule_measures import JUDGED, measure_nodule, side_of
from nodegen.evaluation.fidelity.reference import Reference, digest_of
from nodegen.evaluation.statistics import auc_error
from nodegen.io.boxes import BOXES, Box, read_boxes
from nodegen.io.stack import find_image, read_stack
from nodegen.lungs.fields import Lungs


@dataclass(frozen=True)
class Verdict:
    """What the judge found."""

    boxes: int  # how many were judged
    measures: dict[str, dict[str, float]]  # p5, p50, p95 of each in JUDGED; NaN without boxes
    detectability: float  # AUC from fine grain alone; NaN for fewer than ten places
    detectability_error: float  # its standard error, were nothing to detect
    far: float  # largest change far from any box, grey levels of 0..4095
    comparison: Comparison  # with the reference
    rows: list[dict[str, Any]]  # of every box what `measure` says


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


class Measured(NamedTuple):
    """The figures of a pair, in the order of its boxes."""

    # Of each box all in JUDGED, its profile, its radiograph's digest, its ground, where it lies.
    rows: list[dict[str, Any]]
    features: list[list[list[float]]]  # of its place untouched, and treated
    far: float  # largest change far from any box, grey levels


def measure(pair: StackPair) -> Measured:
    """Measure every box of a pair."""
    far, rows, features = 0.0, [], []
    for number, (before, after) in enumerate(zip(pair.before, pair.after, strict=True)):
        here = [box for box in pair.boxes if box.slice == number]
        far = max(far, before_after.far_change(before, after, here))
    # The same radiograph, treated several times or given under two names, is one: its places never
    # lie in training and in test at once.
    digests = {number: digest_of(pair.before[number]) for number in pair.lungs}
    for box in pair.boxes:
        before = pair.before[box.slice]
        crop = crop_around(pair.after[box.slice], box)
        untouched = before[crop.window].astype(np.float64)
        features.append([before_after.features_of(p, crop) for p in (untouched, crop.pixels)])
        rows.append(
            {
                "index": box.index,
                "slice": box.slice,
                "box": list(box.edges),
                "radiograph": digests[box.slice],
                "ground": ground_of(pair.lungs[box.slice], before, box),
                "side": box.side,
                "size_px": side_of(box),
                **measure_nodule(crop),
                "grain": before_after.grain_of(untouched, crop.pixels),
                "profile": crop.profile.tolist(),
            }
        )
    return Measured(rows, features, far)


def verdict_on(pairs: Iterable[Measured], reference: Reference | None = None) -> Verdict:
    """Judge all boxes of measured pairs together; without a reference, by the shipped one."""
    measured = list(pairs)
    rows = [{"pair": n, **row} for n, found in enumerate(measured) for row in found.rows]
    features = np.array([pair for found in measured for pair in found.features])
    return Verdict(
        boxes=len(rows),
        measures=quantiles(pd.DataFrame(rows, columns=[*JUDGED])),
        detectability=before_after.detectability(
            features, [(row["radiograph"], *row["box"]) for row in rows]
        ),
        detectability_error=auc_error(len(rows), len(rows)),
        far=max((found.far for found in measured), default=0.0),
        comparison=compare_with(reference or Reference.load(), rows),
        rows=rows,
    )


def judge(pairs: Iterable[StackPair], reference: Reference | None = None) -> Verdict:
    """Judge all boxes of all pairs together, holding one pair at a time.

    Parameters
    ----------
    pairs : iterable of StackPair
        See :func:`read_pair`.
    reference : Reference, optional
        Real nodules to compare with; None: those that are shipped.
    """
    return verdict_on(map(measure, pairs), reference)


def read_pair(before: Path, after: Path, boxes: Path | None = None) -> StackPair:
    """Read a pair and bring both to grey levels of 0..4095.

    Parameters
    ----------
    before, after : Path
        The untouched stack and the same with nodules, or the folders that hold them.
    boxes : Path, optional
        Their ``nodules.json``; None: the one beside the untouched stack.

    Raises
    ------
    StackError, BoxesError
        Where the two have different shapes, one cannot be read, or the boxes do not fit.
    """
    before, after = find_image(before), find_image(after)
    old, new = read_stack(before), read_stack(after)
    if old.pixels.shape != new.pixels.shape:
        raise StackError(
            f"{before} has the shape {old.pixels.shape} and {after} {new.pixels.shape} (slice, "
            "row, column), where the same is wanted; give the two stacks of one run."
        )
    levels = grey_levels_of_pair(old.pixels, new.pixels)
    right = "right" if old.geometry.direction[0] < 0 else "left"
    found = read_boxes(boxes or before.with_name(BOXES), old.pixels.shape)
    return StackPair(*levels, found, known_spacing(old), right)
