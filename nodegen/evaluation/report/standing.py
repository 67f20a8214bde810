"""Where a method's nodules stand among real ones, in words and as data for the page."""

from dataclasses import asdict
from typing import Any

from nodegen.evaluation.fidelity.comparison import Comparison
from nodegen.evaluation.fidelity.judge import JUDGED, Verdict
from nodegen.evaluation.fidelity.nodule_measures import title_of

LABELS = {  # methods as people know them
    "singan": "nodegen (SinGAN)",
    "singan-paper": "SinGAN as in the paper",
    "poisson": "Poisson blending",
    "paste": "pasted",
    "none": "no generator",
}
FEW_BOXES = 20  # fewer say too little of a method: of 20, the median's rank still spans a third


def measures_of(real: Comparison | None) -> dict[str, dict[str, Any]]:
    """Each measure in ``JUDGED`` as the page shows it: its fields, title and real range.

    ``reference``: p5 (low), p50 (middle), p95 (high) and number of the real nodules, or None.
    """
    made = {}
    for name, measure in JUDGED.items():
        shown = {**asdict(measure), "title": title_of(name), "reference": None, "range": "–"}
        if real and name in real.real:
            low, middle, high = (real.real[name][p] for p in ("p5", "p50", "p95"))
            n = real.rests_on[name]
            shown["reference"] = {"low": low, "middle": middle, "high": high, "n": n}
            shown["range"] = f"{low:.{measure.digits}f} to {high:.{measure.digits}f}"
        made[name] = shown
    return made


def label(method: str) -> str:
    """A method as people know it."""
    return LABELS.get(method, method)


def standing(verdict: Verdict) -> str:
    """In how many measures a method's median is within the real range; empty without boxes."""
    if not verdict.comparison:
        return ""
    ranges = verdict.comparison.real
    outside = [
        title_of(name).lower()
        for name, real in ranges.items()
        if not real["p5"] <= verdict.measures[name]["p50"] <= real["p95"]
    ]
    inside = f"Medians within the real range in {len(ranges) - len(outside)} of {len(ranges)}"
    named = f"; outside: {', '.join(outside)}" if outside else ""
    return f"{inside} measures{named}."
