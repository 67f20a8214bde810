"""`nodegen phantom`: a simulated radiograph stack with boxes.

Radiographs made by calculation, for trying everything without patient data: a thorax with ribs,
clavicles, scapulae, spine, heart, vessels, airways and diaphragm is drawn from the seed,
projected, and exposed with scatter, blur and quantum noise; then brought to NODE21's grey scale.
Boxes have NODE21's sizes.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import seed, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR",
        help="folder that gets phantom.mha and nodules.json",
    )  # fmt: skip
    parser.add_argument(
        "--slices",
        type=whole(1),
        default=3,
        metavar="N",
        help="number of radiographs (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="S",
        help="the same seed gives the same stack (default: %(default)s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Simulate, and say where the files lie."""
    from nodegen.io.boxes import BOXES
    from nodegen.phantom import write_phantom

    image = write_phantom(args.output, args.slices, args.seed)
    print(f"{image}\n{image.with_name(BOXES)}")
