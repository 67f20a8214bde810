"""``nodegen sheet``: lay real and synthetic nodules of like size side by side.

Lays real and synthetic nodules of like size side by side, windowed to what is shown, the real one
on the left under a light line. The picture shows real patients' radiographs: treat it as such.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--images", type=Path, required=True, metavar="DIR",
        help="real radiographs with nodules, as for `nodegen reference`")  # fmt: skip
    parser.add_argument("--boxes", type=Path, required=True, metavar="CSV",
        help="their boxes, as for `nodegen reference`")  # fmt: skip
    parser.add_argument("--synthetic", type=Path, required=True, action="append", metavar="FILE",
        help="a stack with synthetic nodules; may be given several times")  # fmt: skip
    parser.add_argument("--nodules", type=Path, required=True, action="append", metavar="FILE",
        help="its nodules.json; as often, in the same order")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="FILE",
        help="gets the sheet, a PNG; it shows real patients' radiographs")  # fmt: skip
    parser.add_argument("--count", type=int, default=48, metavar="N",
        help="pairs to show at most (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="S",
        help="of the choice among the real ones (default: %(default)s)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Lay out the sheet, and say where it lies."""
    from nodegen.errors import SettingError
    from nodegen.evaluation.fidelity.grey_levels import full_range, to_grey_levels
    from nodegen.evaluation.fidelity.real import read_real
    from nodegen.evaluation.fidelity.sheet import pairs_of_like_size, view, write_sheet
    from nodegen.io.boxes import read_boxes
    from nodegen.io.stack import read_stack

    if len(args.synthetic) != len(args.nodules) or args.count < 1 or args.seed < 0:
        raise SettingError(
            f"--synthetic is given {len(args.synthetic)} times and --nodules {len(args.nodules)} "
            f"times, count is {args.count} and seed {args.seed}; give the first two equally often, "
            "a count of 1 or more and a seed of 0 or more."
        )
    real = [
        view(radiograph.pixels, box)
        for radiograph in read_real(args.images, args.boxes)
        for box in radiograph.boxes
    ]
    synthetic = []
    for path, nodules in zip(args.synthetic, args.nodules, strict=True):
        pixels = read_stack(path).pixels
        levels = to_grey_levels(pixels, *full_range(pixels))
        synthetic += [view(levels[box.slice], box) for box in read_boxes(nodules, pixels.shape)]
    write_sheet(args.output, pairs_of_like_size(real, synthetic, args.count, args.seed))
    print(args.output)
    return 0
