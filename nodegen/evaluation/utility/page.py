"""Writing what came out: tables, and one self-contained HTML page with curves and pictures."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from nodegen import __version__
from nodegen.evaluation.utility.results import UtilityResults, kinds_table, main_table, markdown
from nodegen.evaluation.utility.scoring import FROC_AT, Scores, TestSet, froc, hits_of
from nodegen.evaluation.viewer.html_page import render
from nodegen.io.files import write_text
from nodegen.io.preview import around, data_uri, eight_bit, resized

SHOWN = 12  # pictures of missed nodules
AROUND = 3.0  # a picture shows so many of the box's larger sides
PICTURE_PX = 160
WINDOW_PERCENTILES = (1, 99)
RATES = np.geomspace(FROC_AT[0], FROC_AT[-1], 97)

ArmScores = Mapping[str, Sequence[Scores]]


def write_results(
    folder: Path, results: UtilityResults, test: TestSet, scores: ArmScores, model: str
) -> None:
    """Write ``utility-MODEL.md``, ``.json`` and ``.html``; scores are each arm's, seed by seed."""
    first = results.primary[0] if results.primary[0] in results.arms else next(iter(results.arms))
    words = {
        "version": __version__, "model": model, "results": results, "first": first,
        "main": main_table(results), "kinds": kinds_table(results),
        "plot": _froc_plot(test, scores), "pictures": _pictures(test, scores, first),
    }  # fmt: skip
    contents = {
        "md": markdown(results),
        "json": json.dumps(results.as_dict(), indent=2) + "\n",
        "html": render("nodegen.evaluation.utility", "utility.html.j2", words),
    }
    for suffix, content in contents.items():
        write_text(folder / f"utility-{model}.{suffix}", content)


def _froc_plot(test: TestSet, scores: ArmScores) -> str:
    """FROC curve of each arm as SVG: sensitivity at false positives an image, mean of the seeds."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    once = np.ones((1, len(test.radiographs)))
    style: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
                  "svg.hashsalt": "nodegen"}  # fmt: skip
    with pyplot.rc_context(style):
        figure, axis = pyplot.subplots(figsize=(6.4, 4.6), layout="constrained")
        for name, of_seeds in scores.items():
            curves = [froc(hits_of(test.radiographs, one), once) for one in of_seeds]
            each = [np.interp(RATES, rates[0, ::-1], found[0, ::-1]) for rates, found in curves]
            axis.plot(RATES, np.mean(each, axis=0), label=name, lw=1.4)
        axis.set_xscale("log", base=2)
        axis.set_xticks(FROC_AT, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
        axis.set_xlabel("false positives an image")
        axis.set_ylabel("sensitivity")
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        made = io.StringIO()
        figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    text = made.getvalue()
    return text[text.index("<svg") :]


def _pictures(test: TestSet, scores: ArmScores, arm: str) -> list[dict[str, Any]]:
    """The nodules that ``arm`` scores lowest, with the best score of each arm's hits."""
    nodules = [(one, box) for one in test.radiographs for box in one.nodules]
    best = {
        name: np.mean([hits_of(test.radiographs, one).true for one in of_seeds], axis=0)
        for name, of_seeds in scores.items()
    }
    found = []
    for i in np.argsort(best[arm], kind="stable")[:SHOWN]:
        one, box = nodules[i]
        pixels = one.load()
        rows, columns = around(box, pixels.shape, AROUND)
        grey = Image.fromarray(eight_bit(pixels[rows, columns], WINDOW_PERCENTILES))
        image, scale = resized(grey, PICTURE_PX, Image.Resampling.BICUBIC)
        image = image.convert("RGB")
        corners = np.array(box.edges)
        start = np.array([columns.start, rows.start] * 2)
        ImageDraw.Draw(image).rectangle(list((corners - start) * scale), outline=(255, 190, 60))
        figures = {name: float(values[i]) for name, values in best.items()}
        found.append({"name": one.name, "box": box, "uri": data_uri(image), "figures": figures})
    return found
