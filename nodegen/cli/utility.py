"""``nodegen utility``: measure what a detector learns from synthetic nodules."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nodegen.evaluation.utility.options import Options
from nodegen.settings import Device, Settings

# Fields whose options have other names.
_NAMES = {"depth": "detector", "seeds": "networks", "nodules": "per-image", "sizes_px": "size-px"}
_Choices = Annotated[
    Options,
    Parameter(
        name="*",
        parse=re.compile("^(?!settings$)"),
        name_transform=lambda name: _NAMES.get(name, name.replace("_", "-")),
    ),
]


def utility(
    *,
    real: Path,
    boxes: Path,
    output: Path,
    radiographs: list[Path] | None = None,
    places: Path | None = None,
    choices: _Choices = Options(),
    noise_and_blur: bool = False,
    write_places: Path | None = None,
    model: Path | None = None,
    library: Path | None = None,
    device: Device = "auto",
) -> None:
    """Measure what a detector learns from synthetic nodules.

    Trains networks on each arm, tests all on the same real nodules, and writes tables, curves and
    a gallery. See [What a detector learns](utility.md). Run an interrupted command again to resume.

    Parameters
    ----------
    real
        Folder of real radiographs with nodules and without, also in folders below.
    boxes
        Table of their boxes: NODE21's metadata.csv, COCO, or a CSV of stem, x, y, width, height.
    output
        Folder that gets utility-DETECTOR.md, .csv, .json and .html, and store/, from which a later
        run takes what is unchanged.
    radiographs
        Folders of radiographs without nodules, to draw nodules into; if they are not given, three
        quarters of the patients of --real that have none.
    places
        Table of boxes, as --boxes, from which places are drawn; if it is not given, --boxes.
    noise_and_blur
        Noise, blur, noise on every arm's radiographs.
    write_places
        Folder: write the radiographs as a stack with nodules.json, for nodules made elsewhere, and
        stop.
    model
        Folder that holds hyposignal and hypersignal; if it is not given, the cascades that nodegen
        ships.
    library
        Nodule library, from `nodegen prepare`; if it is not given, the one that nodegen ships.
    device
        auto: CUDA where there is one.
    """
    from nodegen.evaluation.utility.measures import MAIN
    from nodegen.evaluation.utility.results import markdown
    from nodegen.evaluation.utility.run import read_cases, utility

    settings = Settings(
        noise_and_blur=noise_and_blur,
        intensity="input",
        device=device,
        model=model,
        library=library,
    )
    options = replace(choices, settings=settings)
    given = real, boxes, radiographs or []
    if write_places:
        from nodegen.evaluation.utility.made import write_places as write

        write(write_places, read_cases(*given, options, places)[0])
        print(f"radiographs and places: {write_places}")
        return
    results = utility(*given, output, options, place_boxes=places)
    print(markdown(results, MAIN[options.depth]))
    print(f"page: {output / f'utility-{options.depth}.html'}")
