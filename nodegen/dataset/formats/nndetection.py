"""nnDetection: the folder ``nndetection/Task100_Nodegen`` in its raw form, two-dimensional.

Train and val lie together in ``imagesTr``, which nnDetection parts into folds itself; test lies in
``imagesTs``. A label image holds the number of the nodule in each of its pixels.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nodegen.dataset.example import Example
from nodegen.dataset.images import windowed
from nodegen.dataset.settings import DatasetSettings
from nodegen.io.files import write_bytes, write_text
from nodegen.io.radiograph import Radiograph

TASK = "nndetection/Task100_Nodegen"


def write_image(
    output: Path,
    record: dict[str, Any],
    radiograph: Radiograph,
    example: Example,
    settings: DatasetSettings,
) -> list[str]:
    """Write image, instance labels and their classes."""
    part = "Ts" if record["split"] == "test" else "Tr"
    raw, name = f"{TASK}/raw_splitted", record["name"]
    names = [
        f"{raw}/images{part}/{name}_0000.nii.gz",
        f"{raw}/labels{part}/{name}.nii.gz",
        f"{raw}/labels{part}/{name}.json",
    ]
    labels = np.zeros(example.image.shape, np.uint8)
    for number, nodule in enumerate(example.nodules, 1):
        labels[nodule.mask] = number
    _write_nifti(output / names[0], windowed(example.image, radiograph.window, 16), example.mm)
    _write_nifti(output / names[1], labels, example.mm)
    instances = {str(number + 1): 0 for number in range(len(example.nodules))}
    write_text(output / names[2], json.dumps({"instances": instances}) + "\n")
    return names


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


def _write_nifti(path: Path, pixels: np.ndarray, mm: float) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((mm, mm))
    with TemporaryDirectory() as folder:  # a file's ending tells ITK the form
        sitk.WriteImage(image, f"{folder}/{path.name}", useCompression=True)
        write_bytes(path, (Path(folder) / path.name).read_bytes())
