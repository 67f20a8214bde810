"""Tables of boxes as others publish them: NODE21's metadata.csv, COCO, or a plain CSV.

All give ``{image: [(x, y, width, height), ...]}`` in px; an image that is listed without a nodule
has an empty list. An image is named by its file's stem.
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodegen.errors import BoxesError

XYWH = tuple[float, float, float, float]
Table = dict[str, list[XYWH]]

NAMES = ("img_name", "stem", "image", "file_name", "filename")  # of the column that names the image
SIDES = ("x", "y", "width", "height")
FORMS = (
    f"a CSV with the columns {', '.join(SIDES)} and one of {', '.join(NAMES)} (NODE21's "
    "metadata.csv is one), or COCO as .json"
)


def read_table(path: Path) -> Table:
    """Read the boxes of many images.

    Parameters
    ----------
    path : Path
        A CSV: of NODE21's form, where ``label`` 0 says that the image has no nodule, or one box a
        line with the image's name or stem; or COCO, as ``.json``.

    Raises
    ------
    BoxesError
        Where it is missing or of another form; the message names the row.
    """
    read: Callable[[str, Path], Table] = _coco if path.suffix.lower() == ".json" else _csv
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BoxesError(f"The boxes {path} cannot be read ({error}); give {FORMS}.") from error
    return read(text, path)


def _csv(text: str, path: Path) -> Table:
    rows = csv.DictReader(text.splitlines())
    columns = rows.fieldnames or []
    name = next((column for column in NAMES if column in columns), None)
    if name is None or not set(SIDES) <= set(columns):
        raise BoxesError(f"{path} has the columns {', '.join(columns) or 'none'}; give {FORMS}.")
    table: Table = {}
    for line, row in enumerate(rows, 2):
        boxes = table.setdefault(_stem(row[name]), [])
        if row.get("label", "1").strip() in ("0", "0.0"):
            continue
        boxes.append(_xywh([row[side] for side in SIDES], f"Line {line} of {path}"))
    return table


def _coco(text: str, path: Path) -> Table:
    try:
        content = json.loads(text)
        names = {image["id"]: _stem(image["file_name"]) for image in content["images"]}
        entries = [(names[entry["image_id"]], entry["bbox"]) for entry in content["annotations"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BoxesError(f"{path} is not of COCO's form ({error!r}); give {FORMS}.") from error
    table: Table = {name: [] for name in names.values()}
    for number, (name, box) in enumerate(entries):
        table[name].append(_xywh(box, f"Annotation {number} of {path}"))
    return table


def _stem(name: str) -> str:
    return Path(name.strip()).stem if name.strip().endswith(_IMAGES) else name.strip()


_IMAGES = (".mha", ".mhd", ".tif", ".tiff", ".png", ".jpg", ".dcm")


def _xywh(values: Any, where: str) -> XYWH:
    try:
        x, y, width, height = (float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise BoxesError(
            f"{where} has the box {values}, where x, y, width and height in px are wanted; "
            "correct it."
        ) from error
    if not (width > 0 and height > 0):
        raise BoxesError(
            f"{where} has a box of {width:g} x {height:g} px, where both sides must be above 0; "
            "correct it, or set the image's label to 0."
        )
    return x, y, width, height
