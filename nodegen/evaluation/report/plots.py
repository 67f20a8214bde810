"""How each measure is distributed over all boxes, as one SVG."""

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from nodegen.evaluation.fidelity.judge import Verdict
from nodegen.evaluation.fidelity.measures import MEASURES

COLOURS = ("#2f6fb2", "#d1702c", "#4c8f4f", "#8a5aa8", "#7a7a7a")
JITTER = 0.16


def distributions(verdicts: Mapping[str, Verdict]) -> str:
    """One panel a measure: a point for each box, and p5, p50 and p95 of each method.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rng = np.random.default_rng(0)
    style: Any = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(2, 3, figsize=(10.5, 5.2), layout="constrained")
        for axis, (name, unit) in zip(axes.flat, MEASURES.items(), strict=True):
            for place, verdict in enumerate(verdicts.values()):
                colour = COLOURS[place % len(COLOURS)]
                values = np.array([row[name] for row in verdict.rows])
                across = place + rng.uniform(-JITTER, JITTER, len(values))
                axis.plot(across, values, ".", ms=5, alpha=0.6, color=colour, mew=0)
                for share, width in (("p5", 0.2), ("p50", 0.34), ("p95", 0.2)):
                    level = verdict.quantiles[name][share]
                    axis.hlines(level, place - width, place + width, color=colour, lw=1.6)
            axis.set_title(f"{name}, {unit}" if unit else name, fontsize=10, loc="left")
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
