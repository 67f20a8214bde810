"""COCO: ``annotations/instances_<split>.json`` over ``images/<split>``, boxes and run lengths.

Boxes are ``[x, y, width, height]``, px; masks are uncompressed run-length codes, which pycocotools
and torchvision read. Images without nodules are listed and have no annotation.
"""

import json
from collections.abc import Iterator
from typing import Any

from nodegen import __version__
from nodegen.dataset.settings import SPLITS, DatasetSettings
from nodegen.io.mark import COMPOSITE, IPTC

CATEGORY = {"id": 1, "name": "nodule", "supercategory": "lung"}


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield the annotations of each split that has images."""
    for split in SPLITS:
        chosen = [record for record in records if record["split"] == split]
        if not chosen:
            continue
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, record in enumerate(chosen, 1):
            images.append(
                {
                    "id": number,
                    "file_name": f"{record['name']}.png",
                    "width": record["width"],
                    "height": record["height"],
                }
            )
            for nodule in record["nodules"]:
                left, top, right, bottom = nodule["box"]
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": CATEGORY["id"],
                        "bbox": [left, top, right - left, bottom - top],
                        "area": nodule["area"],
                        "segmentation": nodule["rle"],
                        "iscrowd": 0,
                        "size_mm": nodule["size_mm"],
                        "contrast": nodule["contrast"],
                    }
                )
        content = {
            "info": {
                "description": "Radiographs with synthetic lung nodules",
                "version": "1",
                "contributor": f"nodegen {__version__}",
                "digital_source_type": IPTC + COMPOSITE,
            },
            "images": images,
            "annotations": annotations,
            "categories": [CATEGORY],
        }
        yield f"annotations/instances_{split}.json", json.dumps(content) + "\n"
