"""Draw boxes for the radiographs of files, and write both as stacks that ``generate`` takes.

A picture shows a radiograph's places: its lungs' outlines, the density over it, and its boxes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from nodegen.errors import SettingError, StackError
from nodegen.io.boxes import BOXES, Box, write_boxes
from nodegen.io.files import check_writable, claim, write_bytes, write_text
from nodegen.io.image import Geometry
from nodegen.io.preview import eight_bit, encoded, resized
from nodegen.io.radiograph import (
    Radiograph,
    find_radiographs,
    left_out,
    read_radiograph,
    read_radiographs,
)
from nodegen.io.stack import bare_name, stack_writer
from nodegen.io.store import check_apart
from nodegen.io.tables import csv_text
from nodegen.lungs.fields import Lungs, find_lungs
from nodegen.lungs.prior import Prior
from nodegen.lungs.region import LEFT, RIGHT

SLICES = "slices.csv"  # beside the stack: which slice is which radiograph
LUNG_INK = {RIGHT: (255, 96, 32), LEFT: (32, 176, 255)}
BOX_INK = (255, 224, 0)
DENSITY_INK = np.array([160, 32, 240])
DENSITY_OPACITY = 0.55  # where the density is highest
OUTLINE_PX = 2
PICTURE_PX = 1024  # its longer side


def place_files(
    inputs: list[Path],
    output: Path,
    *,
    nodules: tuple[int, int] = (1, 3),
    size_mm: tuple[float, float] | None = None,
    seed: int = 0,
    pictures: Path | None = None,
    overwrite: bool = False,
) -> list[tuple[Path, int, int]]:
    """Draw boxes for radiographs, and write stacks with their ``nodules.json``.

    Radiographs of one size and pixel type share a stack: in the output folder itself where all do,
    else in a folder for each size, such as ``1024x1024-uint16``.

    Parameters
    ----------
    inputs, output : list of Path, Path
        Files and folders of radiographs, of any format that is read; a folder outside of these.
    nodules, size_mm : tuple, optional
        Fewest and most boxes in a radiograph; range of the larger side, None: as NODE21's.
    seed : int
        The same inputs, settings and seed give the same boxes.
    pictures : Path, optional
        Gets a PNG for each radiograph.
    overwrite : bool
        Whether stacks and boxes that are in the output already may be replaced.

    Returns
    -------
    list of (Path, int, int)
        Of each stack its folder, and how many slices and boxes it has.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault; a StackError where no radiograph can be used.
    """
    if not 0 <= nodules[0] <= nodules[1]:
        raise SettingError(
            f"--nodules is {nodules[0]}-{nodules[1]}; give a number or a range such as 1-3."
        )
    files = find_radiographs(inputs)
    check_apart(inputs, output)
    read = [path for path, _ in files]
    there = (path for name in (BOXES, SLICES, "*.mha") for path in output.rglob(name))
    check_writable(*there, overwrite=overwrite, inputs=read)
    prior = Prior.load()
    groups: dict[tuple[tuple[int, ...], np.dtype], list[tuple[str, Radiograph, list[Box]]]] = {}
    for number, (path, root) in enumerate(files):
        name = path.relative_to(root).as_posix()
        with left_out(name):
            for radiograph in read_radiographs(path):
                pixels = radiograph.pixels
                rng = np.random.default_rng([seed, number, radiograph.slice])
                lungs = find_lungs(pixels)
                places = prior.places(lungs, pixels)
                count = int(rng.integers(nodules[0], nodules[1] + 1))
                boxes = places.draw(count, rng, size_mm, radiograph.spacing)
                if pictures is not None:
                    stem = bare_name(name).replace("/", "_")
                    made = _picture(pixels, lungs, places.density, boxes)
                    write_bytes(pictures / f"{stem}_{radiograph.slice:03d}.png", made)
                empty = replace(radiograph, pixels=pixels[:0])  # read again when it is written
                group = groups.setdefault((pixels.shape, pixels.dtype), [])
                group.append((name, empty, boxes))
    if not groups:
        raise StackError("None of the radiographs could be used; see why above.")
    placed = []
    for (shape, dtype), members in groups.items():
        kind = f"{'x'.join(map(str, shape))}-{dtype.name}"
        folder = output / kind if len(groups) > 1 else output
        boxes = [
            replace(box, slice=own) for own, (_, _, drawn) in enumerate(members) for box in drawn
        ]
        rows = [(own, name, one.slice) for own, (name, one, _) in enumerate(members)]
        names, sizes = {name for name, _, _ in members}, {one.spacing for _, one, _ in members}
        name = bare_name(Path(members[0][0]).name) if len(names) == 1 else "radiographs"
        x, y = (members[0][1].spacing if len(sizes) == 1 else None) or (1.0, 1.0)
        geometry, size = replace(Geometry.plain(3), spacing=(x, y, 1.0)), (len(members), *shape)
        results = [folder / result for result in (f"{name}.mha", SLICES, BOXES)]
        with claim(*results, overwrite=overwrite, inputs=read) as staged:
            stack, table, placed_boxes = (staged[result] for result in results)
            with stack_writer(stack, geometry, size, dtype) as write:
                for _, one, _ in members:
                    write(read_radiograph(one.path, one.slice).pixels)
            write_text(table, csv_text(("slice", "file", "slice_of_file"), rows))
            write_boxes(placed_boxes, boxes)
        placed.append((folder, len(members), len(boxes)))
    return placed


def _picture(pixels: np.ndarray, lungs: Lungs, density: np.ndarray, boxes: list[Box]) -> bytes:
    """A PNG of a radiograph, its lungs, the density of its places, and its boxes."""
    grey = eight_bit(pixels, (1, 99.5))
    colours = np.repeat(grey[..., None].astype(np.float32), 3, 2)
    shade = np.asarray(
        Image.fromarray((density / density.max()).astype(np.float32)).resize(
            (pixels.shape[1], pixels.shape[0]), Image.Resampling.BILINEAR
        )
    )[..., None]
    colours += DENSITY_OPACITY * shade * (DENSITY_INK - colours)
    for lung, ink in LUNG_INK.items():
        mask = lungs.labels == lung
        colours[mask & ~ndimage.binary_erosion(mask, iterations=OUTLINE_PX)] = ink
    image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for box in boxes:
        corners = (box.left, box.top, box.right - 1, box.bottom - 1)
        pen.rectangle(corners, outline=BOX_INK, width=OUTLINE_PX)
    return encoded(resized(image, PICTURE_PX)[0])
