"""How each measure is distributed over all boxes, as one SVG."""

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from nodegen.evaluation.fidelity.judge import JUDGED, Verdict

COLOURS = ("#2f6fb2", "#d1702c", "#4c8f4f", "#8a5aa8", "#7a7a7a")
REAL = "#e3e0d8"  # the band of real nodules
MEDIAN = "#8d8778"  # and their median
COLUMNS = 4
JITTER = 0.16


def distributions(verdicts: Mapping[str, Verdict]) -> str:
    """One panel a measure: a point for each box, and p5, p50 and p95 of each method.

    The band behind them is p5 to p95 of real nodules, the broken line their median.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rng = np.random.default_rng(0)
    real = next((v.comparison for v in verdicts.values() if v.comparison), None)
    style: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with pyplot.rc_context(style):
        rows = -(-len(JUDGED) // COLUMNS)
        size = COLUMNS * 2.7, rows * 2.3
        figure, axes = pyplot.subplots(rows, COLUMNS, figsize=size, layout="constrained")
        for axis in axes.flat[len(JUDGED) :]:
            axis.remove()
        for axis, (name, unit) in zip(axes.flat, JUDGED.items(), strict=False):
            for place, verdict in enumerate(verdicts.values()):
                colour = COLOURS[place % len(COLOURS)]
                values = np.array([row[name] for row in verdict.rows])
                across = place + rng.uniform(-JITTER, JITTER, len(values))
                axis.plot(across, values, ".", ms=5, alpha=0.6, color=colour, mew=0)
                for share, width in (("p5", 0.2), ("p50", 0.34), ("p95", 0.2)):
                    level = verdict.quantiles[name][share]
                    axis.hlines(level, place - width, place + width, color=colour, lw=1.6)
            if real and name in real.real:
                levels = real.real[name]
                axis.axhspan(levels["p5"], levels["p95"], color=REAL, lw=0, zorder=0)
                axis.axhline(levels["p50"], color=MEDIAN, lw=1.2, ls="--", zorder=0.5)
            axis.set_title(f"{name}, {unit}" if unit else name, fontsize=9, loc="left")
            axis.set_xticks(range(len(verdicts)), list(verdicts))
            axis.set_xlim(-0.6, len(verdicts) - 0.4)
            axis.grid(axis="y", alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
        made = io.StringIO()
        figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    svg = made.getvalue()
    # Inline, an SVG needs neither its prologue nor a size of its own; it scales with the page.
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
