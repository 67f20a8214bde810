"""The analysis of a study: figures with intervals, by reader and by subgroup, as page and CSV."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nodegen import __version__
from nodegen.evaluation.reader_study.answers import Study, read_study
from nodegen.evaluation.reader_study.figures import KINDS, agreement, seconds
from nodegen.evaluation.reader_study.multireader import ReaderEstimate
from nodegen.evaluation.viewer.html_page import render, style
from nodegen.io.files import write_text
from nodegen.io.tables import csv_text, markdown_table

WRITTEN = PAGE, FIGURES, CASES = "analysis.html", "analysis.csv", "cases.csv"
SECONDS = "seconds a case, quartiles"
SUBGROUPS = ("size", "contrast to noise", "zone", "group", "source", "method")


class FigureRow(NamedTuple):
    """One figure of one subgroup, over all readers or of one."""

    figure: str
    subgroup: str
    reader: str
    estimate: ReaderEstimate


class Analysis(NamedTuple):
    """All figures of a study."""

    study: Study
    rows: list[FigureRow]


def analyse(key: Path, answers: Sequence[Path], output: Path) -> Analysis:
    """Analyse a study and write ``analysis.html``, ``analysis.csv`` and ``cases.csv``.

    Parameters
    ----------
    key : Path
        ``NAME.key.json``, which :func:`.study_page.write_study` has written beside the page.
    answers : list of Path
        What the page saved, one file a reader.
    output : Path
        The folder for the three.

    Raises
    ------
    SettingError
        Where the files are not those of one study.
    OutputError
        Where the results cannot be written.
    """
    study = read_study(key, answers)
    groups = [("all", list(study.answers.values()))]
    if len(study.answers) > 1:
        groups += [(reader, [mine]) for reader, mine in study.answers.items()]
    figures, _ = KINDS[study.plan.kind]
    rows = [
        FigureRow(figure, subgroup, reader, estimate)
        for subgroup, cases in _subgroups(study)
        for reader, given in (groups if subgroup == "all" else groups[:1])
        for figure, estimate in figures(study, cases, given)
    ]
    rows.append(FigureRow("Fleiss kappa", "all", "all", agreement(study)))
    rows += [FigureRow(SECONDS, "all", reader, found) for reader, found in seconds(study)]
    analysis = Analysis(study, rows)
    write_text(output / FIGURES, _figures_csv(analysis))
    write_text(output / CASES, _cases_csv(study))
    write_text(output / PAGE, _page(analysis))
    return analysis


def _subgroups(study: Study) -> Iterator[tuple[str, list[str]]]:
    yield "all", study.cases
    for name in ("method",) if study.plan.kind == "marking" else SUBGROUPS:
        values = {case: str(study.key[case].get(name, "")) for case in study.cases}
        known = sorted({*values.values()} - {""})
        for value in known if len(known) > 1 else ():
            # A method's nodules stand beside all that no method has drawn.
            counted = (value, "") if name == "method" else (value,)
            yield f"{name}: {value}", [case for case, own in values.items() if own in counted]


def _figures_csv(analysis: Analysis) -> str:
    head = ("figure", "subgroup", "reader", "cases", "value", "low", "high")
    rows = (
        (row.figure, row.subgroup, row.reader, e.cases, e.value, e.low, e.high)
        for row in analysis.rows
        for e in [row.estimate]
    )
    return csv_text(head, rows)


def _cases_csv(study: Study) -> str:
    truths = ("kind", "radiograph", "size", "contrast to noise", "zone", "method")
    rows: list[tuple[object, ...]] = []
    for case in study.cases:
        known = [study.key[case].get(name, "") for name in truths]
        for reader, mine in study.answers.items():
            answer = {k: v for k, v in mine[case].items() if k not in ("case", "at")}
            seconds = answer.pop("seconds", "")
            said = "; ".join(f"{k} {v}" for k, v in answer.items())
            rows.append((case, *known, reader, said, seconds))
    head = ("case", "truth", "radiographs", *truths[2:], "reader", "answer", "seconds")
    return csv_text(head, rows)


def markdown(analysis: Analysis) -> str:
    """The figures over all cases and readers, and each reader's seconds a case, in Markdown."""
    rows = (
        (
            row.figure if row.reader == "all" else f"{row.figure}, {row.reader}",
            row.estimate,
            row.estimate.cases,
        )
        for row in analysis.rows
        if row.subgroup == "all" and (row.reader == "all" or row.figure == SECONDS)
    )
    return markdown_table(("figure", "over all readers", "cases"), rows)


def _page(analysis: Analysis) -> str:
    content = {
        "analysis": analysis,
        "study": analysis.study,
        "main": analysis.rows[0].figure,
        "seconds": SECONDS,
        "across": lambda value: round(20 + 360 * value, 1),
        "is_known": lambda value: not np.isnan(value),
        "style": style(),
        "version": __version__,
    }
    return render("nodegen.evaluation.reader_study", "analysis.html.j2", content)
