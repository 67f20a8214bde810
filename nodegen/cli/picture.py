"""`nodegen picture`: a stack before and after in one picture.

One PNG: a row for each box, those seen best first, with its slice after, every box marked, and
the box enlarged before and after.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_pair, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_pair(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="the PNG to write"
    )
    parser.add_argument(
        "--rows", type=whole(1), default=4, metavar="N", help="boxes to show (default: %(default)s)"
    )
    parser.add_argument(
        "--side",
        type=whole(1, 4096),
        default=320,
        metavar="PX",
        help="side of each panel (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    """Draw the picture, and say where it lies."""
    from nodegen.evaluation.picture import before_after
    from nodegen.io.boxes import BOXES, read_boxes
    from nodegen.io.files import check_writable
    from nodegen.io.stack import image_at, read_stack

    check_writable(args.output)
    untouched = image_at(args.before)
    before = read_stack(untouched).pixels
    after = read_stack(image_at(args.after)).pixels
    boxes = read_boxes(args.boxes or untouched.with_name(BOXES), before.shape)
    before_after(before, after, boxes, args.output, rows=args.rows, side=args.side)
    print(args.output)
