"""YOLO: ``yolo/data.yaml``, ``yolo/images/<split>`` and ``yolo/labels/<split>``.

Images are of 8 bit, because YOLO's readers turn anything else into that in their own way. A label
is ``0 x y width height``, centre and size over the image's; an image without nodules has an empty
file.
"""

from collections.abc import Iterator
from typing import Any

from nodegen.dataset.dataset_settings import SPLITS, DatasetSettings
from nodegen.dataset.example import Example
from nodegen.dataset.png import mark_of, png, windowed


def image_files(
    record: dict[str, Any], example: Example, settings: DatasetSettings
) -> Iterator[tuple[str, bytes]]:
    """Yield the image in 8 bit, and its label."""
    place = f"{record['split']}/{record['name']}"
    pixels = windowed(example.image, example.radiograph.window, 8)
    yield f"yolo/images/{place}.png", png(pixels, mark_of(record))
    width, height = record["width"], record["height"]
    lines = [
        f"0 {(left + right) / 2 / width:.6f} {(top + bottom) / 2 / height:.6f} "
        f"{(right - left) / width:.6f} {(bottom - top) / height:.6f}\n"
        for left, top, right, bottom in (nodule["box"] for nodule in record["nodules"])
    ]
    yield f"yolo/labels/{place}.txt", "".join(lines).encode()


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield ``data.yaml``; paths in it are relative to its own folder."""
    splits = [split for split in SPLITS if any(r["split"] == split for r in records)]
    lines = [f"{split}: images/{split}\n" for split in splits]
    if "val" not in splits:  # its readers insist on one
        lines.append("val: images/train\n")
    yield "yolo/data.yaml", "".join(lines) + "names:\n  0: nodule\n"
