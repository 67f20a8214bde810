"""``python -m research.nodule_model``: CT patches → the nodule model.

Fits the generative model of lung nodules to CT patches.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nodegen.cli import guarded
from nodegen.cli.options import add_patches, seed, whole

if TYPE_CHECKING:
    from nodegen.nodules.measure import Measured
    from nodegen.synthesis.nodule import Nodule


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(prog="python -m research.nodule_model", description=__doc__)
    add_arguments(parser)
    args = parser.parse_args(argv)
    return guarded(lambda: run(args))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_patches(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE|DIR",
        help="gets the parameters: an .npz file, or a folder for parameters.npz")  # fmt: skip
    parser.add_argument("--rounds", type=whole(0), default=4, metavar="N",
        help="times that the model is simulated and corrected (default: %(default)s)")  # fmt: skip
    parser.add_argument("--evaluate", action="store_true",
        help="also fit to every other nodule and compare with the rest, both ways "
        "(default: off)")  # fmt: skip
    parser.add_argument("--sheet", type=Path, default=None, metavar="FILE",
        help="PNG of 64 synthetic and 64 given nodules, side by side (default: none)")  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0,
        help="of the nodules drawn for --evaluate and --sheet; the fit itself draws always the "
        "same (default: %(default)s)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Fit, evaluate where asked for, and say where the parameters lie."""
    from nodegen.io.files import check_writable
    from nodegen.nodules.model import PARAMETERS
    from research.nodule_model.evaluate import held_out
    from research.nodule_model.fit import fit
    from research.nodule_model.sheet import contact_sheet

    path = args.output if args.output.suffix == ".npz" else args.output / PARAMETERS
    for wanted in filter(None, (path, args.sheet)):
        check_writable(wanted)
    measured, nodules = _read(args.patches, args.segmentations)
    model = fit(measured, rounds=args.rounds, progress=True)
    model.save(path)
    print(f"parameters of {len(measured)} nodules in {path} ({path.stat().st_size / 1e3:.0f} kB)")
    if args.sheet:
        real = [nodule for nodule in nodules if nodule is not None]
        contact_sheet(model, real, args.sheet, seed=args.seed)
        print(f"contact sheet in {args.sheet}; it shows the patches given, so mind their licence")
    if args.evaluate:
        for evaluation in held_out(
            measured, nodules, rounds=args.rounds, seed=args.seed, progress=True
        ):
            print("\n".join(evaluation.lines()))
    return 0


def _read(patches: Path, segmentations: Path) -> tuple[list[Measured], list[Nodule | None]]:
    """Measure all pairs, and project each along the baseline's axis; name those left out."""
    from nodegen.constants import PROJECTION_AXIS
    from nodegen.nodules.measure import measure
    from nodegen.nodules.patches import PairError, find_pairs, read_pair
    from nodegen.nodules.prepare import project_nodule
    from nodegen.progress import track

    measured, skipped = [], []
    nodules: list[Nodule | None] = []
    pairs = find_pairs(patches, segmentations)
    for pair in track(pairs, len(pairs), "measure", "nodule"):
        try:
            volume_hu, mask = read_pair(pair)
        except PairError as error:
            skipped.append(f"left out {pair.name}: {error}")
            continue
        measured.append(measure(volume_hu, mask))
        projected = project_nodule(pair.name, volume_hu, mask, (PROJECTION_AXIS,), opaque=False)
        nodules.append(projected[0] if projected else None)
    for line in skipped:
        print(line)
    return measured, nodules


if __name__ == "__main__":
    sys.exit(main())
