"""Verdicts as tables."""

import math
from collections.abc import Mapping

from nodegen.evaluation.fidelity.comparison import FEWEST
from nodegen.evaluation.fidelity.ground import GROUNDS
from nodegen.evaluation.fidelity.judge import JUDGED, Verdict
from nodegen.evaluation.fidelity.nodule_measures import MEASURES, SIZE_NAMES
from nodegen.io.tables import csv_text, markdown_table

CLASSIFIERS = {
    "classifier_auc": "told from real by a classifier, AUC",
    "classifier_auc_without_grain": "the same without grain, AUC",
}
Row = list[object]


def markdown(verdicts: Mapping[str, Verdict]) -> str:
    """Verdicts by method in Markdown: what was measured, how far from real, medians by group."""
    judged = list(verdicts.values())
    real = next((v.comparison for v in judged if v.comparison), None)
    rows: list[Row] = [
        [f"{name}, {measure.unit}" if measure.unit else name,
         quantiles_text(real.real, name) if real else "–",
         *(quantiles_text(verdict.measures, name) for verdict in judged)]
        for name, measure in JUDGED.items()
    ]  # fmt: skip
    rows += [
        ["detectability by grain, AUC", "", *map(detectability_text, judged)],
        ["largest change far from any box, grey levels", "", *(f"{v.far:.0f}" for v in judged)],
        ["boxes", real.nodules if real else "–", *(v.boxes for v in judged)],
    ]
    tables = [markdown_table(["measure, p5 / p50 / p95", "real", *verdicts], rows)]
    if real:
        tables.append(_distances(verdicts))
        tables += [_groups(verdicts, names) for names in (SIZE_NAMES, GROUNDS)]
        tables.append(
            f"Reference: {real.source}. Annotation sources: {', '.join(real.annotation_sources)}. "
            f"A measure that rests on fewer than {FEWEST} real nodules is not compared (–)."
        )
    return "\n\n".join(tables)


def _distances(verdicts: Mapping[str, Verdict]) -> str:
    known = [verdict.comparison for verdict in verdicts.values()]
    real = next(one for one in known if one)
    alike = {name: found.alike for name, found in real.distances.items()}
    mean = sum(alike.values()) / len(alike) if alike else math.nan
    rows: list[Row] = [
        [name, real.rests_on[name], _number(alike.get(name, math.nan)),
         *(distance_text(verdict, name) for verdict in verdicts.values())]
        for name in MEASURES
    ]  # fmt: skip
    rows += [
        ["mean of all", "", _number(mean),
         *(_number(c.mean_distance) if c else "–" for c in known)],
        ["half height of the mean profile, half sides", "",
         f"real: {real.profile_half_height['real']:.2f}",
         *(_number(c.profile_half_height["synthetic"]) if c else "–" for c in known)],
    ]  # fmt: skip
    for field, label in CLASSIFIERS.items():
        texts = (classifier_text(verdict, field) for verdict in verdicts.values())
        rows.append([label, real.nodules, "0.50", *texts])
    head = "distance from real, standard deviations (95 % interval)"
    return markdown_table([head, "real nodules", "if real", *verdicts], rows)


def _groups(verdicts: Mapping[str, Verdict], names: tuple[str, ...]) -> str:
    """Medians of real and synthetic nodules by size or by ground."""
    known = {name: v.comparison.groups for name, v in verdicts.items() if v.comparison}
    present = [group for group in names if any(group in table for table in known.values())]
    columns = {
        f"{group}, {method}": known[method].get(group, {}) for group in present for method in known
    }
    rows: list[Row] = []
    for name in ("nodules", *MEASURES):
        digits = MEASURES[name].digits if name in MEASURES else 0
        found = (column.get(name) for column in columns.values())
        texts = (
            f"{f['real']:.{digits}f} / {f['synthetic']:.{digits}f}" if f else "–" for f in found
        )
        rows.append([name, *texts])
    return markdown_table(["median, real / synthetic", *columns], rows)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def quantiles_text(measures: Mapping[str, Mapping[str, float]], name: str) -> str:
    """One measure's p5 / p50 / p95; a dash where there is none."""
    values = measures.get(name, {"p50": math.nan}).values()
    if any(map(math.isnan, values)):
        return "–"
    return " / ".join(f"{value:.{JUDGED[name].digits}f}" for value in values)


def detectability_text(verdict: Verdict) -> str:
    """The detectability with its standard error; a dash where there were too few boxes."""
    if math.isnan(verdict.detectability):
        return "–"
    return f"{verdict.detectability:.2f} ± {verdict.detectability_error:.2f}"


def distance_text(verdict: Verdict, name: str) -> str:
    """One measure's distance from real nodules with its interval; a dash where there is none."""
    found = verdict.comparison and verdict.comparison.distances.get(name)
    return f"{found:.2f}" if found else "–"


def classifier_text(verdict: Verdict, field: str) -> str:
    """A classifier's AUC with its interval; a dash where there were too few radiographs."""
    return f"{getattr(verdict.comparison, field):.2f}" if verdict.comparison else "–"


def comma_separated(verdicts: Mapping[str, Verdict]) -> str:
    """The figures of verdicts by method as CSV, one row for each method and measure."""
    head = (
        "method", "measure", "p5", "p50", "p95", "real_p5", "real_p50", "real_p95",
        "distance", "distance_low", "distance_high", "real_nodules",
    )  # fmt: skip
    rows: list[Row] = []
    for method, verdict in verdicts.items():
        real = verdict.comparison
        for name in JUDGED:
            row: Row = [method, name, *verdict.measures[name].values()]
            if real and name in real.real:
                found = real.distances.get(name)
                distance = (found.value, found.low, found.high) if found else ("", "", "")
                row += (*real.real[name].values(), *distance, real.rests_on[name])
            rows.append(row)
        rows.append([method, "detectability", "", verdict.detectability])
        for field in CLASSIFIERS if real else ():
            found_auc = getattr(real, field)
            rows.append([method, field, found_auc.low, found_auc.value, found_auc.high])
        rows.append([method, "far", "", "", verdict.far])
    return csv_text(head, rows)
