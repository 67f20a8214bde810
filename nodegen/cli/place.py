"""``nodegen place``: boxes where nodules lie, for any radiographs."""

import argparse
from pathlib import Path

from nodegen.cli.options import add_inputs, add_places, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_inputs(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR",
        help="gets nodules.json; of several files, in a folder for each",
    )  # fmt: skip
    add_places(parser, "boxes in a radiograph, each number as likely")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR",
        help="gets a PNG for each radiograph: lungs, density and boxes (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=seed, default=0, help="of all that is random (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Place, and say where the boxes lie."""
    from nodegen.lungs.place import place_files

    for path, count in place_files(
        args.inputs,
        args.output,
        nodules=args.nodules,
        size_mm=args.size_mm,
        seed=args.seed,
        pictures=args.pictures,
    ):
        print(f"{count} box{'es' * (count != 1)}: {path}")
    return 0
