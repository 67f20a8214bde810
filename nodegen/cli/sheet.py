"""``nodegen sheet``: lay real and synthetic nodules of like size side by side.

Lays real and synthetic nodules of like size side by side, windowed to what is shown, the real one
on the left under a light line. The picture shows real patients' radiographs: treat it as such.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_paths, add_real, seed, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_real(parser)
    add_paths(parser, "--synthetic", "folder of a stack with synthetic nodules and its "
        "recipes.json or nodules.json", metavar="DIR", required=True)  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="FILE",
        help="gets the sheet, a PNG; it shows real patients' radiographs")  # fmt: skip
    parser.add_argument("--count", type=whole(1), default=48, metavar="N",
        help="pairs to show at most (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, metavar="S",
        help="of the choice among the real ones (default: %(default)s)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Lay out the sheet, and say where it lies."""
    from nodegen.evaluation.fidelity.grey_levels import full_range, to_grey_levels
    from nodegen.evaluation.fidelity.real import read_real
    from nodegen.evaluation.fidelity.sheet import pairs_of_like_size, view, write_sheet
    from nodegen.evaluation.synthetic_stacks import read_synthetic_stack

    real = [
        view(radiograph.pixels, box)
        for radiograph in read_real(args.real, args.boxes)
        for box in radiograph.boxes
    ]
    synthetic = []
    for folder in args.synthetic:
        stack, boxes = read_synthetic_stack(folder)
        levels = to_grey_levels(stack.pixels, *full_range(stack.pixels))
        synthetic += [view(levels[box.slice], box) for box in boxes]
    write_sheet(args.output, pairs_of_like_size(real, synthetic, args.count, args.seed))
    print(args.output)
    return 0
