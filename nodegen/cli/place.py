"""``nodegen place``: draw boxes where nodules lie, for any radiographs."""

from pathlib import Path

from nodegen.cli.options import Seed
from nodegen.settings import IntegerRange, Range


def place(
    radiographs: list[Path],
    *,
    output: Path,
    nodules: IntegerRange = IntegerRange((1, 3)),
    size_mm: Range | None = None,
    pictures: Path | None = None,
    seed: Seed = 0,
) -> None:
    """Draw boxes where nodules lie, for any radiographs.

    Parameters
    ----------
    radiographs
        Files or folders.
    output
        Folder that gets nodules.json; of several files, in a folder for each.
    nodules
        Boxes in a radiograph, a number or a range, each number as likely.
    size_mm
        Range of the larger side; if it is not given, sizes are NODE21's.
    pictures
        Folder that gets a PNG for each radiograph: lungs, density and boxes.
    """
    from nodegen.lungs.place import place_files

    for path, count in place_files(
        radiographs, output, nodules=nodules, size_mm=size_mm, seed=seed, pictures=pictures
    ):
        print(f"{count} box{'es' * (count != 1)}: {path}")
