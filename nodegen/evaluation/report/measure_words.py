"""What each measure means, in a sentence for a doctor, and the range of real nodules."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nodegen.evaluation.fidelity.comparison import Comparison
from nodegen.evaluation.fidelity.judge import JUDGED, Verdict
from nodegen.evaluation.fidelity.table import DIGITS

LABELS = {  # methods as people know them
    "singan": "nodegen (SinGAN)",
    "singan-paper": "SinGAN as in the paper",
    "poisson": "Poisson blending",
    "paste": "pasted",
    "none": "no generator",
}
FEW_BOXES = 20  # fewer say too little of a method: of 20, the median's rank still spans a third


@dataclass(frozen=True)
class RealRange:
    """Where nine of ten real nodules lie; ``middle`` is their median, ``n`` how many there were."""

    low: float
    high: float
    middle: float | None = None
    n: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Word:
    """A measure as the report shows it."""

    title: str
    sentence: str
    unit: str = ""
    digits: int = 2
    reference: RealRange | None = None

    @property
    def range_text(self) -> str:
        """The reference range; a dash where none is known."""
        if self.reference is None:
            return "–"
        return f"{self.reference.low:.{self.digits}f} to {self.reference.high:.{self.digits}f}"


# name: title and sentence
WORDS = {
    "contrast": (
        "Contrast",
        "How much brighter than its surround the middle of the nodule is.",
    ),
    "contrast_to_noise": (
        "Contrast to noise",
        "Contrast against the anatomy around it: below 0.5 hardly to be seen, above 2 obvious.",
    ),
    "half_height": (
        "Half-height radius",
        "How far from the centre the nodule has lost half of its brightness; 1 is at the box's "
        "sides. A flat disc that fills its box has nearly 1, a pointed one about 0.5.",
    ),
    "radius": (
        "Radius",
        "How much of its box the nodule's outline fills; 1 touches the box's sides.",
    ),
    "edge_width": (
        "Edge width",
        "Over how many pixels the margin falls from nine tenths of its height to one tenth.",
    ),
    "margin_width": (
        "Margin width",
        "The same in rings around the box's centre: wider where the outline is no ellipse.",
    ),
    "edge_step": (
        "Edge height",
        "How much brighter the nodule is just inside its margin than just outside.",
    ),
    "sharpness": ("Sharpness", "How steeply the margin falls."),
    "conspicuity": (
        "Conspicuity",
        "Steepness of the margin against that of ribs, vessels and noise around; about 1, the "
        "margin is lost among them.",
    ),
    "elongation": ("Elongation", "Longer over shorter diameter; 1 is round."),
    "irregularity": (
        "Irregularity",
        "How far the outline strays from an ellipse, as a part of the radius: 0.03 smooth, 0.1 "
        "ragged.",
    ),
    "lobulation": ("Lobulation", "The same by three to six lobes alone."),
    "offset": (
        "Offset",
        "How far the outline's centre lies from that of its box; 0 is exactly in the middle.",
    ),
    "texture_inside": (
        "Texture inside",
        "Fine structure (1 to 3 px) inside the nodule against that around it; 1 is alike.",
    ),
    "texture_rim": ("Texture at the rim", "The same along the nodule's margin."),
    "grain_inside": (
        "Grain inside",
        "The radiograph's finest noise inside the nodule against that around it; far below 1, the "
        "nodule looks wiped.",
    ),
    "grain_rim": ("Grain at the rim", "The same along the nodule's margin."),
    "grain": (
        "Grain kept",
        "The radiograph's finest noise at the nodule, after over before; 1 is untouched.",
    ),
}


def words(real: Comparison | None = None) -> dict[str, Word]:
    """The words of each measure in ``JUDGED``, with the range of real nodules where it is known.

    A measure that has no words is named as it is.
    """
    known = {}
    for name, unit in JUDGED.items():
        title, sentence = WORDS.get(name, (name.replace("_", " ").capitalize(), ""))
        reference = None
        if real and name in real.real:
            p5, p50, p95 = (real.real[name][p] for p in ("p5", "p50", "p95"))
            source = f"{real.rests_on[name]} real nodules, 5th to 95th percentile"
            reference = RealRange(p5, p95, p50, real.rests_on[name], source)
        known[name] = Word(title, sentence, unit, DIGITS.get(name, 2), reference)
    return known


def label(method: str) -> str:
    """A method as people know it."""
    return LABELS.get(method, method)


def standing(verdict: Verdict, known: Mapping[str, Word]) -> str:
    """In how many measures the median of a method's nodules lies within the real range.

    Parameters
    ----------
    verdict : Verdict
        Of one method.
    known : dict of Word
        From :func:`words`.

    Returns
    -------
    str
        A sentence that names the measures outside; empty where no range is known.
    """
    ranges = {name: word for name, word in known.items() if word.reference}
    medians = {name: verdict.quantiles[name]["p50"] for name in ranges}
    outside = [
        word.title.lower()
        for name, word in ranges.items()
        if word.reference and not word.reference.low <= medians[name] <= word.reference.high
    ]
    if not ranges or not verdict.boxes:
        return ""
    count = f"{len(ranges) - len(outside)} of {len(ranges)} measures"
    inside = f"Medians within the real range in {count}"
    return f"{inside}; outside: {', '.join(outside)}." if outside else f"{inside}."


def as_data(known: Mapping[str, Word]) -> dict[str, Any]:
    """The same for the page's modules."""
    return {name: asdict(word) for name, word in known.items()}
