"""Verdicts as one table."""

import csv
import io
import math
from collections.abc import Mapping

from nodegen.evaluation.fidelity.judge import Verdict
from nodegen.evaluation.fidelity.measures import MEASURES

DIGITS = {"contrast": 0}  # after the point; two elsewhere


def markdown(verdicts: Mapping[str, Verdict]) -> str:
    """A Markdown table: one row a measure, one column a method, p5 / p50 / p95 in each cell."""
    lines = [
        "| measure, p5 / p50 / p95 | " + " | ".join(verdicts) + " |",
        "|---|" + "---|" * len(verdicts),
    ]
    for name, unit in MEASURES.items():
        cells = [quantiles_text(verdict, name) for verdict in verdicts.values()]
        label = f"{name}, {unit}" if unit else name
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    lines.append("| tell, AUC | " + " | ".join(map(tell_text, verdicts.values())) + " |")
    far = " | ".join(f"{v.far:.0f}" for v in verdicts.values())
    lines.append(f"| largest change far from any box, grey levels | {far} |")
    lines.append("| boxes | " + " | ".join(str(v.boxes) for v in verdicts.values()) + " |")
    return "\n".join(lines)


def quantiles_text(verdict: Verdict, name: str) -> str:
    """One measure's p5 / p50 / p95."""
    digits = DIGITS.get(name, 2)
    return " / ".join(f"{value:.{digits}f}" for value in verdict.quantiles[name].values())


def tell_text(verdict: Verdict) -> str:
    """The tell with its standard error; a dash where there were too few boxes."""
    if math.isnan(verdict.tell):
        return "–"
    return f"{verdict.tell:.2f} ± {verdict.tell_error:.2f}"


def comma_separated(verdicts: Mapping[str, Verdict]) -> str:
    """The same as CSV, one row for each method and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("method", "measure", "p5", "p50", "p95"))
    for method, verdict in verdicts.items():
        for name in MEASURES:
            values = verdict.quantiles[name]
            writer.writerow((method, name, *(f"{values[p]:.4f}" for p in ("p5", "p50", "p95"))))
        writer.writerow((method, "tell", "", f"{verdict.tell:.4f}", ""))
        writer.writerow((method, "far", "", "", f"{verdict.far:.2f}"))
    return text.getvalue()
