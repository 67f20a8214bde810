"""``nodegen judge``: measure how real the nodules of a stack are.

Measures every box, whatever made the nodules; see [fidelity](fidelity.md) for what it measures.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_pair, add_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_pair(parser, several=True)
    add_reference(parser)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="gets all figures, box by box (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    """Judge, and print the table."""
    import json
    from itertools import starmap

    from nodegen.errors import SettingError
    from nodegen.evaluation.fidelity.judge import judge, read_pair
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.table import markdown
    from nodegen.io.boxes import BOXES
    from nodegen.io.files import check_writable, write_text
    from nodegen.io.stack import image_at
    from nodegen.progress import track

    check_writable(args.json)
    given = {len(args.before), len(args.after), len(args.boxes) or len(args.before)}
    if len(given) != 1:
        raise SettingError(
            f"There are {len(args.before)} of --before, {len(args.after)} of --after and "
            f"{len(args.boxes)} of --boxes; give as many of each, in the same order."
        )
    before, after = ([image_at(place) for place in places] for places in (args.before, args.after))
    boxes = args.boxes or [image.with_name(BOXES) for image in before]
    reference = Reference.load(args.reference or SHIPPED).against(args.trust)
    pairs = track(
        starmap(read_pair, zip(before, after, boxes, strict=True)),
        len(before),
        "judging",
        "stack",
        show=len(args.before) > 1,
    )
    verdict = judge(pairs, reference)
    print(markdown({"synthetic": verdict}))
    if args.json:
        write_text(args.json, json.dumps(verdict.as_dict(), indent=2) + "\n")
    return 0
