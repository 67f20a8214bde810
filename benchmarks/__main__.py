"""``python -m benchmarks``: what a box, a slice and a stack cost.

Measures what a box, a slice and a stack cost; see [Speed](speed.md).
"""

import argparse
import sys
from pathlib import Path

from nodegen.cli import guarded
from nodegen.cli.options import listed, whole


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add_arguments(parser)
    args = parser.parse_args(argv)
    return guarded(lambda: run(args))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="a stack (default: a phantom of two slices)"
    )
    parser.add_argument(
        "--boxes", type=Path, metavar="FILE", help="its nodules.json (default: the phantom's)"
    )
    parser.add_argument(
        "--repeats", type=whole(1), default=7, help="of each timing (default: %(default)s)"
    )
    parser.add_argument(
        "--slices",
        type=listed(whole(1)),
        default=(1, 5, 20, 80),
        metavar="LIST",
        help="sizes of the stacks that are timed whole (default: 1,5,20,80)",
    )
    parser.add_argument(
        "--saving-slices",
        type=whole(1),
        default=20,
        metavar="N",
        help="size of the stack that is also timed without windows and folding "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=listed(whole(1)),
        default=(),
        metavar="LIST",
        help="numbers of workers whose boxes a second are measured (default: 1, and one for each "
        "processor that may be used)",
    )
    parser.add_argument(
        "--on-the-fly",
        type=whole(1),
        metavar="IMAGES",
        help="measure instead how many images a second one worker of a training loop gets, over so "
        "many of each method (default: none)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="gets all figures (default: none)"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="gets the plot, a PNG (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, and write what was asked for."""
    import json

    from benchmarks.run import measure
    from benchmarks.show import plot, table
    from nodegen.errors import SettingError
    from nodegen.io.files import check_writable, write_text

    if (args.stack is None) != (args.boxes is None):
        raise SettingError("One of --stack and --boxes is missing; give both, or neither.")
    for path in (args.json, args.plot):
        check_writable(path)
    if args.on_the_fly:
        from benchmarks import on_the_fly

        figures = on_the_fly.measure_on_the_fly(args.on_the_fly)
        print(on_the_fly.table(figures))
        if args.json:
            write_text(args.json, json.dumps(figures, indent=2) + "\n")
        return 0
    figures = measure(
        args.stack,
        args.boxes,
        args.repeats,
        args.slices,
        args.saving_slices,
        tuple(sorted(set(args.workers))),
    )
    print(table(figures))
    if args.json:
        write_text(args.json, json.dumps(figures, indent=2) + "\n")
    if args.plot:
        plot(figures, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
