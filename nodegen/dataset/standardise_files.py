"""Standardise the radiographs of files, and take a table of their boxes along."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dataset.standardise import SIDE_PX, StandardisationTransform, standardise
from nodegen.errors import OutputError, StackError
from nodegen.io.box_tables import BoxTable
from nodegen.io.files import check_writable, write_text
from nodegen.io.image import Geometry
from nodegen.io.radiograph import find_radiographs, left_out, read_radiographs
from nodegen.io.read_box_table import read_box_table
from nodegen.io.stack import bare_name, count_slices, stack_writer
from nodegen.io.store import check_apart
from nodegen.io.tables import csv_text

CROPS, BOXES, FAULTS = "crops.json", "boxes.csv", "faults.log"
KEPT_EVERY_S = 10.0  # between two times that CROPS is written: at most so much a killed run loses
Entry = dict[str, Any]


def standardise_files(
    inputs: list[Path], output: Path, boxes: Path | None = None, *, overwrite: bool = False
) -> Iterator[Path]:
    """Standardise radiographs, each into an .mha whose path is yielded, and write ``crops.json``.

    One that cannot be standardised is left out and named; of a fault in nodegen itself
    ``faults.log`` says where it lies.

    Parameters
    ----------
    inputs : list of Path
        Files and folders of radiographs.
    output : Path
        Folder; one that holds some of them gets the others.
    boxes : Path, optional
        Table of boxes in the radiographs' own pixels; ``boxes.csv`` gets them in the new ones.
    overwrite : bool
        Whether those that are there are made anew.

    Raises
    ------
    OutputError, SettingError
        Where the folder holds other files, or lies in one of the inputs.
    StackError
        Where no radiograph can be used.
    """
    files = find_radiographs(inputs)
    check_apart(inputs, output)
    table = None if boxes is None else read_box_table(boxes)
    check_writable(output / BOXES, inputs=[boxes] if boxes else [])
    entries = _entries_of(output)
    if entries and not overwrite:
        ending = "s" * (len(entries) != 1)
        print(f"{output} holds {len(entries)} standardised radiograph{ending} already")
    taken: set[str] = set()
    kept = -KEPT_EVERY_S
    try:
        for path, root in files:
            source = path.relative_to(root).as_posix()
            with left_out(source, output / FAULTS):
                for made in _standardised(path, source, output, entries, taken, overwrite):
                    if time.monotonic() - kept > KEPT_EVERY_S:
                        _keep(entries, output)
                        kept = time.monotonic()
                    yield made
    finally:
        if entries:
            _keep(entries, output)
    if not taken & set(entries):
        raise StackError("None of the radiographs could be used; see why above.")
    if table is not None:
        write_text(output / BOXES, _boxes_of(entries, table))


def _keep(entries: dict[str, Entry], output: Path) -> None:
    write_text(output / CROPS, json.dumps(entries, indent=1) + "\n")


def _standardised(
    path: Path,
    source: str,
    output: Path,
    entries: dict[str, Entry],
    taken: set[str],
    overwrite: bool,
) -> Iterator[Path]:
    """Write those images of one file that are not there, and note how each was brought there."""
    stem = bare_name(source).replace("/", "_")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StackError(f"it cannot be read ({error.strerror}); make it readable.") from error
    output.mkdir(parents=True, exist_ok=True)
    is_stack = count_slices(path) > 1
    for radiograph in read_radiographs(path):
        number = radiograph.slice
        name = f"{stem}_{number:03d}.mha" if number else f"{stem}.mha"
        if name in taken:
            raise StackError(f"another radiograph is written as {name}; rename one")
        taken.add(name)
        if name in entries and (output / name).exists() and not overwrite:
            if entries[name]["source_sha256"] != digest:
                raise StackError(
                    f"{output / name} was made of another file; give another --output, or "
                    "--overwrite to replace it."
                )
            continue
        check_writable(output / name, inputs=[path])
        made = standardise(radiograph)
        size = made.radiograph.spacing or (1.0, 1.0)
        form = replace(Geometry.plain(2), spacing=size)
        with stack_writer(output / name, form, (1, SIDE_PX, SIDE_PX), np.uint16) as write:
            write(made.radiograph.pixels)
        entries[name] = {
            "source": f"{source}:{number}" if is_stack else source,
            "source_sha256": digest,
            **made.transformation.to_dict(),
        }
        yield output / name


def _entries_of(output: Path) -> dict[str, Entry]:
    """What ``crops.json`` of an earlier run holds."""
    try:
        entries: dict[str, Entry] = json.loads((output / CROPS).read_bytes())
        for entry in entries.values():
            StandardisationTransform.from_dict(entry)
        return entries
    except FileNotFoundError:
        there = [p.name for p in output.iterdir()] if output.exists() else []
        if any(name != FAULTS and not name.endswith(".partial") for name in there):
            raise OutputError(
                f"{output} holds other files and no {CROPS}; give an empty or a new --output."
            ) from None
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            f"{output / CROPS} cannot be read ({error}); give another --output."
        ) from error


def _boxes_of(entries: dict[str, Entry], table: BoxTable) -> str:
    """The table of boxes in the standardised images; label 0 where an image has none."""
    names = sorted(entries)
    rows: list[tuple[object, ...]] = []
    found = table.match([entries[name]["source"] for name in names])
    for name, image in zip(names, found, strict=True):
        transformation = StandardisationTransform.from_dict(entries[name])
        kept: list[tuple[object, ...]] = []
        for box in image.fitted(transformation.shape) if image else ():
            corners = transformation.crop.apply_box(box.edges)
            if corners is None:
                print(f"left out box {box.index} of {name}: it lies outside the crop to the lungs")
            else:
                left, top, right, bottom = corners
                kept.append((name, 1, left, top, right - left, bottom - top))
        rows += kept or [(name, 0, 0, 0, 0, 0)]
    return csv_text(("img_name", "label", "x", "y", "width", "height"), rows)
