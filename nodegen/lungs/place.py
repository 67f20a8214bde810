"""Where nodules may lie in a radiograph: its lung fields, and the density of places over them.

:func:`nodegen.lungs.fields.find_lungs` labels the lungs, :class:`.prior.Prior` draws boxes, and
:func:`place_files` does both for files.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from nodegen.errors import SettingError


def place_files(
    inputs: list[Path],
    output: Path,
    *,
    nodules: tuple[int, int] = (1, 3),
    size_mm: tuple[float, float] | None = None,
    seed: int = 0,
    pictures: Path | None = None,
) -> Iterator[tuple[Path, int]]:
    """Draw boxes for radiographs, and write each file's ``nodules.json``.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files and folders of radiographs; a stack's slices are placed one by one.
    output : pathlib.Path
        Gets ``nodules.json``; of several files, in a folder of each one's name.
    nodules : tuple of int
        Fewest and most boxes in a radiograph.
    size_mm : tuple of float, optional
        Range of the larger side; None: as NODE21's.
    seed : int
    pictures : pathlib.Path, optional
        Gets a PNG for each radiograph.

    Yields
    ------
    path : pathlib.Path
        Of a ``nodules.json``.
    count : int
        Boxes in it.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault.
    """
    from nodegen.io.boxes import BOXES, write_boxes
    from nodegen.io.files import write_bytes
    from nodegen.io.radiograph import find_radiographs, read_radiographs
    from nodegen.lungs.fields import find_lungs
    from nodegen.lungs.picture import picture
    from nodegen.lungs.prior import Prior

    if not 0 <= nodules[0] <= nodules[1]:
        raise SettingError(
            f"--nodules is {nodules[0]}-{nodules[1]}; give a number or a range such as 1-3."
        )
    prior = Prior.load()
    files = find_radiographs(inputs)
    for number, (path, root) in enumerate(files):
        place = path.relative_to(root).with_suffix("")
        boxes = []
        for radiograph in read_radiographs(path):
            rng = np.random.default_rng([seed, number, radiograph.slice])
            lungs = find_lungs(radiograph.pixels)
            drawn = prior.draw(
                lungs,
                radiograph.pixels,
                int(rng.integers(nodules[0], nodules[1] + 1)),
                rng,
                size_mm,
                radiograph.spacing,
            )
            boxes += [replace(box, slice=radiograph.slice) for box in drawn]
            if pictures is not None:
                density = prior.density(lungs, radiograph.pixels)
                name = f"{place.as_posix().replace('/', '_')}_{radiograph.slice:03d}.png"
                made = picture(radiograph.pixels, lungs, density, drawn)
                write_bytes(pictures / name, made)
        target = (output / place if len(files) > 1 else output) / BOXES
        write_boxes(target, boxes)
        yield target, len(boxes)
