"""What came out, arm by arm: figures with intervals, differences, and how they are written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nodegen.evaluation.statistics import Estimate
from nodegen.evaluation.utility.bootstrap import estimate
from nodegen.evaluation.utility.measures import Draws, Scores, Test


@dataclass(frozen=True)
class Result:
    """One arm.

    Attributes
    ----------
    figures : dict of Estimate
        By measure: the mean over the seeds.
    differences : dict of Estimate
        By measure: this arm minus the reference, on the same draws.
    seeds : dict of list of float
        By measure: each seed's own figure.
    """

    figures: dict[str, Estimate]
    differences: dict[str, Estimate]
    seeds: dict[str, list[float]]


@dataclass(frozen=True)
class Results:
    """All arms, in their order; ``primary`` is the comparison that was named beforehand."""

    arms: dict[str, Result]
    primary: tuple[str, str]
    counts: dict[str, int]

    @property
    def measures(self) -> list[str]:
        """All measures, in their order."""
        return list(next(iter(self.arms.values())).figures)

    @property
    def first_comparison(self) -> Estimate | None:
        """The primary difference in the first measure; None where an arm of it was not run."""
        if not set(self.primary) <= set(self.arms):
            return None
        return self.arms[self.primary[0]].differences.get(self.measures[0])

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON."""
        first = self.first_comparison
        return {
            "counts": self.counts,
            "primary": {"arms": self.primary, "difference": asdict(first) if first else None},
            "arms": {
                name: {
                    "figures": {k: asdict(v) for k, v in one.figures.items()},
                    "differences": {k: asdict(v) for k, v in one.differences.items()},
                    "seeds": one.seeds,
                }
                for name, one in self.arms.items()
            },
        }


def summarise(
    test: Test,
    scores: Mapping[str, Sequence[Scores]],
    measures: Callable[[Test, Scores], Draws],
    primary: tuple[str, str],
) -> Results:
    """Figures of each arm, and their differences to the primary comparison's second arm.

    Where that arm is not among those that were run, the first arm stands in for it.
    """
    draws: dict[str, dict[str, np.ndarray]] = {}
    seeds: dict[str, dict[str, list[float]]] = {}
    for name, of_seeds in scores.items():
        found = [measures(test, one) for one in of_seeds]
        draws[name] = {k: np.mean([one[k] for one in found], axis=0) for k in found[0]}
        seeds[name] = {k: [float(one[k][0]) for one in found] for k in found[0]}
    reference = primary[1] if primary[1] in scores else next(iter(scores))
    arms = {
        name: Result(
            figures={k: estimate(v[0], v[1:]) for k, v in own.items()},
            differences={
                k: estimate(v[0] - draws[reference][k][0], (v - draws[reference][k])[1:])
                for k, v in own.items()
                if name != reference
            },
            seeds=seeds[name],
        )
        for name, own in draws.items()
    }
    counts = {
        "radiographs": len(test.radiographs),
        "nodules": sum(len(one.nodules) for one in test.radiographs),
        "places without": sum(len(one.places) for one in test.radiographs),
        "seeds": len(next(iter(scores.values()))),
    }
    return Results(arms, (primary[0], reference), counts)


def markdown(results: Results, main: Sequence[str]) -> str:
    """The table as in the paper, one line an arm; then the figures by kind of nodule."""
    reference = results.primary[1]
    head = ["trained on"]
    for name in main:
        head += [f"{name} (95 %)", "seeds, sd", f"minus {reference} (95 %)"]
    rows = [head, ["---"] * len(head)]
    for arm, one in results.arms.items():
        row = [arm]
        for name in main:
            other = one.differences.get(name)
            spread = f"{np.std(one.seeds[name], ddof=1):.3f}" if len(one.seeds[name]) > 1 else "–"
            row += [str(one.figures[name]), spread, other.signed if other else "–"]
        rows.append(row)
    text = _table(rows)
    rest = [name for name in results.measures if name not in main]
    if rest:
        head = ["trained on", *rest]
        rows = [head, ["---"] * len(head)]
        rows += [[arm, *(f"{one.figures[k].value:.3f}" for k in rest)]
                 for arm, one in results.arms.items()]  # fmt: skip
        text += "\n" + _table(rows)
    counts = ", ".join(f"{number} {what}" for what, number in results.counts.items())
    first = results.first_comparison
    said = f"{' minus '.join(results.primary)}: {first.signed}" if first else "not run"
    return f"{text}\nTest: {counts}. Primary comparison, named beforehand: {said}.\n"


def comma_separated(results: Results) -> str:
    """One line for each arm and measure."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(("arm", "measure", "value", "low", "high", "difference", "difference_low",
                     "difference_high", "seeds"))  # fmt: skip
    for arm, one in results.arms.items():
        for name, value in one.figures.items():
            other = one.differences.get(name)
            cells = [value.value, value.low, value.high]
            cells += [other.value, other.low, other.high] if other else []
            text = [f"{cell:.4f}" for cell in cells] + [""] * (6 - len(cells))
            seeds = " ".join(f"{v:.4f}" for v in one.seeds[name])
            writer.writerow((arm, name, *text, seeds))
    return made.getvalue()


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
