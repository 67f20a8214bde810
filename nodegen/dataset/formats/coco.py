"""COCO: ``annotations/instances_<split>.json`` over ``images/<split>``, boxes and run lengths.

Boxes are ``[x, y, width, height]``, px; masks are uncompressed run-length codes, which pycocotools
and torchvision read. Images without nodules are listed and have no annotation.
"""

import json
from collections.abc import Iterator
from typing import Any

from nodegen import __version__
from nodegen.dataset.dataset_settings import SPLITS, DatasetSettings
from nodegen.io.image import COMPOSITE, IPTC

INFO = {
    "description": "Radiographs with synthetic lung nodules",
    "version": "1",
    "contributor": f"nodegen {__version__}",
    "digital_source_type": IPTC + COMPOSITE,
}
CATEGORY = {"id": 1, "name": "nodule", "supercategory": "lung"}


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the annotations of each split that has images."""
    for split in SPLITS:
        chosen = [record for record in records if record["split"] == split]
        images = [
            {"id": number, "file_name": f"{r['name']}.png", "width": r["width"],
             "height": r["height"]}
            for number, r in enumerate(chosen, 1)
        ]  # fmt: skip
        nodules = [(i, nodule) for i, r in enumerate(chosen, 1) for nodule in r["nodules"]]
        annotations = [
            {
                "id": number,
                "image_id": image,
                "category_id": CATEGORY["id"],
                "bbox": [left, top, right - left, bottom - top],
                "area": nodule["area"],
                "segmentation": nodule["rle"],
                "iscrowd": 0,
                "size_mm": nodule["size_mm"],
                "contrast": nodule["contrast"],
            }
            for number, (image, nodule) in enumerate(nodules, 1)
            for left, top, right, bottom in [nodule["box"]]
        ]
        if chosen:
            content = {"info": INFO, "images": images, "annotations": annotations,
                       "categories": [CATEGORY]}  # fmt: skip
            yield f"annotations/instances_{split}.json", json.dumps(content) + "\n"
