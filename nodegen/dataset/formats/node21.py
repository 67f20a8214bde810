"""NODE21: ``node21/<split>/images/*.mha`` and ``metadata.csv`` beside them, as its training set.

Names begin with ``n`` where there are nodules and with ``c`` where there are none, as NODE21's do.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dataset.dataset_settings import SPLITS, DatasetSettings
from nodegen.dataset.example import Example
from nodegen.dataset.png import as_file, mark_of, windowed
from nodegen.io.image import Geometry
from nodegen.io.stack import StackWriter
from nodegen.io.tables import csv_text

COLUMNS = ("img_name", "label", "x", "y", "width", "height")


def image_files(
    record: dict[str, Any], example: Example, settings: DatasetSettings
) -> Iterator[tuple[str, bytes]]:
    """Yield the image as uint16 of 0..4095, its pixel size in the header."""
    pixels = windowed(example.image, example.radiograph.window, 12)
    geometry = Geometry((example.mm, example.mm), (0.0, 0.0), (1.0, 0.0, 0.0, 1.0), 2)

    def write(path: Path) -> None:
        form = (geometry, (1, *pixels.shape), np.uint16, mark_of(record))
        with StackWriter(path, *form) as writer:
            writer.write(pixels)

    yield f"node21/{record['split']}/images/{_name(record)}", as_file(".mha", write)


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the table of each split; an image without nodules has label 0 and a box of zeros."""
    for split in SPLITS:
        rows: list[tuple[object, ...]] = []
        for record in records:
            if record["split"] == split:
                rows += [
                    (_name(record), 1, left, top, right - left, bottom - top)
                    for left, top, right, bottom in (n["box"] for n in record["nodules"])
                ] or [(_name(record), 0, 0, 0, 0, 0)]
        if rows:
            yield f"node21/{split}/metadata.csv", csv_text(COLUMNS, rows)


def _name(record: dict[str, Any]) -> str:
    return f"{'n' if record['nodules'] else 'c'}{record['name'][1:]}.mha"
