"""``nodegen synthesise-nodules``: draw CT patches of nodules from the fitted model.

Draws nodules from the fitted model, as volumes and masks in the organisers' patch form, which
`prepare` and every other tool take.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import seed, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--count", type=whole(1), required=True, metavar="N",
        help="nodules to draw")  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, metavar="S",
        help="the same count and seed give the same nodules (default: %(default)s)")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR",
        help="gets patches/, segmentations/ and ct_nodules.csv")  # fmt: skip
    parser.add_argument("--parameters", type=Path, default=None, metavar="FILE",
        help="fitted parameters (default: those that nodegen ships)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Draw, write, and say what to do with it."""
    from nodegen.nodules.model import SHIPPED, NoduleModel
    from nodegen.nodules.patches import PATCH_MARK, PATCHES, SEGMENTATIONS, write_patches
    from nodegen.nodules.synthesise import synthesise
    from nodegen.progress import track

    model = NoduleModel.load(args.parameters or SHIPPED)
    drawn = synthesise(model, args.count, args.seed)
    width = len(str(args.count - 1))
    write_patches(
        args.output,
        (
            (
                f"synthetic{args.seed}{PATCH_MARK}{number:0{width}}",
                nodule.volume_hu,
                nodule.mask,
                nodule.diameter_mm,
            )
            for number, nodule in enumerate(track(drawn, args.count, "synthesise", "nodule"))
        ),
    )
    print(
        f"{args.count} nodules in {args.output}; to make a library of them: nodegen prepare "
        f"--patches {args.output / PATCHES} --segmentations {args.output / SEGMENTATIONS} "
        "--output LIBRARY"
    )
    return 0
