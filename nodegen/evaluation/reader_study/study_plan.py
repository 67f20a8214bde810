"""What a study is drawn by: the plan, and the places and cases that come out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from nodegen.evaluation.boxed_images import BoxedImage
from nodegen.evaluation.fidelity.nodule_crop import crop_around
from nodegen.io.boxes import Box
from nodegen.settings import IntegerRange, Seed, check


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
class Place:
    """A box in a radiograph: a real nodule, a synthetic one, or nothing."""

    kind: str  # real, synthetic or untouched
    image: BoxedImage
    box: Box
    source: str = ""  # of a real one: who or what drew its box
    seed: int | None = None
    method: str = ""  # how a synthetic one was drawn, or the folder it came from

    @property
    def size(self) -> int:
        """Larger side of the box, px."""
        return max(self.box.width, self.box.height)

    @property
    def zone(self) -> str:
        """Third of the radiograph's height: upper, middle or lower."""
        share = self.box.centre[1] / self.image.pixels.shape[0]
        return ("upper", "middle", "lower")[min(int(share * 3), 2)]

    @cached_property
    def surround(self) -> tuple[float, float]:
        """Median around the box and, less a plane, standard deviation there, grey levels."""
        crop = crop_around(self.image.pixels, self.box)
        return crop.level, crop.deviation

    @cached_property
    def contrast_to_noise(self) -> float:
        """As :mod:`nodegen.evaluation.fidelity.nodule_measures` has it."""
        return crop_around(self.image.pixels, self.box).contrast_to_noise


@dataclass(frozen=True)
class StudyCase:
    """What a reader judges at once: one place, a pair, or a whole radiograph with its nodules."""

    places: tuple[Place, ...]
    kind: str  # real, synthetic or untouched; of a pair both, from the left: real/synthetic
    practice: bool = False
    image: BoxedImage | None = None  # of a marked radiograph; its pixels with the nodules
    strata: dict[str, str] = field(default_factory=dict)


def nodules_of(plan: StudyPlan, real: Sequence[BoxedImage]) -> list[Place]:
    """The real nodules of the sizes asked for."""
    least, most = plan.sides
    return [
        Place("real", image, box, source)
        for image in real
        for box, source in zip(image.boxes, image.sources or [""] * len(image.boxes), strict=True)
        if least <= box.side and max(box.width, box.height) <= most
    ]
