"""ROC and FROC curves of all arms, as SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nodegen.evaluation.utility.bootstrap import FROC_AT, froc, roc
from nodegen.evaluation.utility.measures import Scores, Test, hits_of, image_items, patch_items

AXIS = np.linspace(0.0, 1.0, 201)
RATES = np.geomspace(FROC_AT[0], FROC_AT[-1], 97)


def roc_plot(test: Test, scores: Mapping[str, Sequence[Scores]], depth: str) -> str:
    """ROC curve of each arm: true positive rate, mean over the seeds."""
    items = patch_items if depth == "patches" else image_items
    curves = {}
    for name, of_seeds in scores.items():
        each = []
        for one in of_seeds:
            values, labels, _ = items(test, one)
            each.append(np.interp(AXIS, *roc(values, labels)))
        curves[name] = np.mean(each, axis=0)

    def draw(axis: Any) -> None:
        for name, curve in curves.items():
            axis.plot(AXIS, curve, label=name, lw=1.4)
        axis.plot([0, 1], [0, 1], ":", color="grey", lw=0.8)
        what = "places" if depth == "patches" else "radiographs"
        axis.set_xlabel(f"false positive rate ({what} without a nodule)")
        axis.set_ylabel("true positive rate")

    return _svg(draw)


def froc_plot(test: Test, scores: Mapping[str, Sequence[Scores]]) -> str:
    """FROC curve of each arm: sensitivity at false positives an image, mean over the seeds."""
    once = np.ones((1, len(test.radiographs)))
    curves = {}
    for name, of_seeds in scores.items():
        each = []
        for one in of_seeds:
            rates, sensitivity = froc(hits_of(test, one), once)
            each.append(np.interp(RATES, rates[0, ::-1], sensitivity[0, ::-1]))
        curves[name] = np.mean(each, axis=0)

    def draw(axis: Any) -> None:
        for name, curve in curves.items():
            axis.plot(RATES, curve, label=name, lw=1.4)
        axis.set_xscale("log", base=2)
        axis.set_xticks(FROC_AT, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
        axis.set_xlabel("false positives an image")
        axis.set_ylabel("sensitivity")
        axis.set_ylim(0, 1)

    return _svg(draw)


def _svg(draw: Callable[[Any], None]) -> str:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
                  "svg.hashsalt": "nodegen"}  # fmt: skip
    with pyplot.rc_context(style):
        figure, axis = pyplot.subplots(figsize=(6.4, 4.6), layout="constrained")
        draw(axis)
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        made = io.StringIO()
        figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    text = made.getvalue()
    return text[text.index("<svg") :]
