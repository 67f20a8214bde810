"""Writing what came out: tables, and one self-contained HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from nodegen import __version__
from nodegen.evaluation.utility.gallery import gallery
from nodegen.evaluation.utility.measures import MAIN, Scores, Test
from nodegen.evaluation.utility.plots import froc_plot, roc_plot
from nodegen.evaluation.utility.results import Results, comma_separated, markdown
from nodegen.io.files import write_text

NAME = "utility"  # of the files: .md, .csv, .json, .html
TEMPLATE = "utility.html.j2"


def write_results(
    folder: Path,
    results: Results,
    test: Test,
    scores: Mapping[str, Sequence[Scores]],
    depth: str,
) -> Path:
    """Write ``utility-DEPTH.md``, ``.csv``, ``.json`` and ``.html``; returns the page's path.

    Raises
    ------
    OutputError
        Where they cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("nodegen.evaluation.utility", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    first = results.primary[0] if results.primary[0] in results.arms else next(iter(results.arms))
    missed, alarms = gallery(test, scores, depth, first)
    plots = [roc_plot(test, scores, depth)]
    if depth != "patches":
        plots.append(froc_plot(test, scores))
    page = environment.get_template(TEMPLATE).render(
        version=__version__,
        depth=depth,
        results=results,
        main=MAIN[depth],
        plots=plots,
        galleries=[
            (f"Real nodules that {first} misses most", missed),
            (f"Surest false alarms of {first}", alarms),
        ],
    )
    stem = folder / f"{NAME}-{depth}"
    path = stem.with_suffix(".html")
    write_text(stem.with_suffix(".md"), markdown(results, MAIN[depth]))
    write_text(stem.with_suffix(".csv"), comma_separated(results))
    write_text(stem.with_suffix(".json"), json.dumps(_finite(results.as_dict()), indent=2) + "\n")
    write_text(path, page)
    return path


def _finite(value: object) -> object:
    """NaN becomes null, which JSON knows."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and value != value else value
