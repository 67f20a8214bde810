"""``nodegen training-crop``: cut a training image around pasted nodules out of a radiograph.

Cuts a training image for `train`: 256 × 256 px **around pasted nodules**, because generators that
have seen none remove them.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_library, listed, number, seed, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--image", type=Path, required=True, metavar="FILE", help="a radiograph")
    parser.add_argument(
        "--slice",
        type=whole(0),
        default=0,
        help="of a stack (default: %(default)s)",
    )
    parser.add_argument(
        "--centre", type=listed(whole(0), 2), required=True, metavar="X,Y", help="of the crop, px"
    )
    add_library(parser)
    parser.add_argument(
        "--count",
        type=whole(1, 25),
        default=4,
        help="nodules pasted in (default: %(default)s)",
    )
    parser.add_argument(
        "--peak",
        type=number(0, 1),
        default=0.4,
        help="of the grey range, added at the densest nodule's densest (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, help="of the nodules drawn (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the training image: .mha, float in 0..1",
    )


def run(args: argparse.Namespace) -> int:
    """Write the training image, and a picture of it beside it."""
    import io

    import numpy as np
    from PIL import Image

    from nodegen.errors import SettingError
    from nodegen.io.files import check_writable, same_file, write_bytes
    from nodegen.io.stack import Geometry, read_stack
    from nodegen.io.stack_writer import StackWriter, check_suffix
    from nodegen.settings import MODEL
    from nodegen.synthesis.library import Library
    from nodegen.training.crop import draw_placements, pick_nodules, training_crop

    check_suffix(args.output)
    check_writable(args.output)
    if same_file(args.output, args.image):
        raise SettingError(f"--output is the radiograph {args.image} itself; give another name.")
    pixels = read_stack(args.image).pixels
    if not 0 <= args.slice < len(pixels):
        raise SettingError(
            f"--slice is {args.slice}, and {args.image} has {len(pixels)} slices; give 0 to "
            f"{len(pixels) - 1}."
        )
    rng = np.random.default_rng(args.seed)
    placements = draw_placements(rng, args.count, args.peak)
    nodules = pick_nodules(rng, Library.open(args.library or MODEL / "nodules"), args.count)
    crop = training_crop(pixels[args.slice], args.centre, nodules, placements)
    with StackWriter(args.output, Geometry.plain(2), (1, *crop.shape), crop.dtype) as writer:
        writer.write(crop)
    picture = args.output.with_suffix(".preview.png")
    drawn = io.BytesIO()
    Image.fromarray(np.rint(crop * 255).astype(np.uint8)).save(drawn, format="PNG")
    write_bytes(picture, drawn.getvalue())
    print(f"The training image lies in {args.output}, a picture of it in {picture}.")
    return 0
