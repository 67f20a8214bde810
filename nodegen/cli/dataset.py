"""``nodegen dataset``: a training set from radiographs."""

import argparse
import re
from dataclasses import fields

from nodegen.cli.options import (
    add_device,
    add_places,
    listed,
    number,
    ranged,
    seed,
    whole,
)
from nodegen.constants import CLASSES
from nodegen.settings import METHODS

RENDER = ("method", "contrast", "device")  # options that are settings of the rendering


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    leave = argparse.SUPPRESS
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="radiographs: files or folders, also by address, such as s3://bucket/folder",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="folder or address that gets the set; with a set that was begun with the same "
        "options, it is gone on with",
    )
    many = parser.add_mutually_exclusive_group(required=True)
    many.add_argument("--images", type=whole(1), metavar="N", help="images in all (default: none)")
    many.add_argument(
        "--copies", type=whole(1), metavar="K", help="images for each radiograph (default: none)"
    )
    add_places(parser, "in an image, each number as likely; 0 leaves it untouched")
    parser.add_argument(
        "--visibility", type=ranged(number(0)), default=(0.3, 100.0), metavar="LOW-HIGH",
        help="contrast over the spread of the ground around; nodules outside this range are drawn "
        "again (default: 0.3 or more)",
    )  # fmt: skip
    parser.add_argument(
        "--class", dest="signal", choices=CLASSES,
        help="of all nodules (default: by each one's place)",
    )  # fmt: skip
    parser.add_argument(
        "--split", type=listed(whole(0), 3), default=(80, 10, 10), metavar="A,B,C",
        help="shares of train, val and test, patients never parted (default: 80,10,10)",
    )  # fmt: skip
    parser.add_argument(
        "--format", dest="formats", type=listed(str), default=("coco",), metavar="LIST",
        help="of coco, yolo, node21, csv, monai, nndetection, dicom (default: coco)",
    )  # fmt: skip
    parser.add_argument(
        "--pixels", dest="bits", type=whole(8, 16), choices=(8, 16), default=16,
        help="bits; NODE21's 0..4095 become 0..255 in 8 bit (default: 16)",
    )  # fmt: skip
    parser.add_argument(
        "--annotate", dest="boxes", choices=("tight", "given"), default="tight",
        help="which boxes. tight: around what is visible; given: as placed (default: tight)",
    )  # fmt: skip
    parser.add_argument(
        "--masks",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a PNG for each nodule (default: --masks)",
    )
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="the same images without nodules as well (default: none)",
    )
    parser.add_argument(
        "--standardise", action="store_true",
        help="bring radiographs to NODE21's grey scale and crop first (default: as they are)",
    )  # fmt: skip
    parser.add_argument(
        "--space", choices=("drawn", "original"), default="drawn",
        help="that images are given in. drawn: that of the drawing; original: the radiographs' own "
        "grey scale and geometry, changed at the nodules alone, no noise and blur (default: drawn)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-identity", action="store_true",
        help="DICOM files tell who the patient is, as the radiographs do (default: no identity)",
    )  # fmt: skip
    parser.add_argument(
        "--patient-pattern", metavar="REGEX",
        help="its first group is the patient in a file's name (default: NIH's names, else a "
        "patient a file)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=seed, default=0, help="of all that is random (default: %(default)s)"
    )
    parser.add_argument("--method", choices=METHODS, default=leave,
        help="how nodules are blended in (default: singan)")  # fmt: skip
    parser.add_argument("--contrast", default=leave, metavar="real|paper|N|LOW-HIGH",
        help="real, paper or grey levels, as for `nodegen generate` (default: real)")  # fmt: skip
    parser.add_argument(
        "--subtlety", action="append", default=[], metavar="[SPLIT:]real|GRADE|GRADE=WEIGHT,…",
        help="how subtle nodules are, as for `nodegen generate`; may be given again for a split of "
        "its own, such as train:obvious (default: real)",
    )  # fmt: skip
    add_device(parser, leave)
    parser.add_argument(
        "--workers", type=whole(1), default=1, metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="I/N",
        help="make only this share, from 1/N to N/N; the last to end finishes the set "
        "(default: 1/1)",
    )  # fmt: skip
    parser.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="have the workers of a Dask cluster make it: the address of its scheduler, or its "
        "scheduler file (default: none)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Make the set, and say where it lies."""
    from nodegen.dataset.run import make_dataset
    from nodegen.dataset.settings import DatasetSettings
    from nodegen.settings import Settings

    render = {name: getattr(args, name) for name in RENDER if hasattr(args, name)}
    for text in args.subtlety:
        if ":" not in text:
            render["subtlety"] = text
    pairs = tuple(tuple(text.split(":", 1)) for text in args.subtlety if ":" in text)
    own = {field.name for field in fields(DatasetSettings)} - {"render", "subtlety"}
    settings = DatasetSettings(
        render=Settings(**render),
        subtlety=pairs,
        **{name: getattr(args, name) for name in own},
    )
    made = make_dataset(
        args.inputs,
        args.output,
        settings,
        workers=args.workers,
        shard=args.shard,
        scheduler=args.scheduler,
    )
    for name, why in made.skipped.items():
        print(f"left out {name}: {why}")
    if made.complete:
        print(f"{made.images} images: {made.output}, see report.md and contact_sheet.png there")
    else:
        print(f"{made.done} of {made.images} images: {made.output}; the other shards go on")
    return 0


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise argparse.ArgumentTypeError(f"it is {text!r}, where a share as 1/4 is wanted, to 4/4")
    return number, of
