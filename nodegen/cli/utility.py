"""``nodegen utility``: measure what a detector learns from synthetic nodules.

Measures what a detector learns from synthetic nodules: trains networks on each arm, tests all on
the same real nodules, and writes tables, curves and a gallery. See [What a detector
learns](utility.md).
"""

import argparse
from pathlib import Path

from nodegen.cli.options import (
    add_device,
    add_library,
    add_model,
    add_paths,
    listed,
    number,
    ranged,
    seed,
    whole,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--real", type=Path, required=True, metavar="DIR",
        help="real radiographs with nodules and without, also in folders below")  # fmt: skip
    parser.add_argument("--boxes", type=Path, required=True, metavar="FILE",
        help="their boxes: NODE21's metadata.csv, COCO as .json, or a CSV of stem, x, y, width, "
        "height")  # fmt: skip
    add_paths(parser, "--backgrounds", "radiographs without nodules, to draw nodules into "
        "(default: three quarters of the patients of --real that have none)",
        metavar="DIR")  # fmt: skip
    parser.add_argument("--places", type=Path, metavar="FILE",
        help="boxes from which places are drawn, as --boxes (default: --boxes)")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="DIR",
        help="gets utility-DEPTH.md, .csv, .json and .html, and store/, from which a later run "
        "takes what it need not make anew")  # fmt: skip
    parser.add_argument("--depth", choices=("patches", "detector", "fasterrcnn"), default="patches",
        help="patches: a small network, minutes; detector: whole radiographs; fasterrcnn: the "
        "paper's detector, for a GPU (default: %(default)s)")  # fmt: skip
    arms = "singan,poisson,paste,singan-paper,none,strawman,sham,untouched"
    parser.add_argument("--arms", type=listed(str), metavar="LIST", default=tuple(arms.split(",")),
        help="what networks are trained on: these, singan@subtlety:obvious (or "
        "another setting of generate), NAME=FOLDER (made elsewhere), real, real-25 (percent), "
        "singan+real-3 (three synthetic to one real), singan-then-real, "
        "singan@subtlety:obvious-then-singan "
        f"(default: {arms})")  # fmt: skip
    parser.add_argument("--primary", type=listed(str, 2), metavar="A,B",
        help="the comparison named beforehand, A minus B (default: singan,poisson)")  # fmt: skip
    for name, least, value, what in (
        ("networks", 1, 3, "trained on each arm, each from a seed of its own"),
        ("folds", 2, 5, "of the cross-validation of arms that train on real nodules"),
        ("per-image", 1, 10, "nodules drawn into each background at most"),
        ("without", 1, 14, "places without a nodule in each radiograph at most"),
    ):
        parser.add_argument(f"--{name}", type=whole(least), default=value, metavar="N",
            help=f"{what} (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0,
        help="of places and nodules (default: %(default)s)")  # fmt: skip
    parser.add_argument("--size-px", type=ranged(number(1)), default=(30.0, 130.0),
        metavar="LOW-HIGH",
        help="larger sides of the nodules that count (default: 30-130)")  # fmt: skip
    parser.add_argument("--steps", type=whole(1), metavar="N",
        help="batches of each training, epochs for fasterrcnn (default: 700, 900, 10)")  # fmt: skip
    parser.add_argument("--on-the-fly", action="store_true",
        help="draw nodules anew in every round of training; not for patches or mixes "
        "(default: off)")  # fmt: skip
    parser.add_argument("--noise-and-blur", action=argparse.BooleanOptionalAction, default=False,
        help="noise, blur, noise on every radiograph (default: --no-noise-and-blur)")  # fmt: skip
    parser.add_argument("--write-places", type=Path, metavar="DIR",
        help="write the backgrounds as a stack with nodules.json, for nodules made elsewhere, and "
        "stop (default: none)")  # fmt: skip
    add_model(parser)
    add_library(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Train, test, and print the table."""
    from nodegen.evaluation.utility.measures import MAIN
    from nodegen.evaluation.utility.options import PRIMARY, Options
    from nodegen.evaluation.utility.results import markdown
    from nodegen.evaluation.utility.run import read_cases, utility
    from nodegen.settings import Settings

    settings = Settings(
        noise_and_blur=args.noise_and_blur, intensity="input", device=args.device, model=args.model,
        library=args.library,
    )  # fmt: skip
    options = Options(
        depth=args.depth,
        arms=args.arms,
        primary=args.primary or PRIMARY,
        seeds=args.networks,
        folds=args.folds,
        nodules=args.per_image,
        without=args.without,
        sizes_px=args.size_px,
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
