"""The forms in which trainers read a set, a module for each.

A form's ``index`` yields name and text of each file about the whole set. Those that need more than
the PNG that coco, csv and monai share have ``write_image``, which writes the files of one image and
returns their names.
"""

from nodegen.dataset.formats import coco, dicom, monai, nndetection, node21, table, yolo

FORMATS = {
    "coco": coco,
    "yolo": yolo,
    "node21": node21,
    "csv": table,
    "monai": monai,
    "nndetection": nndetection,
    "dicom": dicom,
}
