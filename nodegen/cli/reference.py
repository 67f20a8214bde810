"""``nodegen reference``: measure real nodules, for synthetic ones to be compared with."""

from pathlib import Path

from nodegen.cli.options import BoxTable, Overwrite, RealFolder, refuse_results
from nodegen.settings import Words


def reference(
    *,
    real: RealFolder,
    boxes: BoxTable,
    output: Path,
    main: Words = Words(),
    source: str = "",
    overwrite: Overwrite = False,
) -> None:
    """Measure real nodules, for synthetic ones to be compared with.

    Writes the file that `--reference` takes. It holds measures and no pixels; see
    [fidelity](fidelity.md).

    Parameters
    ----------
    output
        File that gets the measures, JSON.
    main
        Annotation sources (first word of the column trust) that synthetic nodules are compared
        with; if they are not given, all.
    source
        Where radiographs and boxes come from, kept in the file; if it is not given, the folder's
        name.
    """
    from nodegen.evaluation.fidelity.measures import MEASURES
    from nodegen.evaluation.fidelity.reference import measure_folder

    refuse_results(overwrite, output)
    measured = measure_folder(real, boxes, source=source, main=main)
    measured.write(output)
    summary = measured.summary()
    print("| p5 / p50 / p95 | " + " | ".join(summary) + " |")
    print("|---|" + "---|" * len(summary))
    for name in ("nodules", "radiographs", "side_px", *MEASURES, "edge_width_mm"):
        print(
            f"| {name} | " + " | ".join(_cell(group.get(name)) for group in summary.values()) + " |"
        )
    print(output)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return " / ".join(f"{value[p]:g}" for p in ("p5", "p50", "p95"))
    return "–" if value is None else str(value)
