"""The forms in which trainers read a set, a module for each.

A form's ``index`` yields name and text of each file about the whole set, from the records of its
images. Those that need more than the PNG that coco, csv and monai share have ``image_files``, which
yields name and content of each file of one image.
"""

from nodegen.dataset.formats import boxes_csv, coco, dicom, monai, nndetection, node21, yolo

FORMATS = {
    "coco": coco,
    "yolo": yolo,
    "node21": node21,
    "csv": boxes_csv,
    "monai": monai,
    "nndetection": nndetection,
    "dicom": dicom,
}
