"""``nodegen reference``: measure real nodules, for synthetic ones to be compared with."""

from pathlib import Path

from nodegen.cli.options import Overwrite, refuse_results
from nodegen.settings import Words


def reference(
    *,
    real: list[Path],
    boxes: list[Path],
    output: Path,
    main: Words = Words(),
    loose: Words = Words(),
    to_node21: bool = False,
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
    loose
        Annotation sources whose boxes are drawn wide. Of those, nodules are kept whose outline is
        found with certainty, in boxes tightened around it.
    to_node21
        Bring radiographs of another form to NODE21's first, and their boxes with them.
    source
        Where radiographs and boxes come from, kept in the file; if it is not given, the folder's
        name.
    """
    from nodegen.evaluation.fidelity.measures import MEASURES
    from nodegen.evaluation.fidelity.reference import measure_folders
    from nodegen.io.tables import markdown_table

    refuse_results(overwrite, output)
    measured = measure_folders(
        real, boxes, source=source, main=main, loose=loose, to_node21=to_node21
    )
    measured.write(output)
    summary = measured.summary()
    names = ("nodules", "radiographs", "side_px", *MEASURES, "edge_width_mm")
    rows = ([name, *(_cell(group.get(name)) for group in summary.values())] for name in names)
    print(markdown_table(["p5 / p50 / p95", *summary], rows))
    print(output)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return " / ".join(f"{value[p]:g}" for p in ("p5", "p50", "p95"))
    return "–" if value is None else str(value)
