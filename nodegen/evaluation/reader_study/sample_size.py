"""How many cases give which interval, before a study is made."""

import math

from scipy import stats

from nodegen.evaluation.reader_study.multireader import LEVEL, half_interval
from nodegen.evaluation.statistics import auc_error
from nodegen.io.tables import markdown_table

CORRELATION = 0.4  # of two readers' errors on the same cases; RJafroc's Van Dyke example: 0.43
READER_SD = 0.04  # of readers' true AUC around their mean; same example: sqrt(0.0015)


def half_width(cases: int, readers: int, kind: str, area: float = 0.5) -> float:
    """Half of the 95 % interval that a study of a kind will have, over readers and cases.

    The cases are pairs of a choice study; of a rating study real and synthetic nodules, half each.
    ``area`` is the AUC, or share right, that is expected.
    """
    if kind == "choice":
        error = math.sqrt(area * (1 - area) / cases)
    else:
        error = auc_error(cases // 2, cases - cases // 2, area)
    if readers == 1:
        return float(stats.norm.ppf((1 + LEVEL) / 2) * error)
    between = READER_SD**2 + error**2 * (1 - CORRELATION)
    return half_interval(readers, between, error**2 * CORRELATION)


def table(readers: tuple[int, ...] = (1, 2, 3, 5, 10)) -> str:
    """Half widths as Markdown, for both kinds of study."""
    tables = []
    for kind, words in (("choice", "two-alternative choice: pairs"), ("rating", "rating: nodules")):
        head = [words, *(f"{n} reader{'s' * (n > 1)}" for n in readers)]
        rows = [
            [cases, *(f"± {half_width(cases, n, kind):.3f}" for n in readers)]
            for cases in (30, 60, 100, 150, 200, 300)
        ]
        tables.append(markdown_table(head, rows))
    return "\n\n".join(tables)
