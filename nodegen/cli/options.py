"""Options that several commands share."""

import argparse
from pathlib import Path

from nodegen.settings import DEVICES


def add_device(parser: argparse.ArgumentParser, default: str = "auto") -> None:
    """Add ``--device``; ``argparse.SUPPRESS`` as the default leaves it to the settings."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=default,
        help="auto: CUDA where there is one (default: auto)",
    )


def add_workers(parser: argparse.ArgumentParser, default: object = None) -> None:
    """Add ``--workers``; ``argparse.SUPPRESS`` as the default leaves it to the settings."""
    parser.add_argument(
        "--workers",
        type=int,
        default=default,
        metavar="N",
        help="slices rendered side by side, which changes no byte (default: one for each "
        "processor that may be used)",
    )


def add_reference(parser: argparse.ArgumentParser) -> None:
    """Add ``--reference``, the real nodules that are held against."""
    parser.add_argument("--reference", type=Path, metavar="FILE",
        help="measured real nodules, from `nodegen reference` "
        "(default: those that nodegen ships)")  # fmt: skip
    parser.add_argument("--trust", nargs="+", default=[], metavar="KIND",
        help="hold against those of its nodules alone whose boxes are of this kind "
        "(default: the kinds that the reference names as its main ones)")  # fmt: skip


def add_patches(parser: argparse.ArgumentParser) -> None:
    """Add the folders of CT patches and of their masks."""
    parser.add_argument("--patches", type=Path, required=True, metavar="DIR",
        help="folder of CT patches, *_dcm_*.mha, HU at 1 mm")  # fmt: skip
    parser.add_argument("--segmentations", type=Path, required=True, metavar="DIR",
        help="folder of their masks, *_seg_*.mha")  # fmt: skip
