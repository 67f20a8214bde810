"""MONAI: ``monai.json`` over ``images``, as ``load_decathlon_datalist`` reads it.

Boxes are in MONAI's order, along the first axis of the image first: ``LoadImaged`` reads a PNG as
(column, row), so they are ``[x_min, y_min, x_max, y_max]``, px. Label 0 is a nodule.
"""

import json
from collections.abc import Iterator
from typing import Any

from nodegen.dataset.dataset_settings import DatasetSettings

KEYS = {"training": "train", "validation": "val", "test": "test"}


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the list of all splits."""
    content: dict[str, Any] = {"name": "nodegen", "labels": {"0": "nodule"}}
    for key, split in KEYS.items():
        entries = [
            {
                "image": f"images/{split}/{record['name']}.png",
                "box": [nodule["box"] for nodule in record["nodules"]],
                "label": [0] * len(record["nodules"]),
            }
            for record in records
            if record["split"] == split
        ]
        if entries:  # its reader fails at an empty list
            content[key] = entries
    yield "monai.json", json.dumps(content) + "\n"
