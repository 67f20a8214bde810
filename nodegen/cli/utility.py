"""``nodegen utility``: measure what a detector learns from synthetic nodules.

Measures what a detector learns from synthetic nodules: trains networks on each arm, tests all on
the same real nodules, and writes tables, curves and a gallery. See [What a detector
learns](utility.md).
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--real", type=Path, required=True, metavar="DIR",
        help="real radiographs with nodules and without, also in folders below")  # fmt: skip
    parser.add_argument("--boxes", type=Path, required=True, metavar="FILE",
        help="their boxes: NODE21's metadata.csv, COCO as .json, or a CSV of stem, x, y, width, "
        "height")  # fmt: skip
    parser.add_argument("--backgrounds", type=Path, action="append", default=[], metavar="DIR",
        help="radiographs without nodules, to draw nodules into; may be given several times "
        "(default: three quarters of the patients of --real that have none)")  # fmt: skip
    parser.add_argument("--places", type=Path, metavar="FILE",
        help="boxes from which places are drawn, as --boxes (default: --boxes)")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR",
        help="gets utility-DEPTH.md, .csv, .json and .html, and store/, from which a later run "
        "takes what it need not make anew")  # fmt: skip
    parser.add_argument("--depth", default="patches",
        help="patches: a small network, minutes; detector: whole radiographs; fasterrcnn: the "
        "paper's detector, for a GPU (default: %(default)s)")  # fmt: skip
    parser.add_argument("--arms", metavar="LIST",
        default="singan,poisson,paste,singan-paper,identity,strawman,sham,untouched",
        help="what networks are trained on, with commas: these, singan@subtlety:obvious (or "
        "another setting of generate), NAME=FOLDER (made elsewhere), real, real-25 (percent), "
        "singan+real-3 (three synthetic to one real), singan-then-real "
        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--primary", default="singan,poisson", metavar="A,B",
        help="the comparison named beforehand, A minus B (default: %(default)s)")  # fmt: skip
    for name, value, what in (
        ("seeds", 3, "networks of each arm"),
        ("folds", 5, "of the cross-validation of arms that train on real nodules"),
        ("per-image", 10, "nodules drawn into each background at most"),
        ("without", 14, "places without a nodule in each radiograph at most"),
        ("seed", 0, "of places and nodules"),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N",
            help=f"{what} (default: %(default)s)")  # fmt: skip
    parser.add_argument("--sizes", default="30,130", metavar="PX,PX",
        help="least and largest side of the nodules that count (default: %(default)s)")  # fmt: skip
    parser.add_argument("--steps", type=int, metavar="N",
        help="batches of each training, epochs for fasterrcnn (default: 700, 900, 10)")  # fmt: skip
    parser.add_argument("--on-the-fly", action="store_true",
        help="draw nodules anew in every round of training; not for patches or mixes "
        "(default: off)")  # fmt: skip
    parser.add_argument("--finish", action=argparse.BooleanOptionalAction, default=False,
        help="noise, blur, noise on every arm's radiographs (default: --no-finish)")  # fmt: skip
    parser.add_argument("--write-places", type=Path, metavar="DIR",
        help="write the backgrounds as a stack with nodules.json, for nodules made elsewhere, and "
        "stop (default: none)")  # fmt: skip
    parser.add_argument("--model", type=Path, metavar="DIR",
        help="the cascades (default: those of nodegen)")  # fmt: skip
    parser.add_argument("--nodules", type=Path, metavar="DIR",
        help="the library (default: that of nodegen)")  # fmt: skip
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Train, test, and print the table."""
    from nodegen.evaluation.utility.measures import MAIN
    from nodegen.evaluation.utility.options import Options
    from nodegen.evaluation.utility.results import markdown
    from nodegen.evaluation.utility.run import read_cases, utility
    from nodegen.settings import Settings

    settings = Settings(
        finish=args.finish, intensity="input", device=args.device, model=args.model,
        nodules=args.nodules,
    )  # fmt: skip
    options = Options(
        depth=args.depth,
        arms=tuple(_words(args.arms)),
        primary=_pair("primary", args.primary),
        seeds=args.seeds,
        folds=args.folds,
        nodules=args.per_image,
        without=args.without,
        sizes_px=_numbers("sizes", args.sizes),
        seed=args.seed,
        steps=args.steps,
        on_the_fly=args.on_the_fly,
        settings=settings,
    )
    given = args.real, args.boxes, args.backgrounds
    if args.write_places:
        from nodegen.evaluation.utility.made import write_places

        write_places(args.write_places, read_cases(*given, options, args.places)[0])
        print(f"backgrounds and places: {args.write_places}")
        return 0
    results = utility(*given, args.output, options, place_boxes=args.places)
    print(markdown(results, MAIN[args.depth]))
    print(f"page: {args.output / f'utility-{args.depth}.html'}")
    return 0


def _words(text: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _pair(name: str, text: str) -> tuple[str, str]:
    from nodegen.errors import SettingError

    words = _words(text)
    if len(words) != 2:
        raise SettingError(f"{name} is {text!r}, where two with a comma between are wanted.")
    return words[0], words[1]


def _numbers(name: str, text: str) -> tuple[float, float]:
    from nodegen.errors import SettingError

    try:
        low, high = (float(word) for word in _pair(name, text))
        if not 0 < low <= high:
            raise ValueError(text)
    except ValueError:
        raise SettingError(
            f"{name} is {text!r}, where two numbers above 0, the smaller first, are wanted; give "
            "them, as 30,130."
        ) from None
    return low, high
