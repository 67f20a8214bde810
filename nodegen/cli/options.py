"""Options that several commands share."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from nodegen.settings import DEVICES

SEED_MOST = 2**63 - 1


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Read an option's value as a whole number of a range, and name the range where it is not."""
    if most == SEED_MOST:
        wanted = f"a whole number of {least} to 2^63 - 1"
    elif most is not None:
        wanted = f"a whole number of {least} to {most}"
    else:
        wanted = f"a whole number from {least} on"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"it is {text!r}, where {wanted} is allowed")
        return value

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Read an option's value as a number of a range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"it is {text!r}, where a number of {least:g} to {most:g} is allowed"
            )
        return value

    return read


def listed(one: Callable[[str], int]) -> Callable[[str], list[int]]:
    """Read an option's value as numbers with commas between them, as 1,2,3."""

    def read(text: str) -> list[int]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        if not words:
            raise argparse.ArgumentTypeError(f"it is {text!r}, where numbers as 1,2,3 are wanted")
        return [one(word) for word in words]

    return read


seed = whole(0, SEED_MOST)


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
        type=whole(1),
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
