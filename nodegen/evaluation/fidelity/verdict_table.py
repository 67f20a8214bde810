"""Verdicts in a sentence and as tables, and the reference as a table."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from nodegen.evaluation.fidelity.comparison import quantiles
from nodegen.evaluation.fidelity.ground import GROUNDS
from nodegen.evaluation.fidelity.judge import Verdict
from nodegen.evaluation.fidelity.nodule_measures import JUDGED, MEASURES, SIZES_PX, title_of
from nodegen.evaluation.fidelity.reference import Reference, parts_of
from nodegen.evaluation.statistics import FEWEST
from nodegen.io.tables import csv_text, markdown_table

CLASSIFIERS = {
    "classifier_auc": "classifier against real, AUC",
    "classifier_auc_without_grain": "the same without grain, AUC",
}
Row = list[object]


def verdict_sentence(verdict: Verdict) -> str:
    """Whether a classifier distinguishes the nodules from real ones, and which medians are off."""
    boxes, real, auc = verdict.boxes, verdict.comparison, verdict.comparison.classifier_auc
    if boxes < FEWEST:
        are = "box is" if boxes == 1 else "boxes are"
        return f"No verdict: {boxes} {are} too few; {FEWEST} or more are needed."
    if math.isnan(auc.value):
        said = f"The {boxes} boxes lie in too few radiographs for a classifier against real nodules"
    else:
        does = "distinguishes" if auc.low > 0.5 else "does not distinguish"
        said = (
            f"A classifier {does} these nodules from real ones: AUC {auc:.2f}, where 0.5 is "
            f"chance, by {boxes} boxes and {real.nodules} real nodules"
        )
    outside = [
        title_of(name).lower()
        for name, levels in real.real.items()
        if not levels["p5"] <= verdict.measures[name]["p50"] <= levels["p95"]
    ]
    inside = f"{len(MEASURES) - len(outside)} of {len(MEASURES)} measures"
    named = f", outside in {', '.join(outside)}" if outside else ""
    return f"{said}; medians are within the real range in {inside}{named}."


def markdown(verdicts: Mapping[str, Verdict]) -> str:
    """Verdicts in Markdown.

    First a sentence on each; then tables of what was measured, how far it is from real nodules, and
    medians by size and by ground.

    Parameters
    ----------
    verdicts : dict
        One at least, by the method's name.
    """
    judged = list(verdicts.values())
    real = judged[0].comparison
    rows: list[Row] = [
        [f"{name}, {measure.unit}" if measure.unit else name,
         quantiles_text(real.real, name),
         *(quantiles_text(verdict.measures, name) for verdict in judged)]
        for name, measure in JUDGED.items()
    ]  # fmt: skip
    rows += [
        ["detectability by grain, AUC", "", *map(detectability_text, judged)],
        ["largest change far from any box, grey levels", "", *(f"{v.far:.0f}" for v in judged)],
        ["boxes", real.nodules, *(v.boxes for v in judged)],
    ]
    sentences = {name: verdict_sentence(verdict) for name, verdict in verdicts.items()}
    parts = [f"{name}: {said}" if len(judged) > 1 else said for name, said in sentences.items()]
    parts += [
        markdown_table(["measure, p5 / p50 / p95", "real", *verdicts], rows),
        _distances(verdicts),
        _groups(verdicts, SIZES_PX),
        _groups(verdicts, GROUNDS),
        f"Reference: {real.source}. Annotation sources: {', '.join(real.annotation_sources)}. "
        f"A measure that rests on fewer than {FEWEST} real nodules is not compared (–).",
    ]
    return "\n\n".join(parts)


def _distances(verdicts: Mapping[str, Verdict]) -> str:
    found = [verdict.comparison for verdict in verdicts.values()]
    real = found[0]
    alike = pd.Series({name: real.distances[name].alike for name in MEASURES})
    rows: list[Row] = [
        [name, real.rests_on[name], _number(alike[name]),
         *(f"{one.distances[name]:.2f}" for one in found)]
        for name in MEASURES
    ]  # fmt: skip
    rows += [
        ["mean of all", "", _number(alike.mean()), *(_number(c.mean_distance) for c in found)],
        ["half height of the mean profile, half sides", "",
         f"real: {real.profile_half_height['real']:.2f}",
         *(_number(one.profile_half_height["synthetic"]) for one in found)],
    ]  # fmt: skip
    for field, label in CLASSIFIERS.items():
        rows.append([label, real.nodules, "0.50", *(f"{getattr(one, field):.2f}" for one in found)])
    head = "distance from real, standard deviations (95 % interval)"
    return markdown_table([head, "real nodules", "if real", *verdicts], rows)


def _groups(verdicts: Mapping[str, Verdict], names: Iterable[str]) -> str:
    """Medians of real and synthetic nodules by size or by ground."""
    columns = {
        f"{group}, {method}": verdict.comparison.groups.get(group, {})
        for group in names
        for method, verdict in verdicts.items()
        if any(group in other.comparison.groups for other in verdicts.values())
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
    digits = JUDGED[name].digits if name in JUDGED else 2
    known = not any(map(math.isnan, values))
    return " / ".join(f"{value:.{digits}f}" for value in values) if known else "–"


def detectability_text(verdict: Verdict) -> str:
    """The detectability with its standard error; a dash where there were too few boxes."""
    if math.isnan(verdict.detectability):
        return "–"
    return f"{verdict.detectability:.2f} ± {verdict.detectability_error:.2f}"


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
            if name in MEASURES:
                far = real.distances[name]
                row += [*real.real[name].values(), far.value, far.low, far.high]
                row.append(real.rests_on[name])
            rows.append(row)
        rows.append([method, "detectability", "", verdict.detectability])
        for field in CLASSIFIERS:
            auc = getattr(real, field)
            rows.append([method, field, auc.low, auc.value, auc.high])
        rows.append([method, "far", "", "", verdict.far])
    return csv_text(head, rows)


def reference_table(reference: Reference) -> str:
    """Quantiles of a reference's measures in Markdown, a row each.

    Parameters
    ----------
    reference : Reference
        Its columns are the annotation sources, all main ones, and these by size and by ground.
    """
    main = reference.table()
    groups = {source: reference.table(source) for source in reference.annotation_sources}
    groups |= {"main": main, **{f"main, {kind}": part for kind, part in parts_of(main).items()}}
    columns = {}
    for group, table in groups.items():
        values = table[["size_px", *MEASURES]].assign(
            edge_width_mm=table["edge_width"] * table["mm_per_px"].astype(float)
        )
        found = quantiles(values)
        texts = {name: quantiles_text(found, name) for name in found}
        counts = {"nodules": len(table), "radiographs": table["radiograph"].nunique()}
        columns[group] = {**counts, **texts}
    rows = ([name, *(column[name] for column in columns.values())] for name in columns["main"])
    return markdown_table(["p5 / p50 / p95", *columns], rows)
