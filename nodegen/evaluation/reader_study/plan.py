"""What a study is drawn by: the plan, and the cases that come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.reader_study.radiographs import Film, Place

T = TypeVar("T")

KINDS = ("choice", "rating", "marking")


@dataclass(frozen=True)
class StudyPlan:
    """What is drawn.

    Attributes
    ----------
    kind : {"choice", "rating", "marking"}
    cases : int
        Pairs of a choice study, places of a rating study, films of a marking study.
    practice : int
        Cases before these, told after each answer, that do not count.
    sides : (int, int)
        Smallest and largest side, px, that a real box may have.
    candidates : int
        Synthetic nodules drawn for each, of which the one as subtle as the real one is taken; with
        1 each is taken as it comes.
    """

    kind: str = "rating"
    cases: int = 60
    practice: int = 6
    sides: tuple[int, int] = (30, 130)
    candidates: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingError(f"kind is {self.kind!r}, where {', '.join(KINDS)} are allowed.")
        for name, least in (("cases", 2), ("practice", 0), ("candidates", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise SettingError(
                    f"{name} is {getattr(self, name)}, where {least} or more is allowed; give more."
                )


@dataclass(frozen=True)
class StudyCase:
    """What a reader judges at once: one place, a pair of them, or a whole film with its nodules."""

    places: tuple[Place, ...]
    practice: bool = False
    kind: str = ""  # of a marked film: real, synthetic, untouched
    film: Film | None = None  # of a marked film; its pixels with the nodules
    strata: dict[str, str] = field(default_factory=dict)

    @property
    def sort(self) -> str:
        """What is to be balanced: a film's kind, or the kinds of the places in their order."""
        return self.kind or "/".join(place.kind for place in self.places)


def nodules_of(plan: StudyPlan, real: Sequence[Film]) -> list[Place]:
    """The real nodules of the sizes asked for."""
    least, most = plan.sides
    return [
        Place("real", film, box, film.pixels, trust)
        for film in real
        for box, trust in zip(film.boxes, film.trust or [""] * len(film.boxes), strict=True)
        if least <= box.side and max(box.width, box.height) <= most
    ]


def turns(values: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """Each value as often as the others, in rounds by lot."""
    drawn: list[T] = []
    while len(drawn) < count:
        drawn += [values[i] for i in rng.permutation(len(values))]
    return drawn[:count]
