"""The report of a set: what came out, against what was asked, as a page of Markdown."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from nodegen import __version__
from nodegen.dataset.plan import Plan
from nodegen.dataset.settings import SPLITS
from nodegen.dataset.write import Record

PERCENTILES = (5, 25, 50, 75, 95)


def report(plan: Plan, records: list[Record]) -> str:
    """The report's text.

    Parameters
    ----------
    records : list of dict
        Of all images, in the plan's order.
    """
    made = [record for record in records if "skipped" not in record]
    skipped = {record["source"]: record["skipped"] for record in records if "skipped" in record}
    nodules = [nodule for record in made for nodule in record["nodules"]]
    lines = [
        "# Training set",
        "",
        f"{len(made)} images with {len(nodules)} synthetic nodules, by nodegen {__version__}. "
        "See `contact_sheet.png` for its look, `manifest.jsonl` for each image's source, recipe "
        "and hashes, `plan.json` for all settings.",
        "",
        "| split | patients | radiographs | images | without nodules | nodules |",
        "|---|---|---|---|---|---|",
    ]
    for split in SPLITS:
        here = [record for record in made if record["split"] == split]
        cells = (
            split,
            len({record["patient"] for record in here}),
            len({(record["source"], record["slice"]) for record in here}),
            len(here),
            sum(not record["nodules"] for record in here),
            sum(len(record["nodules"]) for record in here),
        )
        lines.append(_row(cells))
    if nodules:
        lines += [
            "",
            "| of the nodules | " + " | ".join(f"{p}th percentile" for p in PERCENTILES) + " |",
            "|---" * (1 + len(PERCENTILES)) + "|",
            _quantiles("larger side of what is visible, mm", (n["size_mm"] for n in nodules), 1),
            _quantiles("larger side of the box given, px", map(_larger, nodules), 0),
            _quantiles("contrast, of the image's range", (n["contrast"] for n in nodules), 3),
            _quantiles(
                "visibility: over the ground's spread", (n["visibility"] for n in nodules), 2
            ),
            "",
            f"Places: {_shares(n['region'] for n in nodules)}. "
            f"Classes: {_shares(n['recipe']['signal'] for n in nodules)}.",
        ]
    again = [record for record in made if len(record["faults"]) > 1]
    kept = [record for record in made if not record["passed"]]
    lines += [
        "",
        f"Gate: {len(again)} images had nodules drawn again; {len(kept)} were kept though they did "
        f"not pass{': ' + ', '.join(record['name'] for record in kept[:20]) if kept else ''}.",
    ]
    if skipped:
        lines += ["", f"{len(skipped)} radiographs could not be used:", ""]
        lines += [f"- `{name}`: {why}" for name, why in sorted(skipped.items())]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _quantiles(name: str, values: Iterable[float], digits: int) -> str:
    found = np.percentile(list(values), PERCENTILES)
    return _row([name, *(f"{value:.{digits}f}" for value in found)])


def _larger(nodule: Record) -> int:
    left, top, right, bottom = nodule["given"]
    return int(max(right - left, bottom - top))


def _shares(values: Iterable[str]) -> str:
    counts = Counter(values)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
