"""``nodegen compare``: run several methods with the same recipes, and judge them.

Runs several methods with the same nodules in the same places, judges all, and writes one table
(`compare.md`, `.csv`, `.json`) and one report.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_device, add_reference
from nodegen.settings import INTENSITIES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        action="append",
        metavar="DIR",
        help="one image and nodules.json, or a folder of such folders; may be given several times",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets each run, compare.md, compare.csv, compare.json and report.html",
    )
    parser.add_argument(
        "--methods",
        default="singan,poisson,paste",
        metavar="LIST",
        help="of singan, poisson, paste, and singan-paper, which is the paper's add-back and "
        "contrast as written (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds", default="0", metavar="LIST", help="of the runs (default: %(default)s)"
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
        "--finish",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="noise, blur, noise on every slice; hides what is to be judged (default: --no-finish)",
    )
    add_reference(parser)
    add_device(parser)
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="the cascades (default: those of nodegen)"
    )
    parser.add_argument(
        "--nodules", type=Path, metavar="DIR", help="the library (default: that of nodegen)"
    )


def run(args: argparse.Namespace) -> int:
    """Compare, and print the table."""
    from nodegen.errors import SettingError
    from nodegen.evaluation.compare import REPORT, compare
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.table import markdown
    from nodegen.settings import Settings

    try:
        seeds = [int(word) for word in _words(args.seeds)]
    except ValueError:
        raise SettingError(
            f"seeds is {args.seeds!r}, where whole numbers with commas between them are wanted; "
            "give some, as 1,2,3."
        ) from None
    settings = Settings(
        intensity=args.intensity,
        finish=args.finish,
        contrast=args.contrast,
        device=args.device,
        model=args.model,
        nodules=args.nodules,
    )
    verdicts = compare(
        args.input,
        args.output,
        _words(args.methods),
        seeds,
        settings,
        reference=Reference.load(args.reference or SHIPPED).against(args.trust),
    )
    print(markdown(verdicts))
    print(f"report: {args.output / REPORT}")
    return 0


def _words(text: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
