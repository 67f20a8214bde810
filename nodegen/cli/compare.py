"""``nodegen compare``: run several methods with the same recipes, and judge them.

Runs several methods with the same nodules in the same places, judges all, and writes one table
(`compare.md`, `.csv`, `.json`) and one report.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import (
    add_device,
    add_library,
    add_model,
    add_paths,
    add_reference,
    listed,
    seed,
)
from nodegen.settings import INTENSITIES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_paths(parser, "--input", "one image and nodules.json, or a folder of such folders",
        metavar="DIR", required=True)  # fmt: skip
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets each run, compare.md, compare.csv, compare.json and report.html",
    )
    parser.add_argument(
        "--methods",
        type=listed(str),
        default=("singan", "poisson", "paste"),
        metavar="LIST",
        help="of singan, poisson, paste, and singan-paper, which is the paper's add-back and "
        "contrast as written (default: singan,poisson,paste)",
    )
    parser.add_argument(
        "--seeds", type=listed(seed), default=(0,), metavar="LIST", help="of the runs (default: 0)"
    )
    parser.add_argument(
        "--contrast",
        default="real",
        metavar="real|paper|N|LOW-HIGH",
        help="as in generate (default: %(default)s)",
    )
    parser.add_argument(
        "--intensity",
        choices=INTENSITIES,
        default="input",
        help="as in generate (default: %(default)s)",
    )
    parser.add_argument(
        "--noise-and-blur",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="noise, blur, noise on every slice; hides what is judged "
        "(default: --no-noise-and-blur)",
    )
    add_reference(parser)
    add_device(parser)
    add_model(parser)
    add_library(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print the table."""
    from nodegen.evaluation.compare import REPORT, compare
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.table import markdown
    from nodegen.settings import Settings

    settings = Settings(
        intensity=args.intensity,
        noise_and_blur=args.noise_and_blur,
        contrast=args.contrast,
        device=args.device,
        model=args.model,
        library=args.library,
    )
    verdicts = compare(
        args.input,
        args.output,
        args.methods,
        args.seeds,
        settings,
        reference=Reference.load(args.reference or SHIPPED).against(args.trust),
    )
    print(markdown(verdicts))
    print(f"report: {args.output / REPORT}")
    return 0
