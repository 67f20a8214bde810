"""What came out, arm by arm: figures with intervals, differences, and their tables."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageDraw
from skimage.util import montage

from nodegen.dataset.png import png
from nodegen.evaluation.fidelity.grey_levels import to_grey_levels
from nodegen.evaluation.pictures import view
from nodegen.evaluation.statistics import Estimate, estimate
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.evaluation.utility.scoring import (
    FROC_AT,
    MAIN,
    Draws,
    Scores,
    TestSet,
    draw_weights,
    froc,
    hits_of,
)
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes, write_text
from nodegen.io.tables import csv_text, json_text, markdown_table

SHOWN, ACROSS = 12, 4  # pictures of missed nodules, and how many of them stand in a row
GAP_PX = 4  # between them
RATES = np.geomspace(FROC_AT[0], FROC_AT[-1], 97)  # false positives an image, of a curve
ArmScores = Mapping[str, Sequence[Scores]]  # each arm's, seed by seed


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
    compared: tuple[str, str]  # the same, with the first arm for one that is not run
    counts: dict[str, int]  # what the test holds, and how many seeds there are
    # What the second half of its steps adds to the comparison's first arm, where asked for.
    second_half: Estimate | None = None

    def summary(self) -> list[str]:
        """What was asked beforehand, what the test holds, and whether the curve is flat."""
        said, (first, _) = "not run", self.compared
        if self.compared == self.primary:
            said = f"{MAIN[0]} {self.arms[first].differences[MAIN[0]].signed}"
        lines = [
            f"Primary comparison, named beforehand: {' minus '.join(self.primary)}: {said}.",
            f"Test: {', '.join(f'{number} {what}' for what, number in self.counts.items())}.",
        ]
        if self.second_half:
            added = self.second_half
            flat = "flat, as far as this test can see" if added.low <= 0 else "still rising"
            lines.append(
                f"The second half of the training adds {added.signed} {MAIN[0]} to {first}: the "
                f"curve is {flat}."
            )
        return lines


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
    scores: ArmScores,
    primary: tuple[str, str],
    compared: tuple[str, str],
    learned_from: Mapping[str, dict[str, int]],
    halved: Sequence[Scores] | None = None,
) -> UtilityResults:
    """Figures of each arm, and their differences to the comparison's second.

    ``primary`` and ``compared`` are as of the results; ``halved`` holds the scores of the
    comparison's first arm after half the steps.
    """
    draws: dict[str, Draws] = {}
    seeds: dict[str, dict[str, list[float]]] = {}
    for name, of_seeds in scores.items():
        found = [test.measures(one) for one in of_seeds]
        draws[name] = {k: _over_seeds(np.stack([one[k] for one in found])) for k in found[0]}
        seeds[name] = {k: [float(one[k][0]) for one in found] for k in found[0]}
    first, reference = compared
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
        half = np.stack([test.measures(one)[MAIN[0]] for one in halved])
        second = _estimated(draws[first][MAIN[0]] - _over_seeds(half))
    return UtilityResults(arms, primary, compared, counts, second)


def _main_table(results: UtilityResults) -> str:
    """One line an arm, with the first measures."""
    head = ["trained on", "synthetic radiographs, nodules", "real radiographs, nodules"]
    for name in MAIN:
        head += [f"{name} (95 %)", "seeds, sd", f"minus {results.compared[1]} (95 %)"]
    rows = []
    for arm, one in results.arms.items():
        learned = list(one.learned_from.values())
        row = [arm, *(f"{a}, {b}" if a else "–" for a, b in (learned[:2], learned[2:]))]
        for name in MAIN:
            other = one.differences.get(name)
            sd = f"{np.std(one.seeds[name], ddof=1):.3f}" if len(one.seeds[name]) > 1 else "–"
            row += [str(one.figures[name]), sd, other.signed if other else "–"]
        rows.append(row)
    return markdown_table(head, rows)


def _kinds_table(results: UtilityResults) -> str:
    """The other measures, one line each, one column an arm."""
    arms = results.arms.values()
    rest = [name for name in next(iter(arms)).figures if name not in MAIN]
    rows = [[name, *(f"{one.figures[name].value:.3f}" for one in arms)] for name in rest]
    return markdown_table(["", *results.arms], rows)


def markdown(results: UtilityResults) -> str:
    """Both tables and the summary, as ``utility-MODEL.md`` has them."""
    return "\n\n".join([_main_table(results), _kinds_table(results), *results.summary()]) + "\n"


def write_results(
    folder: Path, results: UtilityResults, test: TestSet, scores: ArmScores, model: str
) -> None:
    """Write ``utility-MODEL``: .md and .json (figures), .svg (FROC curves), .csv and .png.

    The CSV has each real nodule with its box, px, and the mean score of each arm's best hit; the
    picture those nodules that the comparison's first arm misses most.
    """
    best = [
        np.mean([hits_of(test.radiographs, one).true for one in of_seeds], axis=0)
        for of_seeds in scores.values()
    ]
    nodules = [(one, box) for one in test.radiographs for box in one.nodules]
    rows = [
        (one.name, box.left, box.top, box.width, box.height, *found)
        for (one, box), *found in zip(nodules, *best, strict=True)
    ]
    contents = {
        "md": markdown(results),
        "json": json_text(results),
        "svg": _froc_plot(test, scores),
        "csv": csv_text(("radiograph", "x", "y", "width", "height", *scores), rows),
    }
    for suffix, content in contents.items():
        write_text(folder / f"utility-{model}.{suffix}", content)
    missed = np.argsort(best[list(scores).index(results.compared[0])], kind="stable")[:SHOWN]
    write_bytes(folder / f"utility-{model}.png", png(_tiles([nodules[i] for i in missed])))


def _tiles(nodules: Sequence[tuple[BoxedRadiograph, Box]]) -> np.ndarray:
    """A tile for each nodule, with its radiograph's name, in rows."""
    tiles = []
    for one, box in nodules:
        tile = view(to_grey_levels(one.load()[None])[0], box)[1]
        ImageDraw.Draw(tile).text((4, 2), one.name, fill=255, stroke_width=2, stroke_fill=0)
        tiles.append(np.asarray(tile))
    shape = -(-len(tiles) // ACROSS), ACROSS
    return np.asarray(montage(np.stack(tiles), fill=0, grid_shape=shape, padding_width=GAP_PX))


def _froc_plot(test: TestSet, scores: ArmScores) -> str:
    """FROC curve of each arm, the mean of its seeds, as SVG."""
    from matplotlib import pyplot, use

    use("Agg")

    once = np.ones((1, len(test.radiographs)))
    style: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
                  "svg.hashsalt": "nodegen"}  # fmt: skip
    with pyplot.rc_context(style):
        figure, axis = pyplot.subplots(figsize=(6.4, 4.6), layout="constrained")
        for name, of_seeds in scores.items():
            curves = [froc(hits_of(test.radiographs, one), once) for one in of_seeds]
            each = [np.interp(RATES, rates[0, ::-1], found[0, ::-1]) for rates, found in curves]
            axis.plot(RATES, np.mean(each, axis=0), label=name, lw=1.4)
        axis.set_xscale("log", base=2)
        axis.set_xticks(FROC_AT, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
        axis.set_xlabel("false positives an image")
        axis.set_ylabel("sensitivity")
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        made = io.StringIO()
        figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    return made.getvalue()
