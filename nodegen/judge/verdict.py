"""The judge's verdict on one or several pairs of stacks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.boxes import Box, read_boxes
from nodegen.constants import CHALLENGE_MAX, GREY_MAX
from nodegen.errors import StackError
from nodegen.judge.measures import far_change, measure, quantiles
from nodegen.judge.tell import features_of, tell
from nodegen.stack import Stack, read_stack


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
    boxes: int = field(init=False)

    def __post_init__(self) -> None:
        self.boxes = len(self.rows)

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON; NaN becomes null."""
        table = {
            name: {p: None if np.isnan(v) else v for p, v in values.items()}
            for name, values in self.quantiles.items()
        }
        tell = None if np.isnan(self.tell) else self.tell
        return {"boxes": self.boxes, "measures": table, "tell": tell, "far": self.far,
                "rows": self.rows}  # fmt: skip


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
    stretched = new.pixels.dtype == np.uint8 and old.pixels.dtype != np.uint8
    return Pair(
        grey_levels(old, stretched), grey_levels(new), read_boxes(boxes, old.pixels.shape), stack
    )


def grey_levels(stack: Stack, stretched: bool = False) -> np.ndarray:
    """A stack in grey levels of 0..4095: bytes by 4095 / 255, floats of 0..1 by 4095.

    Parameters
    ----------
    stretched : bool
        Map every slice's own minimum and maximum to 0 and 4095, as the challenge's output has it.
    """
    pixels = stack.pixels
    if stretched:
        low = pixels.min(axis=(1, 2), keepdims=True).astype(np.float32)
        high = pixels.max(axis=(1, 2), keepdims=True).astype(np.float32)
        return (pixels - low) * (GREY_MAX / np.maximum(high - low, 1e-12))
    if pixels.dtype == np.uint8:
        return pixels * np.float32(GREY_MAX / CHALLENGE_MAX)
    if np.issubdtype(pixels.dtype, np.floating) and pixels.max() <= 1:
        return pixels * np.float32(GREY_MAX)
    return pixels
