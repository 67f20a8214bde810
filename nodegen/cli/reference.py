"""``nodegen reference``: measure real nodules, to hold synthetic ones against them.

Measures real nodules, to hold synthetic ones against them: the file that `--reference` takes. It
holds measures and no pixels; see [fidelity](fidelity.md).
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_real, listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_real(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE",
        help="gets the reference, JSON: measures only, no pixels")  # fmt: skip
    parser.add_argument("--main", type=listed(str), default=(), metavar="LIST",
        help="kinds of trust (first word of that column) that synthetic nodules are held against "
        "(default: all)")  # fmt: skip
    parser.add_argument("--source", default="", metavar="TEXT",
        help="where radiographs and boxes come from, kept in the file "
        "(default: the folder's name)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure, write the reference, and print the measures' percentiles."""
    from nodegen.evaluation.fidelity.measures import MEASURES
    from nodegen.evaluation.fidelity.reference import measure_folder

    reference = measure_folder(args.real, args.boxes, source=args.source, main=args.main)
    reference.write(args.output)
    summary = reference.summary()
    print("| p5 / p50 / p95 | " + " | ".join(summary) + " |")
    print("|---|" + "---|" * len(summary))
    for name in ("nodules", "radiographs", "side_px", *MEASURES, "edge_width_mm"):
        print(
            f"| {name} | " + " | ".join(_cell(group.get(name)) for group in summary.values()) + " |"
        )
    print(args.output)
    return 0


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return " / ".join(f"{value[p]:g}" for p in ("p5", "p50", "p95"))
    return "–" if value is None else str(value)
