"""``nodegen utility``: measure what a detector learns from synthetic nodules."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from nodegen.cli.options import AnyDevice, BoxTable, LibraryFolder, ModelFolder, RealFolder, flat
from nodegen.evaluation.utility.options import Options
from nodegen.settings import Settings

_Choices = Annotated[
    Options,
    flat("settings", depth="detector", seeds="networks", nodules="per-image", sizes_px="size-px"),
]


def utility(
    *,
    real: RealFolder,
    boxes: BoxTable,
    output: Path,
    radiographs: list[Path] | None = None,
    places: Path | None = None,
    choices: _Choices = Options(),
    noise_and_blur: bool = False,
    write_places: Path | None = None,
    model: ModelFolder = None,
    library: LibraryFolder = None,
    device: AnyDevice = "auto",
) -> None:
    """Measure what a detector learns from synthetic nodules.

    Trains networks on each arm, tests all on the same real nodules, and writes tables, curves and
    a gallery. See [What a detector learns](utility.md). Run an interrupted command again to resume.

    Parameters
    ----------
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
