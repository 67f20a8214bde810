"""``nodegen judge``: measure how real the nodules of a stack are.

Measures every box, whatever made the nodules; see [fidelity](fidelity.md) for what it measures.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    for name, what in (
        ("before", "untouched stack"),
        ("after", "the same stack with nodules"),
        ("boxes", "its nodules.json"),
    ):
        parser.add_argument(
            f"--{name}",
            type=Path,
            required=True,
            action="append",
            metavar="FILE",
            help=f"{what}; may be given several times, in the same order as the others",
        )
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
    from nodegen.io.files import check_writable, write_text
    from nodegen.progress import track

    check_writable(args.json)
    given = {len(args.before), len(args.after), len(args.boxes)}
    if len(given) != 1:
        raise SettingError(
            f"--before is given {len(args.before)} times, --after {len(args.after)} and --boxes "
            f"{len(args.boxes)} times; give all three equally often."
        )
    reference = Reference.load(args.reference or SHIPPED).against(args.trust)
    pairs = track(
        starmap(read_pair, zip(args.before, args.after, args.boxes, strict=True)),
        len(args.before),
        "judging",
        "stack",
        show=len(args.before) > 1,
    )
    verdict = judge(pairs, reference)
    print(markdown({"synthetic": verdict}))
    if args.json:
        write_text(args.json, json.dumps(verdict.as_dict(), indent=2) + "\n")
    return 0
