"""YOLO: ``yolo/data.yaml``, ``yolo/images/<split>`` and ``yolo/labels/<split>``.

Images are of 8 bit, because YOLO's readers turn anything else into that in their own way. A label
is ``0 x y width height``, centre and size over the image's; an image without nodules has an empty
file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nodegen.dataset.example import Example
from nodegen.dataset.images import mark_of, png, windowed
from nodegen.dataset.settings import SPLITS, DatasetSettings
from nodegen.io.files import write_bytes, write_text
from nodegen.io.radiograph import Radiograph


def write_image(
    output: Path,
    record: dict[str, Any],
    radiograph: Radiograph,
    example: Example,
    settings: DatasetSettings,
) -> list[str]:
    """Write the image in 8 bit, and its label."""
    place = f"{record['split']}/{record['name']}"
    names = [f"yolo/images/{place}.png", f"yolo/labels/{place}.txt"]
    write_bytes(
        output / names[0], png(windowed(example.image, radiograph.window, 8), mark_of(record))
    )
    lines = []
    for nodule in record["nodules"]:
        left, top, right, bottom = nodule["box"]
        numbers = (
            (left + right) / 2 / record["width"],
            (top + bottom) / 2 / record["height"],
            (right - left) / record["width"],
            (bottom - top) / record["height"],
        )
        lines.append("0 " + " ".join(f"{value:.6f}" for value in numbers) + "\n")
    write_text(output / names[1], "".join(lines))
    return names


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield ``data.yaml``; paths in it are relative to its own folder."""
    splits = [split for split in SPLITS if any(r["split"] == split for r in records)]
    lines = [f"{split}: images/{split}\n" for split in splits]
    if "val" not in splits:  # its readers insist on one
        lines.append("val: images/train\n")
    yield "yolo/data.yaml", "".join(lines) + "names:\n  0: nodule\n"
