"""One image of a set on the disk: its files, then its record, which says that they are whole.

A record is written last and in one step. Where it lies, the image is done; where it does not,
whatever a killed run left of the image is written anew, with the same bytes.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nodegen.dataset.example import Example, Nodule
from nodegen.dataset.formats import FORMATS
from nodegen.dataset.images import png, run_lengths, windowed
from nodegen.dataset.plan import Item, Source
from nodegen.dataset.settings import DatasetSettings
from nodegen.io.files import write_bytes, write_text
from nodegen.io.radiograph import Radiograph

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
        Folder of the set.
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
        "passed": example.passed,
        "faults": example.faults,
        **facts,
        "nodules": [_told(nodule, settings) for nodule in example.nodules],
    }
    written: dict[str, bytes] = {}
    place = f"{item.split}/{item.name}"
    if {"coco", "csv", "monai"} & set(settings.formats):
        written[f"{IMAGES}/{place}.png"] = png(windowed(example.image, window, settings.bits))
    if settings.pairs:
        made = windowed(example.untouched, window, settings.bits)
        written[f"{UNTOUCHED}/{place}.png"] = png(made)
    if settings.masks:
        for number, nodule in enumerate(example.nodules, 1):
            shown = nodule.mask.astype("uint8") * 255
            written[f"{MASKS}/{place}_{number}.png"] = png(shown)
    for name, content in written.items():
        write_bytes(output / name, content)
    names = list(written)
    for name in settings.formats:
        names += FORMATS[name].write_image(output, record, radiograph, example, settings)
    record["files"] = {name: _described(output / name) for name in sorted(names)}
    write_text(output / RECORDS / f"{item.name}.json", json.dumps(record) + "\n")
    return record


def write_skipped(output: Path, item: Item, source: Source, why: str) -> None:
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
    write_text(output / RECORDS / f"{item.name}.json", json.dumps(record) + "\n")


def read_record(output: Path, item: Item) -> Record | None:
    """The record of an image that is done and whose files are there; None of any other."""
    path = output / RECORDS / f"{item.name}.json"
    try:
        record: Record = json.loads(path.read_bytes())
        files = record["files"].items()
        if all((output / name).stat().st_size == told["bytes"] for name, told in files):
            return record
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _told(nodule: Nodule, settings: DatasetSettings) -> dict[str, Any]:
    return {
        "box": list(nodule.tight if settings.boxes == "tight" else nodule.given),
        "tight": list(nodule.tight),
        "given": list(nodule.given),
        "size_mm": round(nodule.size_mm, 2),
        "contrast": round(nodule.contrast, 4),
        "visibility": round(nodule.visibility, 3),
        "region": nodule.region,
        "area": int(nodule.mask.sum()),
        "rle": run_lengths(nodule.mask),
        "recipe": asdict(nodule.recipe),
    }


def _described(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
