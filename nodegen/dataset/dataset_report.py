"""The report of a set: what came out, against what was asked, as a page of Markdown."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from nodegen import __version__
from nodegen.dataset.dataset_plan import DatasetPlan
from nodegen.dataset.dataset_settings import SPLITS
from nodegen.dataset.records import Record
from nodegen.io.tables import markdown_table

PERCENTILES = (5, 25, 50, 75, 95)


def dataset_report(plan: DatasetPlan, records: list[Record]) -> str:
    """The report's text.

    Parameters
    ----------
    plan : DatasetPlan
        Of the whole set, with the settings that were asked for.
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
        markdown_table(
            ("split", "patients", "radiographs", "images", "without nodules", "nodules"),
            [_counts(split, [r for r in made if r["split"] == split]) for split in SPLITS],
        ),
    ]
    if nodules:
        lines += [
            "",
            markdown_table(
                ("of the nodules", *(f"{p}th percentile" for p in PERCENTILES)),
                [
                    _quantiles("larger side of what is visible, mm", 1, nodules, "size_mm"),
                    _quantiles("contrast, of the image's range", 3, nodules, "contrast"),
                    _quantiles("visibility, contrast to noise", 2, nodules, "visibility"),
                ],
            ),
            "",
            f"Places: {_shares(n['region'] for n in nodules)}. "
            f"Classes: {_shares(n['recipe']['signal'] for n in nodules)}.",
        ]
    empty = [
        split
        for split, share in zip(SPLITS, plan.settings.split, strict=True)
        if share and not any(record["split"] == split for record in made)
    ]
    if empty:
        lines += ["", f"No images in {' and '.join(empty)}: too few patients for that split."]
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


def _counts(split: str, here: list[Record]) -> tuple[object, ...]:
    return (
        split,
        len({record["patient"] for record in here}),
        len({(record["source"], record["slice"]) for record in here}),
        len(here),
        sum(not record["nodules"] for record in here),
        sum(len(record["nodules"]) for record in here),
    )


def _quantiles(name: str, digits: int, nodules: list[Record], key: str) -> list[str]:
    found = np.percentile([nodule[key] for nodule in nodules], PERCENTILES)
    return [name, *(f"{value:.{digits}f}" for value in found)]


def _shares(values: Iterable[str]) -> str:
    counts = Counter(values)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
