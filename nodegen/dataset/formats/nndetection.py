"""nnDetection: the folder ``nndetection/Task100_Nodegen`` in its raw form, two-dimensional.

Train and val lie together in ``imagesTr``, which nnDetection parts into folds itself; test lies in
``imagesTs``. A label image holds the number of the nodule in each of its pixels.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.example import Example
from nodegen.dataset.png import as_file, windowed

TASK = "nndetection/Task100_Nodegen"


def image_files(
    record: dict[str, Any], example: Example, settings: DatasetSettings
) -> Iterator[tuple[str, bytes]]:
    """Yield image, instance labels and their classes."""
    part = "Ts" if record["split"] == "test" else "Tr"
    raw, name = f"{TASK}/raw_splitted", record["name"]
    labels = np.zeros(example.image.shape, np.uint8)
    for number, nodule in enumerate(example.nodules, 1):
        labels[nodule.mask] = number
    pixels = windowed(example.image, example.radiograph.window, 16)
    for place, each in ((f"images{part}/{name}_0000", pixels), (f"labels{part}/{name}", labels)):
        yield f"{raw}/{place}.nii.gz", as_file(".nii.gz", partial(_write, each, example.mm))
    instances = {str(number + 1): 0 for number in range(len(example.nodules))}
    yield f"{raw}/labels{part}/{name}.json", f"{json.dumps({'instances': instances})}\n".encode()


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield ``dataset.json``."""
    content = {
        "task": TASK.split("/")[1],
        "name": "nodegen",
        "dim": 2,
        "target_class": 0,
        "test_labels": any(record["split"] == "test" for record in records),
        "labels": {"0": "nodule"},
        "modalities": {"0": "CXR"},
    }
    yield f"{TASK}/dataset.json", json.dumps(content, indent=1) + "\n"


def _write(pixels: np.ndarray, mm: float, path: Path) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((mm, mm))
    sitk.WriteImage(image, str(path), useCompression=True)
