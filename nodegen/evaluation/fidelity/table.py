"""Verdicts as tables."""

import math
from collections.abc import Mapping

from nodegen.evaluation.fidelity.comparison import FEWEST, Comparison
from nodegen.evaluation.fidelity.ground import GROUNDS
from nodegen.evaluation.fidelity.judge import JUDGED, Verdict
from nodegen.evaluation.fidelity.measures import MEASURES, SIZE_NAMES
from nodegen.io.tables import csv_text, markdown_table

# Two elsewhere.
DIGITS = {"contrast": 0, "edge_step": 0, "sharpness": 0, "edge_width": 1, "margin_width": 1}
CLASSIFIERS = {
    "classifier_auc": "told from real by a classifier, AUC",
    "classifier_auc_without_grain": "the same without grain, AUC",
}


def markdown(verdicts: Mapping[str, Verdict]) -> str:
    """Markdown tables: what was measured, how far from real nodules, and medians by group."""
    real = _real(verdicts)
    tables = [_measured(verdicts, real)]
    if real:
        tables.append(_distances(verdicts, real))
        tables += [_groups(verdicts, names) for names in (SIZE_NAMES, GROUNDS)]
        tables.append(
            f"Reference: {real.source}. Annotation sources: {', '.join(real.annotation_sources)}. "
            f"A measure that rests on fewer than {FEWEST} real nodules is not compared (–)."
        )
    return "\n\n".join(tables)


def _real(verdicts: Mapping[str, Verdict]) -> Comparison | None:
    return next((v.comparison for v in verdicts.values() if v.comparison), None)


def _measured(verdicts: Mapping[str, Verdict], real: Comparison | None) -> str:
    judged = list(verdicts.values())
    rows: list[list[object]] = [
        [f"{name}, {unit}" if unit else name, real_text(real, name),
         *(quantiles_text(verdict, name) for verdict in judged)]
        for name, unit in JUDGED.items()
    ]  # fmt: skip
    rows += [
        ["detectability by grain, AUC", "", *map(detectability_text, judged)],
        ["largest change far from any box, grey levels", "", *(f"{v.far:.0f}" for v in judged)],
        ["boxes", real.nodules if real else "–", *(v.boxes for v in judged)],
    ]
    return markdown_table(["measure, p5 / p50 / p95", "real", *verdicts], rows)


def _distances(verdicts: Mapping[str, Verdict], real: Comparison) -> str:
    compared = list(verdicts.values())
    alike = {name: found.alike for name, found in real.distances.items()}
    rows: list[list[object]] = [
        [name, real.rests_on[name], f"{alike[name]:.2f}" if name in alike else "–",
         *(distance_text(verdict, name) for verdict in compared)]
        for name in MEASURES
    ]  # fmt: skip
    mean = f"{sum(alike.values()) / len(alike):.2f}" if alike else "–"
    known = [verdict.comparison for verdict in compared]
    rows.append(
        ["mean of all", "", mean, *(f"{one.mean_distance:.2f}" if one else "–" for one in known)]
    )
    rows.append(
        ["half height of the mean profile, half sides", "",
         f"real: {real.profile_half_height['real']:.2f}",
         *(f"{one.profile_half_height['synthetic']:.2f}" if one else "–" for one in known)]
    )  # fmt: skip
    for field, label in CLASSIFIERS.items():
        texts = (classifier_text(verdict, field) for verdict in compared)
        rows.append([label, real.nodules, "0.50", *texts])
    return markdown_table(
        ["distance from real, standard deviations (95 % interval)", "real nodules", "if real",
         *verdicts],
        rows,
    )  # fmt: skip


def _groups(verdicts: Mapping[str, Verdict], names: tuple[str, ...]) -> str:
    """Medians of real and synthetic nodules by size or by ground."""
    known = {name: v.comparison.groups for name, v in verdicts.items() if v.comparison}
    columns = [
        (group, method)
        for group in names
        for method in known
        if any(group in table for table in known.values())
    ]
    rows = []
    for name in ("nodules", *MEASURES):
        cells: list[str] = []
        for group, method in columns:
            found = known[method].get(group, {}).get(name)
            digits = 0 if name == "nodules" else DIGITS.get(name, 2)
            cells.append(
                f"{found['real']:.{digits}f} / {found['synthetic']:.{digits}f}" if found else "–"
            )
        rows.append([name, *cells])
    heads = [f"{group}, {method}" for group, method in columns]
    return markdown_table(["median, real / synthetic", *heads], rows)


def quantiles_text(verdict: Verdict, name: str) -> str:
    """One measure's p5 / p50 / p95; a dash without boxes."""
    return _text(verdict.quantiles[name], name)


def real_text(real: Comparison | None, name: str) -> str:
    """The same of the real nodules; a dash for what is no measure of theirs."""
    return _text(real.real[name], name) if real and name in real.real else "–"


def _text(values: Mapping[str, float], name: str) -> str:
    if any(map(math.isnan, values.values())):
        return "–"
    return " / ".join(f"{value:.{DIGITS.get(name, 2)}f}" for value in values.values())


def detectability_text(verdict: Verdict) -> str:
    """The detectability with its standard error; a dash where there were too few boxes."""
    if math.isnan(verdict.detectability):
        return "–"
    return f"{verdict.detectability:.2f} ± {verdict.detectability_error:.2f}"


def distance_text(verdict: Verdict, name: str) -> str:
    """One measure's distance from real nodules with its interval; a dash where there is none."""
    if not verdict.comparison or name not in verdict.comparison.distances:
        return "–"
    found = verdict.comparison.distances[name]
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def classifier_text(verdict: Verdict, field: str) -> str:
    """A classifier's AUC with its interval; a dash where there were too few radiographs."""
    if not verdict.comparison:
        return "–"
    found = getattr(verdict.comparison, field)
    if math.isnan(found.value):
        return "–"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def comma_separated(verdicts: Mapping[str, Verdict]) -> str:
    """The figures as CSV, one row for each method and measure."""
    head = (
        "method", "measure", "p5", "p50", "p95", "real_p5", "real_p50", "real_p95",
        "distance", "distance_low", "distance_high", "real_nodules",
    )  # fmt: skip
    rows: list[list[object]] = []
    for method, verdict in verdicts.items():
        real = verdict.comparison
        for name in JUDGED:
            row: list[object] = [method, name, *verdict.quantiles[name].values()]
            if real and name in real.real:
                found = real.distances.get(name)
                row += real.real[name].values()
                row += (found.value, found.low, found.high) if found else ("", "", "")
                row.append(real.rests_on[name])
            rows.append(row)
        nothing = math.nan
        rows.append([method, "detectability", nothing, verdict.detectability])
        for field in CLASSIFIERS if real else ():
            found_auc = getattr(real, field)
            rows.append([method, field, found_auc.low, found_auc.value, found_auc.high])
        rows.append([method, "far", nothing, nothing, verdict.far])
    return csv_text(head, rows)
