"""One self-contained HTML page out of judged stacks: what it holds, and writing it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodegen import __version__
from nodegen.evaluation.fidelity.judge import Pair, Verdict, judge, read_pair
from nodegen.evaluation.fidelity.measures import MEASURES
from nodegen.evaluation.fidelity.table import quantiles_text, tell_text
from nodegen.evaluation.report.images import (
    before_image,
    change_image,
    crop_of,
    cut,
    overview_image,
)
from nodegen.evaluation.report.plots import distributions
from nodegen.io.boxes import BOXES
from nodegen.io.files import write_text
from nodegen.pipeline import Run

TEMPLATE = "template.html.j2"
STYLE, SCRIPT = "report.css", "report.js"


@dataclass(frozen=True)
class Treated:
    """A stack before and after one treatment, as the report shows it.

    Attributes
    ----------
    method : str
        The treatment's name; runs of one method are judged together.
    stack : str
        The stack's name; runs of one stack share its pictures.
    header : dict
        What ``recipes.json`` says beside the recipes.
    recipes : list of dict
        As in ``recipes.json``; empty where none are known.
    """

    method: str
    stack: str
    pair: Pair
    header: Mapping[str, Any] = field(default_factory=dict)
    recipes: Sequence[Mapping[str, Any]] = ()


class Report:
    """Collects treated stacks one by one, keeping of each only what the page shows."""

    def __init__(self) -> None:
        self.crops: dict[str, dict[str, Any]] = {}
        self.slices: dict[str, dict[str, Any]] = {}
        self.cases: list[dict[str, Any]] = []
        self.headers: list[dict[str, Any]] = []

    def add(self, treated: Treated, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add a treated stack, with the measures of each of its boxes, in the boxes' order."""
        header = treated.header
        self.headers.append({"method": treated.method, "stack": treated.stack, **header})
        recipes = {recipe["index"]: recipe for recipe in treated.recipes}
        pair = treated.pair
        for box, row in zip(pair.boxes, rows, strict=True):
            where = f"{treated.stack}/{box.slice}"
            if where not in self.slices:
                height, width = pair.before.shape[1:]
                self.slices[where] = {
                    "image": overview_image(pair.before[box.slice]),
                    "width": width,
                    "height": height,
                }
            crop = crop_of(box, pair.before.shape[1:])
            before = cut(pair.before[box.slice], crop)
            key = f"{treated.stack}/{box.index}"
            if key not in self.crops:
                image, low, high = before_image(before)
                self.crops[key] = {"image": image, "low": low, "high": high, "crop": vars(crop)}
            change, step = change_image(cut(pair.after[box.slice], crop) - before)
            recipe = recipes.get(box.index, {})
            self.cases.append(
                {
                    "method": treated.method,
                    "stack": treated.stack,
                    # As text, as the recipe: a browser's numbers end at 53 bits.
                    "seed": str(header["seed"]) if "seed" in header else None,
                    "slice": box.slice,
                    "index": box.index,
                    "box": [box.left, box.top, box.right, box.bottom],
                    "signal": recipe.get("signal", "unknown"),
                    "crop": key,
                    "change": change,
                    "step": step,
                    "measures": {name: row[name] for name in MEASURES},
                    "recipe": {key: str(value) for key, value in recipe.items()},
                }
            )

    def write(self, path: Path, verdicts: Mapping[str, Verdict]) -> None:
        """Write the page.

        Raises
        ------
        OutputError
            Where it cannot be written.
        """
        from jinja2 import Environment, PackageLoader, StrictUndefined

        loader = PackageLoader("nodegen.evaluation.report", ".")
        environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        data = {
            "cases": self.cases,
            "crops": self.crops,
            "slices": self.slices,
            "measures": MEASURES,
        }
        # "</" would end the script element that holds the data.
        text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
        page = environment.get_template(TEMPLATE).render(
            version=__version__,
            headers=self.headers,
            methods=list(verdicts),
            verdicts=verdicts,
            quantiles_text=quantiles_text,
            tell_text=tell_text,
            measures=MEASURES,
            signals=sorted({case["signal"] for case in self.cases}),
            plots=distributions(verdicts) if self.cases else "",
            style=_source(STYLE),
            script=_source(SCRIPT),
            data=text,
        )
        write_text(path, page)


def write_report(path: Path, treated: Iterable[Treated]) -> dict[str, Verdict]:
    """Judge treated stacks, method by method, and write the report.

    Returns
    -------
    dict of Verdict
        By method.

    Raises
    ------
    OutputError
        Where the report cannot be written.
    """
    report = Report()
    by_method: dict[str, list[Treated]] = {}
    for one in treated:
        by_method.setdefault(one.method, []).append(one)
    verdicts = {}
    for method, ones in by_method.items():
        verdict = verdicts[method] = judge([one.pair for one in ones])
        rows = iter(verdict.rows)
        for one in ones:
            report.add(one, [next(rows) for _ in one.pair.boxes])
    report.write(path, verdicts)
    return verdicts


def write_report_of_run(path: Path, input_dir: Path, run: Run) -> None:
    """Write the report of one run of :func:`nodegen.pipeline.generate`.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    before = Path(input_dir) / run.image.name
    pair = read_pair(before, run.image, Path(input_dir) / BOXES, 0)
    method = run.header["settings"]["method"]
    write_report(path, [Treated(method, run.image.stem, pair, run.header, run.recipes)])


def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text()
