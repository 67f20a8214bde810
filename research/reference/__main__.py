"""``python -m research.reference``: measure the real nodules that nodegen compares with."""

import sys
from pathlib import Path

from nodegen.cli.options import run_function
from nodegen.io.files import check_writable

FOLDERS = ("", "nih_official")  # each with its boxes.csv
MAIN = ("official", "inferred", "hand", "three", "official-loose", "one")
LOOSE = ("official-loose", "one", "doubtful")
SOURCE = (
    "NODE21's boxes on 13 of its radiographs (5 official, 5 inferred by their pattern, 9 drawn by "
    "hand where a nodule is seen); NIH ChestX-ray14: boxes of ChestX-Det's three radiologists, and "
    "outlines found with certainty in loose boxes by NIH's radiologists and one annotator"
)


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(measure_reference, "python -m research.reference", argv)


def measure_reference(*, real: Path, output: Path) -> None:
    """Measure the real nodules that nodegen ships as its reference.

    Parameters
    ----------
    real
        Folder of the radiographs and boxes.csv, with those of NIH in nih_official.
    output
        File that gets the measures, JSON.
    """
    from nodegen.evaluation.fidelity.reference import measure_folders
    from research.reference.loose_boxes import tighten

    check_writable(output, overwrite=False)
    folders = [real / name for name in FOLDERS]
    reference = measure_folders(
        folders,
        [folder / "boxes.csv" for folder in folders],
        source=SOURCE,
        main=MAIN,
        standardise=True,
        tighten=lambda pixels, boxes, sources: tighten(pixels, boxes, sources, LOOSE),
    )
    reference.write(output)
    print(output)


if __name__ == "__main__":
    sys.exit(main())
