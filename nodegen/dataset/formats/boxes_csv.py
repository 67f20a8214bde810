"""CSV: ``boxes.csv``, a row for each nodule, and one without a box for each image that has none.

Sorted by ``order``, the images of a split go from obvious to subtle, for trainers that begin with
what is easy.
"""

from collections.abc import Iterator
from typing import Any

from nodegen.dataset.dataset_settings import SPLITS, DatasetSettings
from nodegen.io.tables import csv_text

# Columns of the data card's kinds: text unless named.
INTEGERS = ("x_min", "y_min", "x_max", "y_max", "given_x_min", "given_y_min", "given_x_max",
            "given_y_max", "slice", "seed", "order")  # fmt: skip
FLOATS = ("size_mm", "contrast", "visibility")
COLUMNS = (
    "image", "split", "label", "x_min", "y_min", "x_max", "y_max", "size_mm", "contrast",
    "visibility", "region", "signal", "given_x_min", "given_y_min", "given_x_max", "given_y_max",
    "subtlety", "order", "nodule", "source", "slice", "patient", "seed",
)  # fmt: skip


def orders(records: list[dict[str, Any]]) -> dict[str, int]:
    """Place of each image in its split, from 1: by its faintest nodule, the most visible first.

    Images without nodules are spread evenly among them.

    Examples
    --------
    >>> images = [("a", [1.2]), ("b", []), ("c", [3.0, 2.0])]
    >>> orders([{"name": name, "split": "train", "nodules": [{"visibility": v} for v in seen]}
    ...         for name, seen in images])
    {'c': 1, 'b': 2, 'a': 3}
    """
    places: dict[str, int] = {}
    for split in SPLITS:
        here = [record for record in records if record["split"] == split]
        faintest = {
            r["name"]: min(n["visibility"] for n in r["nodules"]) for r in here if r["nodules"]
        }
        parts = (
            sorted(faintest, key=lambda name: (-faintest[name], name)),
            [record["name"] for record in here if not record["nodules"]],
        )
        spread = sorted(
            ((number + 0.5) / len(part), name) for part in parts for number, name in enumerate(part)
        )
        places |= {name: place for place, (_, name) in enumerate(spread, 1)}
    return places


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the table; px, half-open, from the image's upper left corner."""
    places = orders(records)
    corners = ("x_min", "y_min", "x_max", "y_max")
    rows = []
    for record in records:
        image = record | {
            "image": f"images/{record['split']}/{record['name']}.png",
            "order": places[record["name"]],
        }
        rows += [
            image
            | nodule
            | {"label": "nodule"}
            | dict(zip(corners, nodule["box"], strict=True))
            | dict(zip((f"given_{c}" for c in corners), nodule["given"], strict=True))
            | {"signal": nodule["recipe"]["signal"], "nodule": nodule["recipe"]["name"]}
            for nodule in record["nodules"]
        ] or [image]
    yield "boxes.csv", csv_text(COLUMNS, [[str(row.get(c, "")) for c in COLUMNS] for row in rows])
