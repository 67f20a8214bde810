"""The judge's verdict on one or several pairs of stacks."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.constants import CHALLENGE_MAX, GREY_MAX
from nodegen.errors import StackError
from nodegen.evaluation.fidelity.detectability import chance_error, features_of, tell
from nodegen.evaluation.fidelity.measures import far_change, measure, quantiles
from nodegen.io.boxes import Box, read_boxes
from nodegen.io.stack import read_stack


@dataclass
class Verdict:
    """What the judge found.

    Attributes
    ----------
    rows : list of dict
        Every box of every pair, with its measures and the pair's number.
    quantiles : dict
        p5, p50 and p95 of each measure over all boxes.
    tell : float
        AUC from fine grain alone; NaN for fewer than five places.
    far : float
        Largest change far from any box, grey levels of 0..4095.
    """

    rows: list[dict[str, Any]]
    quantiles: dict[str, dict[str, float]]
    tell: float
    far: float

    @property
    def boxes(self) -> int:
        """How many were judged."""
        return len(self.rows)

    @property
    def tell_error(self) -> float:
        """The tell's standard error, were nothing to tell."""
        return chance_error(self.boxes)

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON; NaN becomes null."""
        table = {
            name: {p: None if np.isnan(v) else v for p, v in values.items()}
            for name, values in self.quantiles.items()
        }
        told = not np.isnan(self.tell)
        return {
            "boxes": self.boxes,
            "measures": table,
            "tell": self.tell if told else None,
            "tell_error": self.tell_error if told else None,
            "far": self.far,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Pair:
    """The same stack before and after, (slice, row, column) in grey levels, and its boxes.

    ``stack`` numbers the radiographs: pairs that share it are the same ones treated several times.
    """

    before: np.ndarray
    after: np.ndarray
    boxes: list[Box]
    stack: int


def judge(pairs: Iterable[Pair]) -> Verdict:
    """Judge all boxes of all pairs together."""
    rows: list[dict[str, Any]] = []
    untouched, treated, places, far = [], [], [], 0.0
    for number, pair in enumerate(pairs):
        rows += [{"pair": number, **r} for r in measure(pair.before, pair.after, pair.boxes)]
        old, new, where = features_of(pair.before, pair.after, pair.boxes, pair.stack)
        untouched.append(old)
        treated.append(new)
        places += where
        for index, (before, after) in enumerate(zip(pair.before, pair.after, strict=True)):
            here = [box for box in pair.boxes if box.slice == index]
            far = max(far, far_change(before, after, here))
    auc = tell(np.concatenate(untouched), np.concatenate(treated), places) if places else np.nan
    return Verdict(rows, quantiles(rows), auc, far)


def read_pair(before: Path, after: Path, boxes: Path, stack: int) -> Pair:
    """Read a pair and bring both to grey levels of 0..4095.

    Raises
    ------
    StackError
        Where the two have different shapes, or one cannot be read.
    BoxesError
        Where the boxes do not fit.
    """
    old, new = read_stack(before), read_stack(after)
    if old.pixels.shape != new.pixels.shape:
        raise StackError(
            f"{before} has the shape {old.pixels.shape} and {after} {new.pixels.shape} (slice, "
            "row, column), where the same is wanted; give the two stacks of one run."
        )
    if new.pixels.dtype == np.uint8 and old.pixels.dtype != np.uint8:
        # The challenge's output: every slice's own untouched minimum and maximum became 0 and 255.
        low, high = (
            extreme(old.pixels, axis=(1, 2), keepdims=True).astype(np.float32)
            for extreme in (np.min, np.max)
        )
        levels = to_grey_levels(old.pixels, low, high), to_grey_levels(new.pixels, 0, CHALLENGE_MAX)
    else:
        low, high = full_range(old.pixels)
        levels = to_grey_levels(old.pixels, low, high), to_grey_levels(new.pixels, low, high)
    return Pair(*levels, read_boxes(boxes, old.pixels.shape), stack)


def full_range(pixels: np.ndarray) -> tuple[float, float]:
    """The range of which a stack's grey levels are a part.

    0..255 for bytes, 0..1 for floats in it, 0..4095 (NODE21) for what else lies in that, and the
    stack's own minimum and maximum where it does not.
    """
    low, high = float(pixels.min()), float(pixels.max())
    ranges = [(0.0, float(GREY_MAX))]
    if pixels.dtype == np.uint8:
        ranges = [(0.0, float(CHALLENGE_MAX))]
    elif np.issubdtype(pixels.dtype, np.floating):
        ranges.insert(0, (0.0, 1.0))
    return next((r for r in ranges if r[0] <= low and high <= r[1]), (low, high))


def to_grey_levels(
    pixels: np.ndarray, low: float | np.ndarray, high: float | np.ndarray
) -> np.ndarray:
    """Map ``low``..``high`` to 0..4095; what is that already stays in its own type."""
    if np.all(np.equal(low, 0)) and np.all(np.equal(high, GREY_MAX)):
        return pixels
    gain = np.float32(GREY_MAX) / np.maximum(np.float32(high) - np.float32(low), np.float32(1e-12))
    return np.asarray((pixels.astype(np.float32) - np.float32(low)) * gain)
