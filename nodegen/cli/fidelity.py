"""``nodegen judge``, ``compare``, ``reference`` and ``sheet``: how real synthetic nodules are."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from nodegen.cli.options import (
    Overwrite,
    Positive,
    RealFolder,
    ReferenceFile,
    Seed,
    Sources,
    SyntheticFolders,
    flat,
)
from nodegen.io.files import check_writable
from nodegen.settings import Integers, Intensity, Settings, Words


def judge(
    *,
    radiographs: list[Path],
    synthetic: list[Path],
    boxes: list[Path] | None = None,
    reference: ReferenceFile = None,
    annotation_sources: Sources = Words(),
    json: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure how real the nodules of a stack are.

    Measures every box, whatever made the nodules; see [fidelity](fidelity.md) for what it measures.

    Parameters
    ----------
    radiographs
        Untouched stacks, or the folders that hold them.
    synthetic
        The same stacks with nodules, or their folders, in the same order.
    boxes
        Their boxes, in the same order; if they are not given, nodules.json beside each untouched
        stack.
    json
        File that gets all figures, box by box.
    """
    from itertools import repeat

    from nodegen.errors import SettingError
    from nodegen.evaluation.fidelity.judge import judge, read_pair
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.verdict_table import markdown
    from nodegen.io.boxes import BOXES, RECIPES
    from nodegen.io.files import write_text
    from nodegen.io.tables import json_text
    from nodegen.workers import track

    read = [*radiographs, *synthetic, *(boxes or ()), *filter(None, [reference])]
    read += [folder / name for folder in (*radiographs, *synthetic) for name in (BOXES, RECIPES)]
    check_writable(json, overwrite=overwrite, inputs=read, suffix=".json")
    if len({len(radiographs), len(synthetic), len(boxes or radiographs)}) != 1:
        raise SettingError(
            f"There are {len(radiographs)} of --radiographs, {len(synthetic)} of --synthetic and "
            f"{len(boxes or ())} of --boxes; give as many of each, in the same order."
        )
    known = Reference.load(reference or SHIPPED).with_sources(annotation_sources)
    pairs = track(
        map(read_pair, radiographs, synthetic, boxes or repeat(None)),
        len(radiographs),
        "judging",
        "stack",
        show=len(radiographs) > 1,
    )
    verdict = judge(pairs, known)
    print(markdown({"synthetic": verdict}))
    if json:
        write_text(json, json_text(verdict))


def compare(
    *,
    input: list[Path],
    output: Path,
    methods: Words = Words(("singan", "poisson", "paste")),
    seeds: Integers = Integers((0,)),
    settings: Annotated[Settings, flat("contrast", "device", "model", "library")] = Settings(),
    intensity: Intensity = "input",
    noise_and_blur: bool = False,
    reference: ReferenceFile = None,
    annotation_sources: Sources = Words(),
    overwrite: Overwrite = False,
) -> None:
    """Run several methods with the same recipes, and judge them.

    Runs several methods with the same nodules in the same places, judges all, and writes one table
    (`compare.md`, `.csv`, `.json`) and one report.

    Parameters
    ----------
    input
        Folder of one image and its nodules.json, or of such folders.
    output
        Folder that gets each run, compare.md, compare.csv, compare.json and report.html.
    methods
        Of singan, poisson, paste, and singan-paper, which is the paper's add-back and contrast as
        written.
    seeds
        Of the runs.
    intensity
        As in generate.
    noise_and_blur
        Noise, blur, noise on every slice; hides what is to be judged.
    """
    from nodegen.evaluation.compare import REPORT, compare
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.verdict_table import markdown

    check_writable(output / REPORT, overwrite=overwrite)
    settings = replace(settings, intensity=intensity, noise_and_blur=noise_and_blur)
    known = Reference.load(reference or SHIPPED).with_sources(annotation_sources)
    verdicts = compare(
        input, output, methods, seeds, settings, reference=known, overwrite=overwrite
    )
    print(markdown(verdicts))
    print(f"report: {output / REPORT}")


def reference(
    *,
    real: list[Path],
    boxes: list[Path],
    output: Path,
    main: Words = Words(),
    standardise: bool = False,
    source: str = "",
    overwrite: Overwrite = False,
) -> None:
    """Measure real nodules, for synthetic ones to be compared with.

    Writes the file that `--reference` takes. It holds measures and no pixels; see
    [fidelity](fidelity.md).

    Parameters
    ----------
    real
        Folders of radiographs with real nodules, one a file, here or in folders below.
    boxes
        A table of boxes for each folder: NODE21's metadata.csv, COCO, or a CSV of stem, x, y,
        width, height.
    output
        File that gets the measures, JSON.
    main
        Annotation sources (first word of the column trust, and -loose where it says so) that
        synthetic nodules are compared with; if they are not given, all.
    standardise
        Bring radiographs of another form to NODE21's first, and their boxes with them.
    source
        Where radiographs and boxes come from, kept in the file; if it is not given, the folder's
        name.
    """
    from nodegen.evaluation.fidelity.reference import measure_folders
    from nodegen.evaluation.fidelity.verdict_table import reference_table

    check_writable(output, overwrite=overwrite, inputs=boxes, suffix=".json")
    measured = measure_folders(real, boxes, source=source, main=main, standardise=standardise)
    measured.write(output)
    print(reference_table(measured))
    print(output)


def sheet(
    *,
    real: RealFolder,
    boxes: Path,
    synthetic: SyntheticFolders,
    output: Path,
    count: Positive = 48,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Show real and synthetic nodules of like size side by side.

    Each is windowed to what is shown and says which it is; the real one is on the left.

    Parameters
    ----------
    boxes
        Table of their boxes: NODE21's metadata.csv, COCO, a CSV of stem, x, y, width, height in px,
        or a stack's nodules.json.
    output
        File that gets the sheet, a PNG; it shows real patients' radiographs.
    count
        Pairs to show at most.
    seed
        Of the choice among the real ones.
    """
    from itertools import chain

    from nodegen.evaluation.boxed_images import read_real, read_synthetic
    from nodegen.evaluation.pictures import write_sheet
    from nodegen.io.radiograph import find_radiographs
    from nodegen.io.read_box_table import read_box_table

    read = [path for path, _ in find_radiographs([real])] if output.exists() else []
    check_writable(output, overwrite=overwrite, inputs=read, suffix=".png")
    drawn = chain.from_iterable(map(read_synthetic, synthetic))
    write_sheet(output, read_real([real], [read_box_table(boxes)]), drawn, count, seed)
    print(output)
