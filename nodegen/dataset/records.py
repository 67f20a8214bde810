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

from nodegen.dataset.dataset_plan import PlannedImage
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.example import DrawnNodule, Example
from nodegen.dataset.formats import FORMATS
from nodegen.dataset.png import mark_of, png, run_lengths, windowed
from nodegen.dataset.sources import Source
from nodegen.io.files import write_bytes, write_text
from nodegen.io.store import Store
from nodegen.synthesis.visibility import grade_of

Record = dict[str, Any]


def write_example(
    output: Path,
    image: PlannedImage,
    source: Source,
    example: Example,
    settings: DatasetSettings,
    facts: dict[str, Any],
) -> None:
    """Write the files of one image, and its record.

    Parameters
    ----------
    output : pathlib.Path
        Folder of the set, or one that is sent there.
    image : PlannedImage
        Name and split.
    source : Source
        The radiograph that it was drawn into, as planned.
    example : Example
        The image and its nodules.
    settings : DatasetSettings
        Formats, bits, and whether pairs and masks are written.
    facts : dict
        What else the record says, such as the hash of the radiograph's file.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    record: Record = {
        **_head(image, source),
        "seed": example.seed,
        "height": int(example.image.shape[0]),
        "width": int(example.image.shape[1]),
        "mm_per_px": round(example.mm, 5),
        "window": list(example.radiograph.window),
        "bits": 8 if example.image.dtype == np.uint8 else settings.bits,
        "passed": example.passed,
        "faults": example.faults,
        **facts,
        "nodules": [_entry(nodule, settings) for nodule in example.nodules],
    }
    files = dict(_pictures(record, example, settings))
    for name in settings.formats:
        if image_files := getattr(FORMATS[name], "image_files", None):
            files |= dict(image_files(record, example, settings))
    for name, content in files.items():
        write_bytes(output / name, content)
    record["files"] = {
        name: {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
        for name in sorted(files)
    }
    write_text(output / record_name(image), json.dumps(record) + "\n")


def _pictures(
    record: Record, example: Example, settings: DatasetSettings
) -> Iterator[tuple[str, bytes]]:
    """The PNGs that several formats share: image, the same without nodules, and masks."""
    place, window, bits = f"{record['split']}/{record['name']}", record["window"], record["bits"]
    if {"coco", "csv", "monai"} & set(settings.formats):
        yield f"images/{place}.png", png(windowed(example.image, window, bits), mark_of(record))
    if settings.pairs and example.untouched is not None:
        yield f"untouched/{place}.png", png(windowed(example.untouched, window, bits))
    for number, nodule in enumerate(example.nodules if settings.masks else (), 1):
        yield f"masks/{place}_{number}.png", png(nodule.mask.astype("uint8") * 255)


def write_skipped(
    output: Store, image: PlannedImage, source: Source, why: str, traceback: str = ""
) -> None:
    """Write the record of an image whose radiograph is left out.

    Parameters
    ----------
    output : Store
        The set.
    image : PlannedImage
        The image.
    source : Source
        Its radiograph.
    why : str
        One sentence.
    traceback : str
        Of a fault in nodegen itself; it stands in the record alone, and not in the manifest.
    """
    record = {**_head(image, source), "skipped": why, "files": {}}
    if traceback:
        record["traceback"] = traceback
    with output.staged(record_name(image)) as folder:
        write_text(folder / record_name(image), json.dumps(record) + "\n")


def record_name(image: PlannedImage) -> str:
    """Where the record of an image lies in a set."""
    return f"records/{image.name}.json"


def is_done(output: Store, image: PlannedImage) -> bool:
    """Whether an image is there with its files; one that was left out is not."""
    try:
        record = _whole(output.read(record_name(image)), output.size)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return record is not None and "skipped" not in record


def read_records(output: Store, images: Iterable[PlannedImage]) -> Iterator[Record]:
    """The records of those images that are done or left out, in the order of the images."""
    sizes = output.sizes()
    names = [name for image in images if (name := record_name(image)) in sizes]
    for content in output.read_many(names):
        if record := _whole(content, sizes.get):
            yield record


def _head(image: PlannedImage, source: Source) -> Record:
    return {
        "name": image.name,
        "split": image.split,
        "source": source.path,
        "slice": source.slice,
        "patient": source.patient,
    }


def _whole(content: bytes | None, size: Callable[[str], int | None]) -> Record | None:
    """A record as it was written, where the files that it names have the sizes that it says."""
    try:
        record: Record = json.loads(content or b"")
        files = record["files"].items()
        return record if all(size(name) == entry["bytes"] for name, entry in files) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # cut short: not written by one step


def _entry(nodule: DrawnNodule, settings: DatasetSettings) -> dict[str, Any]:
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
