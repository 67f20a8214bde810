"""What came out, arm by arm: figures with intervals, differences, and their tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from nodegen.evaluation.statistics import Estimate, estimate
from nodegen.evaluation.utility.scoring import MAIN, Draws, Scores, TestSet, draw_weights
from nodegen.io.tables import markdown_table

Table = tuple[list[str], list[list[str]]]  # head, rows


@dataclass(frozen=True)
class ArmResult:
    """One arm, by measure."""

    figures: dict[str, Estimate]  # means over the seeds
    differences: dict[str, Estimate]  # this arm minus the reference, on the same draws
    seeds: dict[str, list[float]]  # each seed's own figure
    learned_from: dict[str, int]  # synthetic and real radiographs and nodules


@dataclass(frozen=True)
class UtilityResults:
    """All arms."""

    arms: dict[str, ArmResult]  # in their order
    primary: tuple[str, str]  # the comparison that was named beforehand
    counts: dict[str, int]  # what the test holds, and how many seeds there are
    # An arm, and what the second half of its steps adds to the first measure, where asked for.
    second_half: tuple[str, Estimate] | None = None

    @property
    def first_comparison(self) -> Estimate | None:
        """The primary difference in the first measure; None where an arm of it was not run."""
        first = self.arms.get(self.primary[0])
        return first.differences.get(MAIN[0]) if first else None

    def summary(self) -> list[str]:
        """What was asked beforehand, what the test holds, and whether the curve is flat."""
        first = self.first_comparison
        said = f"{MAIN[0]} {first.signed}" if first else "not run"
        lines = [
            f"Primary comparison, named beforehand: {' minus '.join(self.primary)}: {said}.",
            f"Test: {', '.join(f'{number} {what}' for what, number in self.counts.items())}.",
        ]
        if self.second_half:
            arm, added = self.second_half
            flat = "flat, as far as this test can see" if added.low <= 0 else "still rising"
            lines.append(
                f"The second half of the training adds {added.signed} {MAIN[0]} to {arm}: the "
                f"curve is {flat}."
            )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON; NaN becomes null."""
        half = self.second_half
        content: dict[str, Any] = to_jsonable_python(
            {
                "counts": self.counts,
                "primary": {"arms": self.primary, "difference": self.first_comparison},
                "second_half": {"arm": half[0], "difference": half[1]} if half else None,
                "arms": self.arms,
            },
            inf_nan_mode="null",
        )
        return content


def _estimated(draws: np.ndarray) -> Estimate:
    """A figure and its interval, from draws (draw,) of which the first is the figure itself."""
    return estimate(draws[0], draws[1:])


def _over_seeds(draws: np.ndarray) -> np.ndarray:
    """The mean over the seeds (seed, draw); each draw but the first draws seeds anew."""
    seeds, count = draws.shape
    weights = draw_weights(seeds, seed=1, draws=count - 1)
    return np.asarray((draws * weights.T).sum(axis=0) / seeds)


def summarise(
    test: TestSet,
    scores: Mapping[str, Sequence[Scores]],
    primary: tuple[str, str],
    learned_from: Mapping[str, dict[str, int]],
    halved: tuple[str, Sequence[Scores]] | None = None,
) -> UtilityResults:
    """Figures of each arm, and their differences to the primary comparison's second (or the first).

    Scores are each arm's, seed by seed; ``halved`` is an arm with its scores after half the steps.
    """
    draws: dict[str, Draws] = {}
    seeds: dict[str, dict[str, list[float]]] = {}
    for name, of_seeds in scores.items():
        found = [test.measures(one) for one in of_seeds]
        draws[name] = {k: _over_seeds(np.stack([one[k] for one in found])) for k in found[0]}
        seeds[name] = {k: [float(one[k][0]) for one in found] for k in found[0]}
    reference = primary[1] if primary[1] in scores else next(iter(scores))
    arms = {
        name: ArmResult(
            figures={k: _estimated(v) for k, v in own.items()},
            differences={k: _estimated(v - draws[reference][k]) for k, v in own.items()
                         if name != reference},
            seeds=seeds[name],
            learned_from=learned_from[name],
        )
        for name, own in draws.items()
    }  # fmt: skip
    counts = {
        "radiographs": len(test.radiographs),
        "nodules": sum(len(one.nodules) for one in test.radiographs),
        "seeds": len(next(iter(scores.values()))),
    }
    second = None
    if halved:
        name, of_seeds = halved
        half = np.stack([test.measures(one)[MAIN[0]] for one in of_seeds])
        second = name, _estimated(draws[name][MAIN[0]] - _over_seeds(half))
    return UtilityResults(arms, (primary[0], reference), counts, second)


def main_table(results: UtilityResults) -> Table:
    """One line an arm, with the first measures."""
    head = ["trained on", "synthetic radiographs, nodules", "real radiographs, nodules"]
    for name in MAIN:
        head += [f"{name} (95 %)", "seeds, sd", f"minus {results.primary[1]} (95 %)"]
    rows = []
    for arm, one in results.arms.items():
        learned = list(one.learned_from.values())
        row = [arm, *(f"{a}, {b}" if a else "–" for a, b in (learned[:2], learned[2:]))]
        for name in MAIN:
            other = one.differences.get(name)
            sd = f"{np.std(one.seeds[name], ddof=1):.3f}" if len(one.seeds[name]) > 1 else "–"
            row += [str(one.figures[name]), sd, other.signed if other else "–"]
        rows.append(row)
    return head, rows


def kinds_table(results: UtilityResults) -> Table:
    """The other measures, one line each, one column an arm."""
    arms = results.arms.values()
    rest = [name for name in next(iter(arms)).figures if name not in MAIN]
    rows = [[name, *(f"{one.figures[name].value:.3f}" for one in arms)] for name in rest]
    return ["", *results.arms], rows


def markdown(results: UtilityResults) -> str:
    """Both tables, and the summary."""
    tables = [markdown_table(*table(results)) for table in (main_table, kinds_table)]
    return "\n\n".join([*tables, *results.summary()]) + "\n"
