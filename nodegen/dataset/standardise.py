"""Bring radiographs to NODE21's form: its grey scale, its crop to the lungs, 1024 × 1024 px.

The grey scale is made equal by energy-based normalisation (Philipsen et al., IEEE TMI 34(9), 2015):
an image is parted into bands of detail, and each band gets the energy that it has in the reference,
inside the lungs. The crop is that of the organisers: the lungs with a margin, the longer side
1024 px, the shorter one centred between zeros.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.dataset.energy import normalised
from nodegen.dataset.way import SIDE_PX, Crop, Way, cut
from nodegen.errors import SettingError
from nodegen.io.files import write_text
from nodegen.io.radiograph import NODE21_MAX, Radiograph, find_radiographs, read_radiographs
from nodegen.io.stack import Geometry
from nodegen.io.stack_writer import StackWriter
from nodegen.lungs.fields import Lungs, find_lungs

# Margins around both lungs over their width or height, mean over 24 of NODE21's images.
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 0.12, 0.09, 0.14


@dataclass(frozen=True)
class Standardised:
    """A radiograph in NODE21's form, and the way back.

    Attributes
    ----------
    radiograph : Radiograph
        uint16, 1024 × 1024 px, 0..4095.
    way : Way
    lungs : Lungs
        Of the standardised image.
    """

    radiograph: Radiograph
    way: Way
    lungs: Lungs


def standardise(radiograph: Radiograph) -> Standardised:
    """Bring a radiograph to NODE21's form.

    Raises
    ------
    StackError
        Where no lungs are found.
    """
    crop = crop_of(find_lungs(radiograph.pixels))
    seen, shown = cut(radiograph.pixels.astype(np.float32), crop)
    lungs = find_lungs(seen)
    pixels, gains, offset = normalised(seen, lungs.labels > 0)
    grey = np.clip(np.rint(pixels), 0, NODE21_MAX).astype(np.uint16)
    grey[~shown] = 0
    spacing = radiograph.spacing
    if spacing is not None:
        spacing = spacing[0] / crop.scale, spacing[1] / crop.scale
    made = Radiograph(grey, spacing, radiograph.path, radiograph.slice, radiograph.patient)
    rows, columns = radiograph.pixels.shape
    return Standardised(made, Way(crop, gains, offset, (rows, columns)), lungs)


def crop_of(lungs: Lungs) -> Crop:
    """The crop around both lungs, with margins, made to fit 1024 × 1024 px."""
    rows, columns = np.nonzero(lungs.labels)
    left, right = float(columns.min()), float(columns.max() + 1)
    top, bottom = float(rows.min()), float(rows.max() + 1)
    width, height = right - left, bottom - top
    limits = lungs.labels.shape
    edges = (
        round(max(left - MARGIN_X * width, 0)),
        round(max(top - MARGIN_TOP * height, 0)),
        round(min(right + MARGIN_X * width, limits[1])),
        round(min(bottom + MARGIN_BOTTOM * height, limits[0])),
    )
    sides = edges[2] - edges[0], edges[3] - edges[1]
    scale = SIDE_PX / max(sides)
    x, y = ((SIDE_PX - round(side * scale)) // 2 for side in sides)
    return Crop(*edges, scale, x, y)


def standardise_files(inputs: list[Path], output: Path) -> Iterator[Path]:
    """Standardise radiographs, each into an .mha of its own, and write ``crops.json``.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files and folders of radiographs.
    output : pathlib.Path

    Yields
    ------
    pathlib.Path
        Of an image, as it is written.

    Raises
    ------
    SettingError
        Where two radiographs would get the same name.
    NodegenError
        One of its other classes, for each kind of fault.
    """
    crops: dict[str, dict[str, Any]] = {}
    for path, _ in find_radiographs(inputs):
        for radiograph in read_radiographs(path):
            part = f"_{radiograph.slice:03d}" if radiograph.slice else ""
            name = f"{path.stem}{part}.mha"
            if name in crops or (output / name).exists():
                raise SettingError(
                    f"{output / name} is there already, or two radiographs have its name; give "
                    "another --output."
                )
            made = standardise(radiograph)
            size = made.radiograph.spacing or (1.0, 1.0)
            form = Geometry(size, (0.0, 0.0), (1.0, 0.0, 0.0, 1.0), 2)
            with StackWriter(output / name, form, (1, SIDE_PX, SIDE_PX), np.uint16) as writer:
                writer.write(made.radiograph.pixels)
            crops[name] = made.way.told()
            yield output / name
    write_text(output / "crops.json", json.dumps(crops, indent=1) + "\n")
