"""The forms in which trainers read a set.

``INDEX`` yields name and text of each file about the whole set, from the records of its images. For
forms that need more than the PNG that coco, csv and monai share, ``IMAGE_FILES`` yields name and
content of each file of one image. Boxes are left, top, right, bottom, px, half-open.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np

from nodegen import __version__
from nodegen.dataset import dicom_format
from nodegen.dataset.dataset_settings import SPLITS, DatasetSettings
from nodegen.dataset.example import Example
from nodegen.dataset.png import mark_of, png, windowed
from nodegen.io.image import COMPOSITE, IPTC, Geometry
from nodegen.io.stack import stack_writer
from nodegen.io.tables import csv_text

Record = dict[str, Any]
Texts: TypeAlias = Iterator[tuple[str, str]]
Files: TypeAlias = Iterator[tuple[str, bytes]]


def by_split(records: list[Record]) -> dict[str, list[Record]]:
    """The records of each split that has any."""
    parts = {split: [record for record in records if record["split"] == split] for split in SPLITS}
    return {split: part for split, part in parts.items() if part}


# --- COCO: annotations/instances_<split>.json over images/<split> ---------------------------------
# Boxes are [x, y, width, height]; masks are uncompressed run-length codes, which pycocotools and
# torchvision read. Images without nodules are listed and have no annotation.

INFO = {
    "description": "Radiographs with synthetic lung nodules",
    "version": "1",
    "contributor": f"nodegen {__version__}",
    "digital_source_type": IPTC + COMPOSITE,
}
CATEGORY = {"id": 1, "name": "nodule", "supercategory": "lung"}


def _coco(records: list[Record], settings: DatasetSettings) -> Texts:
    for split, chosen in by_split(records).items():
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
        content = {"info": INFO, "images": images, "annotations": annotations,
                   "categories": [CATEGORY]}  # fmt: skip
        yield f"annotations/instances_{split}.json", json.dumps(content) + "\n"


# --- MONAI: monai.json over images, as load_decathlon_datalist reads it ---------------------------
# Boxes are in MONAI's order, along the first axis of the image first: LoadImaged reads a PNG as
# (column, row), so they are [x_min, y_min, x_max, y_max]. Label 0 is a nodule.


def _monai(records: list[Record], settings: DatasetSettings) -> Texts:
    content: Record = {"name": "nodegen", "labels": {"0": "nodule"}}
    keys = {"train": "training", "val": "validation", "test": "test"}
    for split, chosen in by_split(records).items():  # its reader fails at an empty list
        content[keys[split]] = [
            {
                "image": f"images/{split}/{record['name']}.png",
                "box": [nodule["box"] for nodule in record["nodules"]],
                "label": [0] * len(record["nodules"]),
            }
            for record in chosen
        ]
    yield "monai.json", json.dumps(content) + "\n"


# --- CSV: boxes.csv, in every set: a row for each nodule, and one for an image without any --------
# Sorted by `order`, the images of a split go from obvious to subtle, for trainers that begin with
# what is easy.

INTEGERS = ("x_min", "y_min", "x_max", "y_max", "given_x_min", "given_y_min", "given_x_max",
            "given_y_max", "slice", "seed", "order")  # fmt: skip
FLOATS = ("size_mm", "contrast", "visibility")
COLUMNS = (
    "image", "split", "label", "x_min", "y_min", "x_max", "y_max", "size_mm", "contrast",
    "visibility", "region", "signal", "given_x_min", "given_y_min", "given_x_max", "given_y_max",
    "subtlety", "order", "nodule", "source", "slice", "patient", "seed",
)  # fmt: skip


def _orders(records: list[Record]) -> dict[str, int]:
    """Place of each image in its split, from 1: by its faintest nodule, the most visible first.

    Images without nodules are spread evenly among them.

    Examples
    --------
    >>> images = [("a", [1.2]), ("b", []), ("c", [3.0, 2.0])]
    >>> _orders([{"name": name, "split": "train", "nodules": [{"visibility": v} for v in seen]}
    ...         for name, seen in images])
    {'c': 1, 'b': 2, 'a': 3}
    """
    places: dict[str, int] = {}
    for here in by_split(records).values():
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


def _csv(records: list[Record], settings: DatasetSettings) -> Texts:
    places = _orders(records)
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


# --- YOLO: yolo/data.yaml, yolo/images/<split> and yolo/labels/<split> ----------------------------
# Images are of 8 bit, because its readers turn anything else into that in their own way. A label is
# `0 x y width height`, centre and size over the image's; without nodules the file is empty.


def _yolo_files(record: Record, example: Example, settings: DatasetSettings) -> Files:
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


def _yolo(records: list[Record], settings: DatasetSettings) -> Texts:
    lines = [f"{split}: images/{split}\n" for split in by_split(records)]
    if "val" not in by_split(records):  # its readers insist on one
        lines.append("val: images/train\n")
    yield "yolo/data.yaml", "".join(lines) + "names:\n  0: nodule\n"


# --- NODE21: node21/<split>/images/*.mha and metadata.csv beside them, as its training set --------
# uint16 of 0..4095, the pixel size in the header. Names begin with n where there are nodules and
# with c where there are none, which have label 0 and a box of zeros.


def _node21_name(record: Record) -> str:
    return f"{'n' if record['nodules'] else 'c'}{record['name'][1:]}.mha"


def _node21_files(record: Record, example: Example, settings: DatasetSettings) -> Files:
    pixels = windowed(example.image, example.radiograph.window, 12)
    geometry = replace(Geometry.plain(2), spacing=(example.mm, example.mm))
    with TemporaryDirectory() as folder:
        path = Path(folder, "image.mha")
        form = (1, *pixels.shape), np.uint16, mark_of(record)
        with stack_writer(path, geometry, *form) as write:
            write(pixels)
        yield f"node21/{record['split']}/images/{_node21_name(record)}", path.read_bytes()


def _node21(records: list[Record], settings: DatasetSettings) -> Texts:
    for split, chosen in by_split(records).items():
        rows: list[tuple[object, ...]] = []
        for record in chosen:
            boxes = [nodule["box"] for nodule in record["nodules"]]
            corners = [
                (1, left, top, right - left, bottom - top) for left, top, right, bottom in boxes
            ]
            rows += [(_node21_name(record), *row) for row in corners or [(0, 0, 0, 0, 0)]]
        columns = ("img_name", "label", "x", "y", "width", "height")
        yield f"node21/{split}/metadata.csv", csv_text(columns, rows)


# --- nnDetection: the folder nndetection/Task100_Nodegen in its raw form, two-dimensional ---------
# Train and val lie together in imagesTr, which nnDetection parts into folds itself; test lies in
# imagesTs. A label image holds the number of the nodule in each of its pixels.

TASK = "Task100_Nodegen"


def _nndetection_files(record: Record, example: Example, settings: DatasetSettings) -> Files:
    import SimpleITK as sitk

    part = "Ts" if record["split"] == "test" else "Tr"
    raw, name = f"nndetection/{TASK}/raw_splitted", record["name"]
    mark = mark_of(record)
    labels = np.zeros(example.image.shape, np.uint8)
    for number, nodule in enumerate(example.nodules, 1):
        labels[nodule.mask] = number
    pixels = windowed(example.image, example.radiograph.window, 16)
    with TemporaryDirectory() as folder:
        path = Path(folder, "image.nii.gz")
        for place, each in (
            (f"images{part}/{name}_0000", pixels),
            (f"labels{part}/{name}", labels),
        ):
            image = sitk.GetImageFromArray(each)
            image.SetSpacing((example.mm, example.mm))
            if mark is not None and each is pixels:  # NIfTI's "descrip" takes 79 characters
                image["ITK_FileNotes"] = mark.text.partition(" by ")[2][:79]
            sitk.WriteImage(image, str(path), useCompression=True)
            yield f"{raw}/{place}.nii.gz", path.read_bytes()
    instances = {str(number + 1): 0 for number in range(len(example.nodules))}
    yield f"{raw}/labels{part}/{name}.json", f"{json.dumps({'instances': instances})}\n".encode()


def _nndetection(records: list[Record], settings: DatasetSettings) -> Texts:
    content = {
        "task": TASK,
        "name": "nodegen",
        "dim": 2,
        "target_class": 0,
        "test_labels": "test" in by_split(records),
        "labels": {"0": "nodule"},
        "modalities": {"0": "CXR"},
    }
    yield f"nndetection/{TASK}/dataset.json", json.dumps(content, indent=1) + "\n"


INDEX: dict[str, Callable[[list[Record], DatasetSettings], Texts]] = {
    "coco": _coco,
    "yolo": _yolo,
    "node21": _node21,
    "csv": _csv,
    "monai": _monai,
    "nndetection": _nndetection,
    "dicom": dicom_format.index,
}
IMAGE_FILES: dict[str, Callable[[Record, Example, DatasetSettings], Files]] = {
    "yolo": _yolo_files,
    "node21": _node21_files,
    "nndetection": _nndetection_files,
    "dicom": dicom_format.image_files,
}
