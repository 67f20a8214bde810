"""NODE21: ``node21/<split>/images/*.mha`` and ``metadata.csv`` beside them, as its training set.

Names begin with ``n`` where there are nodules and with ``c`` where there are none, as NODE21's do.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dataset.example import Example
from nodegen.dataset.images import mark_of, windowed
from nodegen.dataset.settings import SPLITS, DatasetSettings
from nodegen.io.radiograph import Radiograph
from nodegen.io.stack import Geometry
from nodegen.io.stack_writer import StackWriter

COLUMNS = "img_name,label,x,y,width,height"


def write_image(
    output: Path,
    record: dict[str, Any],
    radiograph: Radiograph,
    example: Example,
    settings: DatasetSettings,
) -> list[str]:
    """Write the image as uint16 of 0..4095, its pixel size in the header."""
    name = f"node21/{record['split']}/images/{_name(record)}"
    pixels = windowed(example.image, radiograph.window, 12)
    geometry = Geometry((example.mm, example.mm), (0.0, 0.0), (1.0, 0.0, 0.0, 1.0), 2)
    form = (geometry, (1, *pixels.shape), np.uint16, mark_of(record))
    with StackWriter(output / name, *form) as writer:
        writer.write(pixels)
    return [name]


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the table of each split; an image without nodules has label 0 and a box of zeros."""
    for split in SPLITS:
        chosen = [record for record in records if record["split"] == split]
        rows = []
        for record in chosen:
            for nodule in record["nodules"]:
                left, top, right, bottom = nodule["box"]
                rows.append(f"{_name(record)},1,{left},{top},{right - left},{bottom - top}")
            if not record["nodules"]:
                rows.append(f"{_name(record)},0,0,0,0,0")
        if chosen:
            yield f"node21/{split}/metadata.csv", "\n".join([COLUMNS, *rows]) + "\n"


def _name(record: dict[str, Any]) -> str:
    return f"{'n' if record['nodules'] else 'c'}{record['name'][1:]}.mha"
