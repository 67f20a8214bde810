"""Read tables of boxes: NODE21's ``metadata.csv``, COCO, any CSV, or a stack's ``nodules.json``.

One reader for every command that takes boxes of many images.
"""

import csv
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodegen.errors import BoxesError
from nodegen.io.box_tables import BoxTable, TableBox, TableImage, listed
from nodegen.io.boxes import given_boxes
from nodegen.schemas import KIND

# Names of columns, in the order in which they are looked for, without case, blanks and signs.
COLUMNS = {
    "name": (
        "imgname", "imagename", "stem", "filename", "file", "imagefile", "imagepath", "filepath",
        "image", "img", "imageindex", "imageid", "name", "path", "radiograph", "patientid",
    ),
    "left": ("x", "left", "xmin", "x1", "bboxx", "boxx"),
    "top": ("y", "top", "ymin", "y1", "bboxy", "boxy"),
    "right": ("right", "xmax", "x2"),
    "bottom": ("bottom", "ymax", "y2"),
    "width": ("width", "w", "bboxwidth", "boxwidth", "bboxw"),
    "height": ("height", "h", "bboxheight", "boxheight", "bboxh"),
    "label": ("label", "classname", "class", "findinglabel", "finding", "category", "target"),
    "source": ("trust", "annotationsource", "source"),
    "folder": ("source", "folder"),
    "others_unboxed": ("othersunboxed",),
}  # fmt: skip
SIZES = {"columns": "width", "rows": "height"}  # of the image: our name, and the table's
NO_NODULE = {"0", "false", "no", "none", "normal", "healthy", "negative", "nofinding", "nonodule"}
NODULE = {"1", "true", "yes", "positive"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.I | re.A)
YES = {"1", "1.0", "true", "yes"}
FORMS = (
    "a CSV with the columns img_name, x, y, width and height (or x_min, y_min, x_max, y_max), as "
    "NODE21's metadata.csv, COCO as JSON, or a stack's nodules.json"
)

# Where a row stands, for messages, and its cells by the names above; a cell that is not there is
# empty. Sides of a box are its right and bottom, or its width and height.
Row = tuple[str, dict[str, str]]


def read_box_table(path: Path) -> BoxTable:
    """Read the boxes of many images.

    Parameters
    ----------
    path : Path
        CSV with a row for each box, separated by commas, semicolons or tabs; a row without a box,
        or with a label that says none, lists an image without a nodule. Or COCO, of whose
        categories those count whose name holds "nodul". Or the ``nodules.json`` of a stack.

    Raises
    ------
    BoxesError
        Where it is missing or of another form; the message names the line.
    """
    try:
        text = _decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise BoxesError(f"The boxes {path} cannot be read ({error}); give {FORMS}.") from error
    of_stack = KIND in text
    if of_stack:
        rows = _of_stack(path)
    else:
        rows = _coco(text, path) if text.lstrip()[:1] in ("{", "[") else _csv(text, path)
    return BoxTable(path, tuple(_images(rows, path)), of_stack)


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):  # a spreadsheet's "Unicode text"
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _images(rows: Iterator[Row], path: Path) -> list[TableImage]:
    """Images in the order of their first rows, each with the boxes of all of its rows."""
    images: dict[tuple[str, str], TableImage] = {}
    sizes: list[tuple[tuple[str, str], tuple[float, ...], TableBox | None, str]] = []
    findings: set[str] = set()
    for where, cells in rows:
        cell = defaultdict(str, cells)
        if not cell["name"]:
            raise BoxesError(f"{where} names no image; give its file's name.")
        key = cell["name"].replace("\\", "/"), cell["folder"]
        image = images.get(key) or TableImage(cell["name"], folder=cell["folder"])
        if cell["others_unboxed"].casefold() in YES:
            image = replace(image, others_unboxed=True)
        images[key] = image
        if not _is_nodule(cell["label"], where, findings):
            continue
        box = None
        sides = ("right", "bottom") if "right" in cells else ("width", "height")
        shape = [cell[side] for side in ("left", "top", *sides)]
        if cell["label"] or any(shape):
            x, y, width, height = _numbers(shape, where)
            if "right" in cells:
                width, height = width - x, height - y
            if not (width > 0 and height > 0):
                raise BoxesError(
                    f"{where} has a box of {width:g} x {height:g} px, where both sides must be "
                    "above 0; correct it, or set the image's label to 0."
                )
            box = TableBox(x, y, width, height, cell["source"])
            images[key] = replace(image, boxes=(*image.boxes, box))
        if cell["columns"] and cell["rows"]:
            size = tuple(_numbers([cell["columns"], cell["rows"]], where))
            sizes.append((key, size, box, where))
    if findings and not any(image.boxes for image in images.values()):
        raise BoxesError(
            f"{path} labels its boxes {listed(sorted(findings))}, and none is a nodule; call "
            "nodules so."
        )
    # Some tables give each box's own sides there.
    if all(b and max(abs(w - b.width), abs(h - b.height)) <= 1 for _, (w, h), b, _ in sizes):
        return list(images.values())
    for key, (width, height), _, where in sizes:
        if min(width, height) <= 0 or images[key].size not in (None, (width, height)):
            raise BoxesError(
                f"{where} gives the image's size as {width:g} x {height:g} px, which is below 1 or "
                "not that of another row; correct it."
            )
        images[key] = replace(images[key], size=(width, height))
    return list(images.values())


def _csv(text: str, path: Path) -> Iterator[Row]:
    lines = _lines(text, path)
    _, header = next(lines, (0, [""]))
    columns = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in header]
    at: dict[str, int] = {}
    for column, names in COLUMNS.items():
        number = next((columns.index(name) for name in names if name in columns), None)
        if number is not None:
            if columns.count(columns[number]) > 1:
                raise BoxesError(f"{path} has the column {header[number]} twice; leave one.")
            at[column] = number
    corners = {"right", "bottom"} <= at.keys()
    if corners:  # then width and height are the image's
        at |= {new: at.pop(old) for new, old in SIZES.items() if old in at}
    else:
        at.pop("right", None)
    sides = {"right", "bottom"} if corners else {"width", "height"}
    if not {"name", "left", "top"} | sides <= at.keys():
        given = " ".join(", ".join(header).split())[:200] if any(header) else "none"
        raise BoxesError(f"{path} has the columns {given}; give {FORMS}.")
    for line, cells in lines:
        where = f"Line {line} of {path}"
        if any(cells[len(header) :]):
            raise BoxesError(
                f"{where} has {len(cells)} fields where the header names {len(header)}; correct it."
            )
        cells += [""] * (len(header) - len(cells))
        yield where, {column: cells[place] for column, place in at.items()}


def _lines(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers; the first is the header."""
    lines = text.splitlines(keepends=True)
    told = re.fullmatch(r"sep=(.)", lines[0].strip()) if lines else None  # as Excel has it
    header = lines[1] if told and len(lines) > 1 else "".join(lines[:1])
    unquoted = re.sub(r'"[^"]*"', "", header)
    delimiter = told[1] if told else max(",;\t|", key=unquoted.count)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if delimiter != ",":  # where a comma is left for the decimals
                row = [re.sub(r"^([+-]?\d*),(\d+)$", r"\1.\2", cell) for cell in row]
            if any(row) and not (told and reader.line_num == 1):
                yield reader.line_num, row
    except csv.Error as error:
        raise BoxesError(
            f"Line {reader.line_num} of {path} cannot be read as CSV ({error}); correct it."
        ) from error


def _is_nodule(word: str, where: str, findings: set[str]) -> bool:
    """Whether a label says that there is a nodule; other findings are noted."""
    plain = re.sub(r"[^a-z0-9.]", "", word.casefold())
    if re.fullmatch(r"\d+\.0*", plain):
        plain = plain.partition(".")[0]
    if not plain or plain in NODULE:
        return True
    if plain in NO_NODULE:
        return False
    if plain[0].isdigit():
        raise BoxesError(f"{where} has the label {word}, where 1 (nodule) or 0 (none) is allowed.")
    if not _names_nodule(word):
        findings.add(word)
        return False
    return True


def _names_nodule(word: str) -> bool:
    return "nodul" in word.casefold() and not re.match(r"non?\b|without\b", word.casefold())


def _numbers(cells: list[str], where: str) -> list[float]:
    for cell in cells:
        if not NUMBER.fullmatch(cell) or not math.isfinite(float(cell)):
            raise BoxesError(
                f"{where} has {cell!r} in a box, where finite numbers of px are wanted; correct it."
            )
    return [float(cell) for cell in cells]


def _coco(text: str, path: Path) -> Iterator[Row]:
    try:
        content = json.loads(text)
        images = {entry["id"]: _described(entry) for entry in content["images"]}
        labels = {entry["id"]: _text(entry["name"]) for entry in content.get("categories", [])}
        entries = [(images[entry["image_id"]], entry) for entry in content["annotations"]]
        kinds = [labels.get(entry.get("category_id"), "") for _, entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BoxesError(
            f"{path} is not of COCO's form, or has annotations of images that it does not list "
            f"({error!r}); give {FORMS}."
        ) from error
    if labels and not any(map(_names_nodule, labels.values())):
        raise BoxesError(
            f"{path} has the categories {listed(list(labels.values()))}, and none is a nodule; "
            "call the nodules' category so."
        )
    for image in images.values():
        yield f"The image {image['name']} of {path}", image
    for number, ((image, entry), kind) in enumerate(zip(entries, kinds, strict=True)):
        where, values = f"Annotation {number} of {path}", entry.get("bbox")
        if labels and not kind:
            raise BoxesError(f"{where} has no category of the file's; give it one.")
        if labels and not _names_nodule(kind):
            continue
        if entry.get("iscrowd") or entry.get("ignore") or entry.get("ignored"):
            yield where, {"name": image["name"], "others_unboxed": "1"}
            continue
        if not isinstance(values, list) or len(values) != 4:
            raise BoxesError(f"{where} has the bbox {values}; give [x, y, width, height] in px.")
        sides = dict(zip(("left", "top", "width", "height"), map(repr, values), strict=True))
        yield where, {"name": image["name"], "source": str(entry.get("source", "")), **sides}


def _described(entry: dict[str, Any]) -> dict[str, str]:
    """The cells of an image in COCO: its name, and its size where the file says it."""
    size = {new: str(entry[old]) for new, old in SIZES.items() if entry.get(old) is not None}
    return {"name": _text(entry["file_name"]), **size}


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} for a name")
    return value


def _of_stack(path: Path) -> Iterator[Row]:
    for box in given_boxes(path):
        edges = zip(("left", "top", "right", "bottom"), map(repr, box.edges), strict=True)
        yield f"Box {box.index} of {path}", {"name": str(box.slice), **dict(edges)}
