"""The analysis of a study: figures with intervals, by reader and by subgroup, as page and CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.evaluation.reader_study.answers import Study, read_study
from nodegen.evaluation.reader_study.statistics import (
    NOTHING,
    Estimate,
    MarkedFilm,
    auc,
    fleiss_kappa,
    jafroc_over_readers,
    over_readers_and_cases,
    share_over_readers,
)
from nodegen.io.files import write_text

PAGE, FIGURES, CASES = "analysis.html", "analysis.csv", "cases.csv"
REAL_FROM = 4  # the ratings 4 to 6 say "real"
HIT_PX = 12  # a mark so far outside a box still hits it: a hand is not that exact
SUBGROUPS = ("size", "subtlety", "zone", "group", "trust")
MEANINGS = {
    "share right": "How often the real nodule was told from the synthetic one; 0.5 is guessing.",
    "AUC": "Real against synthetic by the rating, a nodule that was not seen counting as the least "
    "real; 0.5 is guessing.",
    "AUC, seen": "The same among the nodules that the reader saw.",
    "seen, real": "Share of real nodules of which the reader said that there is one.",
    "seen, synthetic": "The same of synthetic nodules.",
    "seen, untouched": "The same of places without a nodule: false alarms.",
    "JAFROC, real": "Share of pairs in which a real nodule was marked more confidently than any "
    "place of a film without nodules; 1 is perfect.",
    "JAFROC, synthetic": "The same of synthetic nodules.",
    "hit, real": "Share of real nodules that were marked.",
    "hit, synthetic": "Share of synthetic nodules that were marked.",
}


@dataclass(frozen=True)
class Row:
    """One figure of one subgroup, over all readers or of one."""

    figure: str
    subgroup: str
    reader: str
    estimate: Estimate


@dataclass(frozen=True)
class Analysis:
    """All figures of a study."""

    study: Study
    rows: list[Row]
    kappa: float
    seconds: dict[str, tuple[float, float, float]]  # of each reader: quartiles a case

    def of(self, figure: str, subgroup: str = "all") -> Estimate:
        """A figure over all readers."""
        return next(
            row.estimate
            for row in self.rows
            if (row.figure, row.subgroup, row.reader) == (figure, subgroup, "all")
        )


def analyse(key: Path, answers: Sequence[Path], output: Path) -> Analysis:
    """Analyse a study and write ``analysis.html``, ``analysis.csv`` and ``cases.csv``.

    Raises
    ------
    SettingError
        Where the files are not those of one study.
    OutputError
        Where the results cannot be written.
    """
    study = read_study(key, answers)
    figures = {"choice": _choice, "rating": _rating, "marking": _marking}[study.kind]
    readers = [reading.reader for reading in study.readings]
    rows = []
    for subgroup, cases in _subgroups(study):
        for figure, estimate in figures(study, cases, readers):
            rows.append(Row(figure, subgroup, "all", estimate))
        if subgroup == "all" and len(readers) > 1:
            for reader in readers:
                for figure, estimate in figures(study, cases, [reader]):
                    rows.append(Row(figure, subgroup, reader, estimate))
    analysis = Analysis(study, rows, _kappa(study), _seconds(study))
    write_text(output / FIGURES, _figures_csv(analysis))
    write_text(output / CASES, _cases_csv(study))
    write_text(output / PAGE, _page(analysis))
    return analysis


def _subgroups(study: Study) -> Iterator[tuple[str, list[str]]]:
    yield "all", study.cases
    for name in SUBGROUPS:
        values: dict[str, list[str]] = {}
        for case in study.cases:
            truth = study.key[case]
            value = truth.get(name) or (truth.get("places") or [truth])[0].get(name)
            if value and truth.get("kind") != "untouched":
                values.setdefault(value, []).append(case)
        if study.kind != "marking" and len(values) > 1:
            yield from ((f"{name}: {value}", values[value]) for value in sorted(values))


def _answers(study: Study, readers: Sequence[str]) -> list[dict[str, dict[str, Any]]]:
    return [r.answers for r in study.readings if r.reader in readers]


def _kind(study: Study, case: str, side: int = 0) -> str:
    return str(study.key[case]["places"][side]["kind"])


# --- the figures of each kind of study ------------------------------------------------------------

Figures = Iterator[tuple[str, Estimate]]


def _choice(study: Study, cases: Sequence[str], readers: Sequence[str]) -> Figures:
    right = [
        [_kind(study, case, mine[case]["side"]) == "real" for case in cases]
        for mine in _answers(study, readers)
    ]
    yield "share right", share_over_readers(np.array(right, dtype=bool))


def _rating(study: Study, cases: Sequence[str], readers: Sequence[str]) -> Figures:
    kinds = np.array([_kind(study, case) for case in cases])
    ratings = np.array([[a[case]["rating"] for case in cases] for a in _answers(study, readers)])
    told = kinds != "untouched"

    def area(seen_only: bool) -> Callable[[np.ndarray], np.ndarray]:
        def figure(kept: np.ndarray) -> np.ndarray:
            values = []
            for mine in ratings[:, told][:, kept]:
                use = mine > 0 if seen_only else np.ones(len(mine), dtype=bool)
                real = kinds[told][kept] == "real"
                values.append(auc(mine[use & real], mine[use & ~real]))
            return np.array(values)

        return figure

    yield "AUC", over_readers_and_cases(area(False), int(told.sum()))
    yield "AUC, seen", over_readers_and_cases(area(True), int(told.sum()))
    right = (ratings >= REAL_FROM) == (kinds == "real")
    yield "share right", share_over_readers(right[:, told])
    for kind in ("real", "synthetic", "untouched"):
        yield f"seen, {kind}", share_over_readers(ratings[:, kinds == kind] > 0)


def _marking(study: Study, cases: Sequence[str], readers: Sequence[str]) -> Figures:
    for kind in ("real", "synthetic"):
        here = [case for case in cases if study.key[case]["kind"] in (kind, "untouched")]
        films = [
            [_marked(study.key[case], mine[case]["marks"]) for case in here]
            for mine in _answers(study, readers)
        ]
        yield f"JAFROC, {kind}", jafroc_over_readers(films) if here else NOTHING
        hit = [[v > -np.inf for film in mine for v in film.lesions] for mine in films]
        yield f"hit, {kind}", share_over_readers(np.array(hit, dtype=bool))


def _marked(truth: dict[str, Any], marks: Sequence[dict[str, Any]]) -> MarkedFilm:
    """Marks given to the nodules that they hit; each mark to the nearest of them."""
    boxes = [nodule["box"] for nodule in truth["nodules"]]
    hits: list[list[float]] = [[] for _ in boxes]
    false = []
    for mark in marks:
        x, y = mark["x"], mark["y"]
        near = [
            (np.hypot(x - (left + right) / 2, y - (top + bottom) / 2), i)
            for i, (left, top, right, bottom) in enumerate(boxes)
            if left - HIT_PX <= x <= right + HIT_PX and top - HIT_PX <= y <= bottom + HIT_PX
        ]
        if near:
            hits[min(near)[1]].append(float(mark["confidence"]))
        else:
            false.append(float(mark["confidence"]))
    return MarkedFilm(tuple(max(h, default=-np.inf) for h in hits), tuple(false))


def _kappa(study: Study) -> float:
    """Agreement on what was said: which side, real or not, anything marked or not."""
    said: dict[str, Callable[[dict[str, Any]], int]] = {
        "choice": lambda answer: int(answer["side"]),
        "rating": lambda answer: int(answer["rating"] >= REAL_FROM),
        "marking": lambda answer: int(bool(answer["marks"])),
    }
    one = said[study.kind]
    return fleiss_kappa(
        np.array([[one(r.answers[case]) for case in study.cases] for r in study.readings])
    )


def _seconds(study: Study) -> dict[str, tuple[float, float, float]]:
    found = {}
    for reading in study.readings:
        times = [reading.answers[case].get("seconds", np.nan) for case in study.cases]
        low, middle, high = np.nanpercentile(np.array(times, dtype=float), (25, 50, 75))
        found[reading.reader] = float(low), float(middle), float(high)
    return found


# --- files ----------------------------------------------------------------------------------------


def _figures_csv(analysis: Analysis) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("figure", "subgroup", "reader", "cases", "value", "low", "high"))
    for row in analysis.rows:
        e = row.estimate
        values = ("" if np.isnan(v) else f"{v:.4f}" for v in (e.value, e.low, e.high))
        writer.writerow((row.figure, row.subgroup, row.reader, e.cases, *values))
    kappa = "" if np.isnan(analysis.kappa) else f"{analysis.kappa:.4f}"
    writer.writerow(("Fleiss kappa", "all", "all", len(analysis.study.cases), kappa, "", ""))
    for reader, (low, middle, high) in analysis.seconds.items():
        figures = (f"{middle:.2f}", f"{low:.2f}", f"{high:.2f}")
        writer.writerow(("seconds a case, quartiles", "all", reader, "", *figures))
    return text.getvalue()


def _cases_csv(study: Study) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("case", "truth", "films", *SUBGROUPS[:3], "reader", "answer", "seconds"))
    for case in study.cases:
        truth = study.key[case]
        places = truth.get("places") or truth["nodules"]
        kinds = truth.get("kind") or "/".join(place["kind"] for place in places)
        films = truth.get("film") or "/".join(place["film"] for place in places)
        strata = [truth.get(name, "") for name in SUBGROUPS[:3]]
        for reading in study.readings:
            answer = dict(reading.answers[case])
            seconds = answer.pop("seconds", "")
            said = "; ".join(f"{k} {v}" for k, v in answer.items() if k not in ("case", "at"))
            writer.writerow((case, kinds, films, *strata, reading.reader, said, seconds))
    return text.getvalue()


def markdown(analysis: Analysis) -> str:
    """The main figures as a table."""
    lines = ["| figure | over all readers | cases |", "|---|---|---|"]
    for row in analysis.rows:
        if (row.subgroup, row.reader) == ("all", "all"):
            lines.append(f"| {row.figure} | {row.estimate} | {row.estimate.cases} |")
    if len(analysis.study.readings) > 1:
        lines.append(f"| Fleiss kappa | {analysis.kappa:.2f} | {len(analysis.study.cases)} |")
    for reader, (low, middle, high) in analysis.seconds.items():
        lines.append(f"| seconds a case, {reader} | {middle:.1f} ({low:.1f} to {high:.1f}) | |")
    return "\n".join(lines)


def _page(analysis: Analysis) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    ).get_template("results.html.j2")  # fmt: skip
    style = files("nodegen.evaluation.viewer").joinpath("static", "viewer.css").read_text()
    main = "share right" if analysis.study.kind == "choice" else analysis.rows[0].figure
    return template.render(
        analysis=analysis,
        study=analysis.study,
        main=main,
        meanings=MEANINGS,
        forest=[row for row in analysis.rows if row.figure == main],
        across=lambda value: round(20 + 360 * value, 1),
        is_known=lambda value: not np.isnan(value),
        style=style,
        version=__version__,
    )
