"""Real radiographs with nodules: a folder of images, and a CSV of boxes."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import EvaluationError
from nodegen.evaluation.fidelity.grey_levels import full_range, to_grey_levels
from nodegen.io.boxes import Box, fit_boxes
from nodegen.io.stack import SUFFIXES, read_stack
from nodegen.progress import track

UNKNOWN = "unknown"  # the trust of boxes whose file says nothing of it
NUMBERS = ("x", "y", "width", "height")


@dataclass(frozen=True)
class RealRadiograph:
    """A real radiograph with its nodules.

    Attributes
    ----------
    pixels : ndarray, shape (row, column)
        Grey levels of 0..4095.
    boxes : list of Box
    trusts : list of str
        Of each box: where it comes from.
    mm_per_px : float or None
        None where the image does not say (a spacing of 1).
    """

    pixels: np.ndarray
    boxes: list[Box]
    trusts: list[str]
    mm_per_px: float | None


def read_real(folder: Path, boxes: Path, *, progress: bool = True) -> Iterator[RealRadiograph]:
    """Read a folder of real radiographs, one at a time.

    Parameters
    ----------
    folder : Path
        Holds the images, one a file (``SUFFIXES``), in itself or in folders below it.
    boxes : Path
        CSV with the columns ``stem`` (or ``img_name``: the file's name, with or without its
        suffix), ``x``, ``y``, ``width``, ``height`` in px, and, if wanted, ``source`` (the folder
        that holds it), ``trust`` (its first word counts) and ``label`` (0: no nodule).

    Raises
    ------
    EvaluationError
        Where the CSV cannot be read, lacks a column, or names an image that is not there.
    StackError, BoxesError
        Where an image cannot be read, or a box lies outside.
    """
    wanted: dict[Path, list[dict[str, Any]]] = {}
    for row in _rows(boxes):
        wanted.setdefault(_image_of(folder, row, boxes), []).append(row)
    for image, rows in track(
        wanted.items(), len(wanted), "real nodules", "radiograph", show=progress
    ):
        stack = read_stack(image)
        pixels = to_grey_levels(stack.pixels, *full_range(stack.pixels))
        given = [
            Box(0, round(x), round(y), round(x + width), round(y + height), i)
            for i, (x, y, width, height) in enumerate(row["box"] for row in rows)
        ]
        spacing = float(stack.geometry.spacing[0])
        yield RealRadiograph(
            pixels[0],
            fit_boxes(given, (1, *pixels.shape[1:])),
            [row["trust"] for row in rows],
            spacing if spacing != 1 else None,
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open(path, newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(
            f"The boxes {path} cannot be read ({error}); give a CSV of stem, x, y, width, height."
        ) from error
    if not rows:
        raise EvaluationError(
            f"{path} holds no boxes; give a CSV of stem, x, y, width, height with one at least."
        )
    for number, row in enumerate(rows, 2):
        if row.get("label") == "0":
            continue
        try:
            box = tuple(float(row[name]) for name in NUMBERS)
        except (KeyError, TypeError, ValueError):
            box = ()
        name = row.get("stem") or row.get("img_name")
        if not name or not box or not np.all(np.isfinite(box)):
            raise EvaluationError(
                f"Line {number} of {path} lacks one of stem, x, y, width, height, or has one that "
                "is no number; mend it."
            )
        trust = (row.get("trust") or UNKNOWN).split()[0]
        yield {"name": name, "source": row.get("source") or "", "trust": trust, "box": box}


def _image_of(folder: Path, row: dict[str, Any], boxes: Path) -> Path:
    name: str = row["name"]
    names = [name] if name.lower().endswith(SUFFIXES) else [name + suffix for suffix in SUFFIXES]
    places: tuple[Path, ...] = (folder / row["source"], folder)
    for place in places:
        for candidate in names:
            if (place / candidate).is_file():
                return place / candidate
    found = [path for candidate in names for path in sorted(folder.rglob(candidate))]
    if not found:
        raise EvaluationError(
            f"{boxes} names {name}, and neither {folder} nor a folder below it holds an image of "
            f"that name ({', '.join(SUFFIXES)}); give the folder that does."
        )
    return found[0]
