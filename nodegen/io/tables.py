"""Results as text: tables in Markdown and CSV, and JSON."""

import csv
import io
import math
from collections.abc import Iterable, Sequence

from pydantic_core import to_json


def markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    r"""A table in Markdown of the columns' names and the cells, without a newline at its end.

    Examples
    --------
    >>> print(markdown_table(["method", "AUC"], [["paste", 0.5]]))
    | method | AUC |
    |---|---|
    | paste | 0.5 |
    """
    lines = [head, *rows]
    text = [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(head), *text[1:]])


def csv_text(
    head: Sequence[object], rows: Iterable[Sequence[object]], digits: int | None = 4
) -> str:
    r"""A table as comma-separated values; NaN becomes empty.

    Parameters
    ----------
    head : sequence
        The columns' names.
    rows : iterable of sequences
        Those that are shorter are filled up.
    digits : int or None
        Of floats, after the point; None: as many as say it exactly.

    Examples
    --------
    >>> csv_text(["arm", "AUC"], [["real", 0.5], ["none", float("nan")]])
    'arm,AUC\nreal,0.5000\nnone,\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        cells = [_cell(cell, digits) for cell in row]
        writer.writerow(cells + [""] * (len(head) - len(cells)))
    return text.getvalue()


def json_text(content: object) -> str:
    """Dataclasses, dictionaries, lists and numbers as JSON; NaN becomes null."""
    return to_json(content, indent=2, inf_nan_mode="null").decode() + "\n"


def _cell(value: object, digits: int | None) -> object:
    if not isinstance(value, float) or digits is None:
        return value
    return "" if math.isnan(value) else f"{value:.{digits}f}"
