"""The report of a set: what came out, against what was asked, as a page of Markdown."""

from collections import Counter

import numpy as np

from nodegen import __version__
from nodegen.dataset.dataset_plan import DatasetPlan
from nodegen.dataset.dataset_settings import SPLITS
from nodegen.dataset.records import Record
from nodegen.io.tables import markdown_table

AT = (5, 25, 50, 75, 95)  # percentiles
MEASURED = (
    ("larger side of what is visible, mm", 1, "size_mm"),
    ("contrast, of the image's range", 3, "contrast"),
    ("visibility, contrast to noise", 2, "visibility"),
)


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
    parts = [
        "# Training set",
        f"{len(made)} images with {len(nodules)} synthetic nodules, by nodegen {__version__}. "
        "See `contact_sheet.png` for its look, `manifest.jsonl` for each image's source, recipe "
        "and hashes, `plan.json` for all settings.",
        markdown_table(
            ("split", "patients", "radiographs", "images", "without nodules", "nodules"),
            [_counts(split, [r for r in made if r["split"] == split]) for split in SPLITS],
        ),
    ]
    if nodules:
        measured = [
            (name, *(f"{v:.{digits}f}" for v in np.percentile([n[key] for n in nodules], AT)))
            for name, digits, key in MEASURED
        ]
        places, classes = (
            ", ".join(f"{name} {count}" for name, count in sorted(Counter(names).items()))
            for names in ([n["region"] for n in nodules], [n["recipe"]["signal"] for n in nodules])
        )
        parts += [
            markdown_table(("of the nodules", *(f"{p}th percentile" for p in AT)), measured),
            f"Places: {places}. Classes: {classes}.",
        ]
    if empty := plan.settings.empty({record["split"] for record in made}):
        parts.append(f"No images in {' and '.join(empty)}: too few patients for that split.")
    again = sum(len(record["faults"]) > 1 for record in made)
    kept = [record["name"] for record in made if not record["passed"]]
    parts.append(
        f"Gate: {again} images had nodules drawn again; {len(kept)} were kept though they did not "
        f"pass{': ' + ', '.join(kept[:20]) if kept else ''}."
    )
    if skipped:
        parts.append(f"{len(skipped)} radiographs could not be used:")
        parts.append("\n".join(f"- `{name}`: {why}" for name, why in sorted(skipped.items())))
    return "\n\n".join(parts) + "\n"


def _counts(split: str, here: list[Record]) -> tuple[object, ...]:
    return (
        split,
        len({record["patient"] for record in here}),
        len({(record["source"], record["slice"]) for record in here}),
        len(here),
        sum(not record["nodules"] for record in here),
        sum(len(record["nodules"]) for record in here),
    )
