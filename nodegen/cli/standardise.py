"""``nodegen standardise``: radiographs in NODE21's form."""

import argparse
from pathlib import Path

from nodegen.cli.options import add_inputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_inputs(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR",
        help="gets an .mha for each radiograph, and crops.json with the way back",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Standardise, and say where the images lie."""
    from nodegen.dataset.standardise import standardise_files

    for path in standardise_files(args.inputs, args.output):
        print(path)
    return 0
