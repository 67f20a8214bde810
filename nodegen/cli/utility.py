"""``nodegen utility``: measure what a detector learns from synthetic nodules."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from nodegen.cli.options import flat
from nodegen.evaluation.utility.utility_options import Options
from nodegen.settings import Settings

_Choices = Annotated[
    Options,
    flat(
        but=["settings"],
        model="detector",
        seeds="networks",
        nodules="per-image",
        sizes_px="size-px",
    ),
]


def utility(
    *,
    real: list[Path],
    boxes: list[Path],
    output: Path,
    radiographs: list[Path] | None = None,
    places: Path | None = None,
    choices: _Choices = Options(),
    settings: Annotated[Settings, flat("device", "model", "library")] = Settings(),
) -> None:
    """Measure what a detector learns from synthetic nodules.

    Trains networks on each arm, tests all on the same real radiographs, and writes tables and
    curves. See [What a detector learns](utility.md). Run an interrupted command again to
    resume.

    Parameters
    ----------
    real
        Folders of real radiographs with nodules and without, also in folders below.
    boxes
        Tables of their boxes: NODE21's metadata.csv, COCO, or a CSV of stem, x, y, width, height.
    output
        Folder that gets utility-DETECTOR.md and .json (tables), .svg (curves) and .csv (real
        nodules with their scores), and store/, from which a later run takes what is unchanged.
    radiographs
        Folders of radiographs without nodules, to draw nodules into; if they are not given, three
        quarters of the patients of --real that have none.
    places
        Table of boxes, as --boxes, from which places are drawn; if it is not given, --boxes.
    """
    from nodegen.evaluation.utility.results import markdown
    from nodegen.evaluation.utility.run_utility import utility

    options = replace(choices, settings=settings)
    results = utility(real, boxes, radiographs or [], output, options, place_boxes=places)
    print(markdown(results))
    print(f"tables, curves and nodules: {output / f'utility-{options.model}'}.*")
