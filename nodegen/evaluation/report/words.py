"""What each measure means, in a sentence a doctor understands, and what real nodules have."""

from dataclasses import asdict, dataclass
from typing import Any

from nodegen.evaluation.fidelity.measures import MEASURES

FEW_BOXES = 20  # fewer say too little of a method: of 20, the median's rank still spans a third
REAL = "NODE21 nodules with boxes, 10th to 90th percentile"


@dataclass(frozen=True)
class Reference:
    """Where most real nodules lie; ``middle`` is their median, ``n`` how many there were."""

    low: float
    high: float
    middle: float | None = None
    n: int | None = None
    source: str = REAL


@dataclass(frozen=True)
class Word:
    """A measure as the report shows it."""

    title: str
    sentence: str
    unit: str = ""
    digits: int = 2
    reference: Reference | None = None

    @property
    def range_text(self) -> str:
        """The reference range; a dash where none is known."""
        if self.reference is None:
            return "–"
        return f"{self.reference.low:.{self.digits}f} to {self.reference.high:.{self.digits}f}"


WORDS = {
    "contrast": Word(
        "Contrast",
        "How much brighter than the film before the middle of the nodule has become.",
        "grey levels",
        0,
        Reference(123, 518, 248, 10),
    ),
    "extent": Word(
        "Extent",
        "How much of its box the nodule fills; 1 is from edge to edge.",
        "sides",
        2,
        Reference(0.7, 1.1, source="a nodule that fills its box"),
    ),
    "offset": Word(
        "Offset",
        "How far the nodule's centre lies from that of its box; 0 is exactly in the middle.",
        "sides",
    ),
    "edge": Word(
        "Edge",
        "How steep the nodule's margin is: a soft dome has about 4, a hard disc several times that.",
    ),
    "grain": Word(
        "Grain",
        "The film's finest noise inside the nodule, after over before; far below 1, the nodule "
        "looks wiped.",
        "after / before",
        2,
        Reference(
            0.87, 1.13, 1.01, 19, "NODE21 nodules over their surround, 10th to 90th percentile"
        ),
    ),
    "visibility": Word(
        "Visibility",
        "Contrast against the anatomy around it: below about 0.5 hardly to be seen, above 2 obvious.",
        "standard deviations",
        2,
        Reference(0.2, 1.6, source="JSRT nodules"),
    ),
}


def words() -> dict[str, Word]:
    """The words of each measure in ``MEASURES``; one that has none is named as it is."""
    return {
        name: WORDS.get(name, Word(name.replace("_", " ").capitalize(), "", unit))
        for name, unit in MEASURES.items()
    }


def as_data(known: dict[str, Word]) -> dict[str, Any]:
    """The same for the page's modules."""
    return {name: asdict(word) for name, word in known.items()}
