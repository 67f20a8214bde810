"""``nodegen prepare``: CT patches and segmentations → a nodule library.

Makes a library of NODE21's CT patches, or of any in their form: each nodule is cut out by its
mask, projected, and stored with its 2D mask. Pairs that cannot be used are listed in
`skipped.csv` with the reason; an interrupted run goes on where it stopped.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_patches, listed, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_patches(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR",
        help="folder of the library; an interrupted run is continued")  # fmt: skip
    parser.add_argument("--workers", type=whole(1), default=None, metavar="N",
        help="processes (default: one for each core)")  # fmt: skip
    parser.add_argument("--axes", type=listed(whole(0, 2)), default=(0, 1, 2),
        metavar="LIST", help="axes of the patch array (slice, row, column) to project along; "
        "the baseline's is 1 (default: 0,1,2)")  # fmt: skip
    parser.add_argument("--diameters", type=Path, default=None, metavar="FILE",
        help="the organisers' ct_nodules.csv, to be compared with (default: none)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Prepare, and say what was done."""
    import time

    from nodegen.nodules.patches import DIAMETERS, read_diameters
    from nodegen.nodules.prepare import SKIPPED, prepare

    table = None if args.diameters is None else read_diameters(args.diameters)
    start = time.perf_counter()
    done = prepare(
        args.patches, args.segmentations, args.output, workers=args.workers, axes=args.axes
    )
    seconds = time.perf_counter() - start
    print(
        f"{done.nodules} nodules, {done.entries} projections in {args.output} "
        f"({seconds:.1f} s, {done.continued} continued); sha256 {done.sha256}"
    )
    if done.skipped:
        print(f"{len(done.skipped)} left out: see {args.output / SKIPPED}")
    if table is not None:
        _compare(read_diameters(args.output / DIAMETERS), table)
    return 0


def _compare(ours: dict[str, int], table: dict[str, int]) -> None:
    """Say how many diameters equal the organisers'."""
    shared = ours.keys() & table.keys()
    equal = sum(ours[name] == table[name] for name in shared)
    print(f"{equal} of {len(shared)} diameters equal the table's, which has {len(table)} rows")
