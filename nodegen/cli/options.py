"""Options that several commands share, and how each kind of value is written.

Several words or numbers stand with commas between them (``--seeds 1,2``), both ends of a range with
a dash (``--size-mm 6-30``). Several files or folders stand one after the other, or the option comes
several times (``--input a b`` or ``--input a --input b``), so that a shell's ``*`` works.
"""

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nodegen.settings import DEVICES

T = TypeVar("T")

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


def number(least: float, most: float = math.inf) -> Callable[[str], float]:
    """Read an option's value as a number of a range."""
    wanted = f"of {least:g} to {most:g}" if math.isfinite(most) else f"from {least:g} on"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and least <= value <= most):
            raise argparse.ArgumentTypeError(f"it is {text!r}, where a number {wanted} is allowed")
        return value

    return read


def listed(one: Callable[[str], T], count: int | None = None) -> Callable[[str], tuple[T, ...]]:
    """Read an option's value as several with commas between them, as 1,2,3.

    Parameters
    ----------
    one : callable
        Reads each of them.
    count : int, optional
        How many are wanted; None: one or more.
    """

    def read(text: str) -> tuple[T, ...]:
        words = [word.strip() for word in text.split(",")]
        if not all(words) or (count is not None and len(words) != count):
            wanted = f"{count} values" if count else "one or more"
            raise argparse.ArgumentTypeError(
                f"it is {text!r}, where {wanted} with commas between them are wanted"
            )
        return tuple(one(word) for word in words)

    return read


def ranged(one: Callable[[str], T]) -> Callable[[str], tuple[T, T]]:
    """Read an option's value as a range such as 6-30, or as a single number, from small to large.

    Parameters
    ----------
    one : callable
        Reads each end.
    """

    def read(text: str) -> tuple[T, T]:
        found = re.fullmatch(r"([0-9.]+)(?:-([0-9.]+))?", text.strip())
        if not found:
            raise argparse.ArgumentTypeError(
                f"it is {text!r}, where a number or a range as 6-30 is allowed"
            )
        low, high = one(found[1]), one(found[2] or found[1])
        if float(low) > float(high):  # type: ignore[arg-type]
            raise argparse.ArgumentTypeError(
                f"it is {text!r}, where the smaller number comes first"
            )
        return low, high

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
    parser.add_argument("--trust", type=listed(str), default=(), metavar="LIST",
        help="hold against those of its nodules alone whose boxes are of these kinds "
        "(default: the kinds that the reference names as its main ones)")  # fmt: skip


def add_library(parser: argparse.ArgumentParser, default: object = None) -> None:
    """Add ``--library``; ``argparse.SUPPRESS`` as the default leaves it to the settings."""
    parser.add_argument(
        "--library",
        type=Path,
        default=default,
        metavar="DIR",
        help="nodule library, from `nodegen prepare` (default: the one that nodegen ships)",
    )


def add_model(parser: argparse.ArgumentParser, default: object = None) -> None:
    """Add ``--model``; ``argparse.SUPPRESS`` as the default leaves it to the settings."""
    parser.add_argument(
        "--model",
        type=Path,
        default=default,
        metavar="DIR",
        help="holds hyposignal and hypersignal (default: the cascades that nodegen ships)",
    )


def add_paths(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    name: str,
    help: str,
    *,
    metavar: str,
    required: bool = False,
) -> None:
    """Add an option that takes several files or folders."""
    parser.add_argument(
        name,
        type=Path,
        nargs="+",
        action="extend",
        default=None if required else [],
        required=required,
        metavar=metavar,
        help=f"{help}; may be several",
    )


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the radiographs that a command works through, named without an option."""
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT", help="radiographs: files, or folders"
    )


def add_places(parser: argparse.ArgumentParser, nodules: str) -> None:
    """Add how many nodules an image gets, ``--nodules``, and of which size, ``--size-mm``."""
    parser.add_argument(
        "--nodules",
        type=ranged(whole(0)),
        default=(1, 3),
        metavar="N[-M]",
        help=f"{nodules} (default: 1-3)",
    )
    parser.add_argument(
        "--size-mm",
        type=ranged(number(0)),
        metavar="LOW-HIGH",
        help="larger side (default: as NODE21's)",
    )


def add_real(parser: argparse.ArgumentParser) -> None:
    """Add ``--real`` and ``--boxes``: real radiographs with nodules."""
    parser.add_argument("--real", type=Path, required=True, metavar="DIR",
        help="real radiographs with nodules, one a file, here or in folders below")  # fmt: skip
    parser.add_argument("--boxes", type=Path, required=True, metavar="FILE",
        help="their boxes, a CSV of stem (or img_name), x, y, width, height in px; if wanted "
        "source (the image's folder), trust and label (0: no nodule)")  # fmt: skip


def add_patches(parser: argparse.ArgumentParser) -> None:
    """Add the folders of CT patches and of their masks."""
    parser.add_argument("--patches", type=Path, required=True, metavar="DIR",
        help="folder of CT patches, *_dcm_*.mha, HU at 1 mm")  # fmt: skip
    parser.add_argument("--segmentations", type=Path, required=True, metavar="DIR",
        help="folder of their masks, *_seg_*.mha")  # fmt: skip


def add_pair(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add ``--before``, ``--after`` and ``--boxes``: a stack untouched and with nodules."""
    for name, what in (
        ("before", "untouched stack, or the folder that holds it"),
        ("after", "the same stack with nodules, or its folder"),
        ("boxes", "its boxes (default: nodules.json beside the untouched stack)"),
    ):
        boxes = name == "boxes"
        metavar = "FILE" if boxes else "FILE|DIR"
        if several:
            what += ", in the same order as the others" * boxes
            add_paths(parser, f"--{name}", what, metavar=metavar, required=not boxes)
        else:
            parser.add_argument(
                f"--{name}", type=Path, required=not boxes, metavar=metavar, help=what
            )
