"""``nodegen place``, ``standardise``, ``picture`` and ``sample``: radiographs and their boxes."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from nodegen.cli.options import Overwrite, Positive, Seed
from nodegen.io.files import check_writable
from nodegen.settings import IntegerRange, Range


def place(
    radiographs: list[Path],
    *,
    output: Path,
    nodules: IntegerRange = IntegerRange((1, 3)),
    size_mm: Range | None = None,
    pictures: Path | None = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw boxes where nodules lie, for any radiographs.

    Parameters
    ----------
    radiographs
        Files or folders.
    output
        Folder that gets a stack of the radiographs, its nodules.json and slices.csv, as `nodegen
        generate` takes it; of several sizes or pixel types, in a folder for each.
    nodules
        Boxes in a radiograph, a number or a range, each number as likely.
    size_mm
        Range of the larger side; if it is not given, sizes are NODE21's.
    pictures
        Folder that gets a PNG for each radiograph: lungs, density and boxes.
    """
    from nodegen.lungs.place import place_files

    for folder, slices, drawn in place_files(
        radiographs,
        output,
        nodules=nodules,
        size_mm=size_mm,
        seed=seed,
        pictures=pictures,
        overwrite=overwrite,
    ):
        boxes = f"{drawn} box{'es' * (drawn != 1)}"
        print(f"{boxes} in {slices} slice{'s' * (slices != 1)}: {folder}")


def standardise(
    radiographs: list[Path],
    *,
    output: Path,
    boxes: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Bring radiographs to NODE21's grey scale and crop.

    Run an interrupted command again to resume; --overwrite standardises all of them anew.

    Parameters
    ----------
    radiographs
        Files or folders.
    output
        Folder that gets an .mha for each radiograph, and crops.json, from which each can be
        brought back; one of an earlier run gets what it lacks.
    boxes
        Table of boxes in the radiographs' own pixels, NODE21's metadata.csv, COCO or another CSV;
        boxes.csv in the output gets them in those of the standardised images.
    """
    from nodegen.dataset.standardise_files import standardise_files

    for path in standardise_files(radiographs, output, boxes, overwrite=overwrite):
        print(path)


def picture(
    *,
    radiographs: Path,
    synthetic: Path,
    boxes: Path | None = None,
    output: Path,
    rows: Positive = 4,
    side: Annotated[int, Parameter(validator=Number(gte=1, lte=4096))] = 320,
    overwrite: Overwrite = False,
) -> None:
    """Show a stack before and after in one picture.

    One PNG: a row for each box, those seen best first, with its slice after, every box marked, and
    the box enlarged before and after.

    Parameters
    ----------
    radiographs
        Untouched stack, or the folder that holds it.
    synthetic
        The same stack with nodules, or its folder.
    boxes
        Its boxes; if they are not given, nodules.json beside the untouched stack.
    output
        The PNG to write.
    rows
        Boxes to show.
    side
        Side of each panel, px.
    """
    from nodegen.evaluation.pictures import before_after
    from nodegen.io.boxes import BOXES, read_boxes
    from nodegen.io.stack import find_image, read_stack

    check_writable(output, overwrite=overwrite, suffix=".png")
    untouched, treated = find_image(radiographs), find_image(synthetic)
    check_writable(output, inputs=[untouched, treated])
    before, after = read_stack(untouched).pixels, read_stack(treated).pixels
    found = read_boxes(boxes or untouched.with_name(BOXES), before.shape)
    before_after(before, after, found, output, rows=rows, side=side)
    print(output)


def sample(*, output: Path, overwrite: Overwrite = False) -> None:
    """Write a stack of simulated radiographs with boxes.

    The stack is for trying everything without patient data. `python -m research.phantom` in a clone
    simulates others.

    Parameters
    ----------
    output
        Folder that gets phantom.mha, two slices of 1024 × 1024 px, and nodules.json.
    """
    import shutil

    from nodegen.io.boxes import BOXES
    from nodegen.io.files import claim
    from nodegen.io.stack import find_image
    from nodegen.settings import SAMPLE

    image = find_image(SAMPLE)
    files = {output / file.name: file for file in (image, image.with_name(BOXES))}
    with claim(*files, overwrite=overwrite) as staged:
        for place, file in files.items():
            shutil.copyfile(file, staged[place])
    print(*files, sep="\n")
