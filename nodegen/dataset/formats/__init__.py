"""The forms in which trainers read a set, a module for each.

A form has ``write_image``, which lays down what one image needs besides the PNG that coco, csv and
monai share, and ``index``, which tells of the whole set.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nodegen.dataset.formats import coco, dicom, monai, nndetection, node21, table, yolo
from nodegen.dataset.settings import DatasetSettings

Record = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """What a form offers.

    Attributes
    ----------
    write_image : callable
        Of (folder of the set, record, radiograph, example, settings): writes the form's own files
        of one image, and returns their names in the set.
    index : callable
        Of (records, settings): yields name and text of each file that tells of the whole set.
    """

    write_image: Callable[..., list[str]]
    index: Callable[[list[Record], DatasetSettings], Iterator[tuple[str, str]]]


FORMATS = {
    "coco": Format(coco.write_image, coco.index),
    "yolo": Format(yolo.write_image, yolo.index),
    "node21": Format(node21.write_image, node21.index),
    "csv": Format(table.write_image, table.index),
    "monai": Format(monai.write_image, monai.index),
    "nndetection": Format(nndetection.write_image, nndetection.index),
    "dicom": Format(dicom.write_image, dicom.index),
}
