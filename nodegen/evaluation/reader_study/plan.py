"""What a study is drawn by: the plan, and the cases that come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field

from nodegen.evaluation.reader_study.radiographs import Place, StudyImage
from nodegen.settings import IntegerRange, Seed, check

T = TypeVar("T")


@dataclass(frozen=True)
class StudyPlan:
    """What is drawn.

    Attributes
    ----------
    kind : {"choice", "rating", "marking"}
        choice: which of two is real; rating: how surely real is this one; marking: nodules on whole
        radiographs.
    cases : int
        Pairs of a choice study, places of a rating study, radiographs of a marking study.
    practice : int
        Cases before these, which show the answer after each and do not count.
    sides : (int, int)
        Larger sides of the boxes taken, px.
    candidates : int
        Synthetic nodules drawn for each real one, of which the one as subtle is taken; 1 takes it
        as it comes.
    seed : int
        Of all that is drawn.
    """

    kind: Literal["choice", "rating", "marking"] = "rating"
    cases: Annotated[int, Field(ge=2)] = 60
    practice: Annotated[int, Field(ge=0)] = 6
    sides: IntegerRange = IntegerRange((30, 130))
    candidates: Annotated[int, Field(ge=1)] = 4
    seed: Seed = 0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class StudyCase:
    """What a reader judges at once: one place, a pair, or a whole radiograph with its nodules."""

    places: tuple[Place, ...]
    practice: bool = False
    kind: str = ""  # of a marked radiograph: real, synthetic, untouched
    image: StudyImage | None = None  # of a marked radiograph; its pixels with the nodules
    strata: dict[str, str] = field(default_factory=dict)

    @property
    def sort(self) -> str:
        """What is balanced: a radiograph's kind, or the kinds of the places in their order."""
        return self.kind or "/".join(place.kind for place in self.places)


def nodules_of(plan: StudyPlan, real: Sequence[StudyImage]) -> list[Place]:
    """The real nodules of the sizes asked for."""
    least, most = plan.sides
    return [
        Place("real", image, box, image.pixels, source)
        for image in real
        for box, source in zip(image.boxes, image.source or [""] * len(image.boxes), strict=True)
        if least <= box.side and max(box.width, box.height) <= most
    ]


def turns(values: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """Each value as often as the others, in rounds by lot."""
    drawn: list[T] = []
    while len(drawn) < count:
        drawn += [values[i] for i in rng.permutation(len(values))]
    return drawn[:count]
