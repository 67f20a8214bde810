"""Verdicts as tables."""

import csv
import io
import math
from collections.abc import Mapping

from nodegen.evaluation.fidelity.against import Fidelity
from nodegen.evaluation.fidelity.classifier import ToldApart
from nodegen.evaluation.fidelity.judge import JUDGED, Verdict
from nodegen.evaluation.fidelity.measures import MEASURES, SIZE_NAMES

DIGITS = {"contrast": 0, "edge_step": 0, "sharpness": 0, "edge_width": 1}  # two elsewhere


def markdown(verdicts: Mapping[str, Verdict]) -> str:
    """Markdown tables: what was measured, how far from real nodules, and medians by size."""
    first = next((v.fidelity for v in verdicts.values() if v.fidelity), None)
    tables = [_measured(verdicts, first)]
    if first:
        tables += [_apart(verdicts, first), _sizes(verdicts)]
        tables.append(f"Reference: {first.source}. Held against: {', '.join(first.trusts)}.")
    return "\n\n".join(tables)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _head(*cells: str) -> str:
    return _line(*cells) + "\n|" + "---|" * len(cells)


def _measured(verdicts: Mapping[str, Verdict], real: Fidelity | None) -> str:
    lines = [_head("measure, p5 / p50 / p95", "real", *verdicts)]
    for name, unit in JUDGED.items():
        cells = [quantiles_text(verdict, name) for verdict in verdicts.values()]
        lines.append(_line(f"{name}, {unit}" if unit else name, real_text(real, name), *cells))
    ends: tuple[tuple[str, str, list[str]], ...] = (
        ("detectability by grain, AUC", "", [*map(detectability_text, verdicts.values())]),
        (
            "largest change far from any box, grey levels",
            "",
            [f"{v.far:.0f}" for v in verdicts.values()],
        ),
        (
            "boxes",
            str(real.nodules) if real else "–",
            [str(v.boxes) for v in verdicts.values()],
        ),
    )
    for label, own, cells in ends:
        lines.append(_line(label, own, *cells))
    return "\n".join(lines)


def _apart(verdicts: Mapping[str, Verdict], real: Fidelity) -> str:
    alike = [f"{found.alike:.2f}" for found in real.distances.values()]
    lines = [
        _head(
            "distance from real, standard deviations (95 % interval)", "were they real", *verdicts
        )
    ]
    for name, chance in zip(MEASURES, alike, strict=True):
        cells = [distance_text(verdict, name) for verdict in verdicts.values()]
        lines.append(_line(name, chance, *cells))
    mean = sum(found.alike for found in real.distances.values()) / len(real.distances)
    lines.append(
        _line(
            "mean of all", f"{mean:.2f}",
            *(f"{v.fidelity.mean_distance:.2f}" if v.fidelity else "–" for v in verdicts.values()),
        )
    )  # fmt: skip
    own = f"real: {real.profile_half_height['real']:.2f}"
    lines.append(
        _line(
            "half height of the mean profile, half sides", own,
            *(f"{v.fidelity.profile_half_height['synthetic']:.2f}" if v.fidelity else "–"
              for v in verdicts.values()),
        )
    )  # fmt: skip
    for label, field in (
        ("told from real by a classifier, AUC", "told_apart"),
        ("the same without grain, AUC", "told_apart_without_grain"),
    ):
        lines.append(_line(label, "0.50", *(told_text(v, field) for v in verdicts.values())))
    return "\n".join(lines)


def _sizes(verdicts: Mapping[str, Verdict]) -> str:
    known = {name: v.fidelity.sizes for name, v in verdicts.items() if v.fidelity}
    sizes = [size for size in SIZE_NAMES if any(size in table for table in known.values())]
    heads = [f"{size}, {method}" for size in sizes for method in known]
    lines = [_head("median, real / synthetic", *heads)]
    for name in ("nodules", *MEASURES):
        cells = []
        for size in sizes:
            for table in known.values():
                found = table.get(size, {}).get(name)
                digits = 0 if name == "nodules" else DIGITS.get(name, 2)
                cells.append(
                    f"{found['real']:.{digits}f} / {found['synthetic']:.{digits}f}"
                    if found
                    else "–"
                )
        lines.append(_line(name, *cells))
    return "\n".join(lines)


def quantiles_text(verdict: Verdict, name: str) -> str:
    """One measure's p5 / p50 / p95; a dash without boxes."""
    return _text(verdict.quantiles[name], name)


def real_text(real: Fidelity | None, name: str) -> str:
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
    if not verdict.fidelity or name not in verdict.fidelity.distances:
        return "–"
    found = verdict.fidelity.distances[name]
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def told_text(verdict: Verdict, field: str) -> str:
    """A classifier's AUC with its interval; a dash where there were too few radiographs."""
    found: ToldApart | None = getattr(verdict.fidelity, field, None)
    if found is None or math.isnan(found.auc):
        return "–"
    return f"{found.auc:.2f} ({found.low:.2f} to {found.high:.2f})"


def comma_separated(verdicts: Mapping[str, Verdict]) -> str:
    """The figures as CSV, one row for each method and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("method", "measure", "p5", "p50", "p95", "real_p5", "real_p50", "real_p95",
         "distance", "distance_low", "distance_high")
    )  # fmt: skip
    for method, verdict in verdicts.items():
        real = verdict.fidelity
        for name in JUDGED:
            cells = [_cell(v) for v in verdict.quantiles[name].values()]
            if real and name in real.distances:
                found = real.distances[name]
                cells += [_cell(v) for v in real.real[name].values()]
                cells += [_cell(v) for v in (found.value, found.low, found.high)]
            writer.writerow((method, name, *cells, *[""] * (9 - len(cells))))
        nothing = math.nan
        rows = {"detectability": (nothing, verdict.detectability, nothing)}
        if real:
            for name in ("told_apart", "told_apart_without_grain"):
                told: ToldApart = getattr(real, name)
                rows[name] = (told.low, told.auc, told.high)
        rows["far"] = (nothing, nothing, verdict.far)
        for name, values in rows.items():
            writer.writerow((method, name, *map(_cell, values), *[""] * 6))
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
