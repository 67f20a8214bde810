"""CSV: ``boxes.csv``, a row for each nodule, and one without a box for each image that has none."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from nodegen.dataset.settings import DatasetSettings

COLUMNS = (
    "image", "split", "label", "x_min", "y_min", "x_max", "y_max", "size_mm", "contrast",
    "visibility", "region", "signal", "given_x_min", "given_y_min", "given_x_max", "given_y_max",
    "nodule", "source", "slice", "patient", "seed",
)  # fmt: skip


def write_image(*_: Any) -> list[str]:
    """Nothing besides the image itself."""
    return []


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the table; px, half-open, from the image's upper left corner."""
    made = io.StringIO()
    writer = csv.DictWriter(made, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for record in records:
        image = {
            "image": f"images/{record['split']}/{record['name']}.png",
            **{name: record[name] for name in ("split", "source", "slice", "patient", "seed")},
        }
        for nodule in record["nodules"]:
            corners = ("x_min", "y_min", "x_max", "y_max")
            writer.writerow(
                {
                    **image,
                    "label": "nodule",
                    **dict(zip(corners, nodule["box"], strict=True)),
                    **{
                        f"given_{corner}": value
                        for corner, value in zip(corners, nodule["given"], strict=True)
                    },
                    **{k: nodule[k] for k in ("size_mm", "contrast", "visibility", "region")},
                    "signal": nodule["recipe"]["signal"],
                    "nodule": nodule["recipe"]["name"],
                }
            )
        if not record["nodules"]:
            writer.writerow(image)
    yield "boxes.csv", made.getvalue()
