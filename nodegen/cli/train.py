"""``nodegen train``: train a cascade on one image.

Trains a cascade on one image: a progress bar, `log.jsonl` with the losses, a picture of each
scale, and in the end the cascade with its model card in `cascade/`. Killed at any point, it goes
on with `--resume` from the last minute, and ends on the CPU in the same weights as an unbroken
run. Beside other work set `OMP_NUM_THREADS=1`: torch's threads wait busily for one another.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nodegen.cli.options import add_device, seed, whole

if TYPE_CHECKING:
    import numpy as np


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--image",
        type=Path,
        required=True,
        metavar="FILE",
        help="training image, 256 x 256 px, in 0..1, -1..1, 0..4095 or 8 bit",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder of the run"
    )
    parser.add_argument(
        "--profile",
        choices=("paper", "compact"),
        default="compact",
        help="paper: its setting, for a large GPU; compact: under an hour on two CPU cores "
        "(default: %(default)s)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the run (default: %(default)s)")
    add_device(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --output (default: off)"
    )
    parser.add_argument(
        "--source",
        default="",
        metavar="TEXT",
        help="where the image comes from, for the model card (default: its file's name)",
    )
    parser.add_argument(
        "--stop-after",
        type=whole(1, 16),
        default=16,
        metavar="SCALES",
        help="leave after so many scales, to be resumed later (default: %(default)s, all)",
    )


def _image(path: Path) -> "np.ndarray":
    from nodegen.errors import TrainingError
    from nodegen.io.stack import read_stack

    pixels: np.ndarray = read_stack(path).pixels
    if len(pixels) > 1:
        raise TrainingError(
            f"{path} holds {len(pixels)} slices where one training image is wanted; cut one with "
            "`nodegen training-crop`."
        )
    first: np.ndarray = pixels[0]
    return first


def run(args: argparse.Namespace) -> int:
    """Train, and say where the cascade lies."""
    from nodegen.settings import choose_device
    from nodegen.training.run import train

    folder = train(
        _image(args.image),
        args.output,
        profile=args.profile,
        seed=args.seed,
        device=choose_device(args.device),
        resume=args.resume,
        source=args.source or args.image.name,
        stop_after=args.stop_after,
    )
    if folder is None:
        print(f"{args.stop_after} scales are done; add --resume to go on.")
    else:
        print(f"The cascade lies in {folder}.")
    return 0
