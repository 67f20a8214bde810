"""One image of a set on the disk: its files, then its record, which says that they are whole.

A record is written last and in one step. Where it lies, the image is done; where it does not,
whatever a killed run left of the image is written anew, with the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dataset.example import Example, Nodule
from nodegen.dataset.formats import FORMATS
from nodegen.dataset.images import mark_of, png, run_lengths, windowed
from nodegen.dataset.plan import Item
from nodegen.dataset.settings import DatasetSettings
from nodegen.dataset.sources import Source
from nodegen.io.files import write_bytes, write_text
from nodegen.io.radiograph import Radiograph
from nodegen.io.store import Store
from nodegen.synthesis.visibility import grade_of

RECORDS, IMAGES, UNTOUCHED, MASKS = "records", "images", "untouched", "masks"
Record = dict[str, Any]


def write_example(
    output: Path,
    item: Item,
    source: Source,
    radiograph: Radiograph,
    example: Example,
    settings: DatasetSettings,
    facts: dict[str, Any],
) -> Record:
    """Write the files of one image, and its record.

    Parameters
    ----------
    output : pathlib.Path
        Folder of the set, or one that is sent there.
    item : Item
        The image's name and split, as planned.
    source : Source
        The radiograph that it was made from, as planned.
    radiograph : Radiograph
        The same as it was read or standardised, of the size, px, and grey levels of the example;
        its window maps them to what is written.
    example : Example
        The image and its nodules.
    settings : DatasetSettings
        Formats, bits, and whether pairs and masks are written.
    facts : dict
        What else the record is to tell, such as the hash of the radiograph's file.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    window = radiograph.window
    bits = 8 if example.image.dtype == np.uint8 else settings.bits
    record: Record = {
        "name": item.name,
        "split": item.split,
        "source": source.path,
        "slice": source.slice,
        "patient": source.patient,
        "seed": example.seed,
        "height": int(example.image.shape[0]),
        "width": int(example.image.shape[1]),
        "mm_per_px": round(example.mm, 5),
        "window": list(window),
        "bits": bits,
        "passed": example.passed,
        "faults": example.faults,
        **facts,
        "nodules": [_told(nodule, settings) for nodule in example.nodules],
    }
    written: dict[str, bytes] = {}
    place = f"{item.split}/{item.name}"
    if {"coco", "csv", "monai"} & set(settings.formats):
        shown = windowed(example.image, window, bits)
        written[f"{IMAGES}/{place}.png"] = png(shown, mark_of(record))
    if settings.pairs and example.untouched is not None:
        made = windowed(example.untouched, window, bits)
        written[f"{UNTOUCHED}/{place}.png"] = png(made)
    if settings.masks:
        for number, nodule in enumerate(example.nodules, 1):
            shown = nodule.mask.astype("uint8") * 255
            written[f"{MASKS}/{place}_{number}.png"] = png(shown)
    for name, content in written.items():
        write_bytes(output / name, content)
    names = list(written)
    for name in settings.formats:
        if write_image := getattr(FORMATS[name], "write_image", None):
            names += write_image(output, record, radiograph, example, settings)
    record["files"] = {name: _described(output / name) for name in sorted(names)}
    write_text(output / record_name(item), json.dumps(record) + "\n")
    return record


def write_skipped(output: Store, item: Item, source: Source, why: str) -> None:
    """Write the record of an image that its radiograph does not allow."""
    record = {
        "name": item.name,
        "split": item.split,
        "source": source.path,
        "slice": source.slice,
        "patient": source.patient,
        "skipped": why,
        "files": {},
    }
    with output.staged(record_name(item)) as folder:
        write_text(folder / record_name(item), json.dumps(record) + "\n")


def record_name(item: Item) -> str:
    """Where the record of an image lies in a set."""
    return f"{RECORDS}/{item.name}.json"


def read_record(output: Store, item: Item) -> Record | None:
    """The record of an image that is done and whose files are there; None of any other."""
    try:
        content = output.read(record_name(item))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _whole(content, output.size)


def read_records(output: Store, items: Iterable[Item]) -> Iterator[Record]:
    """The records of those images that are done, in the order of the images."""
    sizes = output.sizes()
    names = [name for item in items if (name := record_name(item)) in sizes]
    for content in output.read_many(names):
        if record := _whole(content, sizes.get):
            yield record


def _whole(content: bytes | None, size: Callable[[str], int | None]) -> Record | None:
    """A record as it was written, where the files that it names have the sizes that it says."""
    try:
        record: Record = json.loads(content or b"")
        files = record["files"].items()
        return record if all(size(name) == told["bytes"] for name, told in files) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # cut short: not written by one step


def _told(nodule: Nodule, settings: DatasetSettings) -> dict[str, Any]:
    return {
        "box": list(nodule.tight if settings.boxes == "tight" else nodule.given),
        "tight": list(nodule.tight),
        "given": list(nodule.given),
        "size_mm": round(nodule.size_mm, 2),
        "contrast": round(nodule.contrast, 4),
        "visibility": round(nodule.visibility, 3),
        "subtlety": grade_of(nodule.visibility),
        "region": nodule.region,
        "area": int(nodule.mask.sum()),
        "rle": run_lengths(nodule.mask),
        "recipe": asdict(nodule.recipe),
    }


def _described(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
