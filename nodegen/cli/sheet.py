"""``nodegen sheet``: show real and synthetic nodules side by side."""

from pathlib import Path

from nodegen.cli.options import (
    BoxTable,
    Overwrite,
    Positive,
    RealFolder,
    Seed,
    SyntheticFolders,
    refuse_results,
)


def sheet(
    *,
    real: RealFolder,
    boxes: BoxTable,
    synthetic: SyntheticFolders,
    output: Path,
    count: Positive = 48,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Show real and synthetic nodules of like size side by side.

    Each is windowed to what is shown; the real one is on the left, under a light line. The picture
    shows real patients' radiographs: treat it as such.

    Parameters
    ----------
    output
        File that gets the sheet, a PNG; it shows real patients' radiographs.
    count
        Pairs to show at most.
    seed
        Of the choice among the real ones.
    """
    from nodegen.evaluation.fidelity.grey_levels import full_range, to_grey_levels
    from nodegen.evaluation.fidelity.real import read_real
    from nodegen.evaluation.fidelity.sheet import pairs_of_like_size, view, write_sheet
    from nodegen.evaluation.synthetic_stacks import read_synthetic_stack

    refuse_results(overwrite, output)
    left = [
        view(radiograph.pixels, box)
        for radiograph in read_real(real, boxes)
        for box in radiograph.boxes
    ]
    right = []
    for folder in synthetic:
        stack, drawn = read_synthetic_stack(folder)
        levels = to_grey_levels(stack.pixels, *full_range(stack.pixels))
        right += [view(levels[box.slice], box) for box in drawn]
    write_sheet(output, pairs_of_like_size(left, right, count, seed))
    print(output)
