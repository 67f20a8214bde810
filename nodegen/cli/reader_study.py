"""``nodegen reader-study``: make a study of real and synthetic nodules, or analyse one.

Makes a blinded study of real nodules, synthetic ones and untouched places: one page that a reader
opens offline and answers, and a key that stays with you. `--analyse` reads the answers that come
back. See [Reader studies](reader-study.md).
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_device, add_paths, listed, ranged, seed, whole
from nodegen.settings import METHODS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--output", type=Path, metavar="FILE|DIR",
        help="the page to write, its key beside it; with --analyse the folder of the results "
        "(default: none, required but for --plan)")  # fmt: skip
    make = parser.add_argument_group("to make a study")
    make.add_argument("--real", type=Path, metavar="DIR",
        help="folder of radiographs with real nodules (default: none, required)")  # fmt: skip
    make.add_argument("--boxes", type=Path, metavar="FILE",
        help="their boxes, a CSV of stem, x, y, width, height in px, and if wanted trust "
        "(default: boxes.csv in --real)")  # fmt: skip
    add_paths(make, "--untouched", "folder of radiographs without nodules (default: none; "
        "synthetic nodules go into the films of --real, beside their own)",
        metavar="DIR")  # fmt: skip
    add_paths(make, "--synthetic", "folder of a stack with synthetic nodules and its recipes.json "
        "or nodules.json (default: none; nodegen draws them)", metavar="DIR")  # fmt: skip
    make.add_argument("--kind", choices=("choice", "rating", "marking"), default="rating",
        help="choice: which of two is real; rating: how surely real is this one; marking: nodules "
        "on whole films (default: %(default)s)")  # fmt: skip
    make.add_argument("--cases", type=whole(1), default=60, metavar="N",
        help="pairs, places or films (default: %(default)s)")  # fmt: skip
    make.add_argument("--practice", type=whole(0), default=6, metavar="N",
        help="cases before these that tell the answer and do not count "
        "(default: %(default)s)")  # fmt: skip
    make.add_argument("--size-px", type=ranged(whole(1)), default=(30, 130), metavar="LOW-HIGH",
        help="larger sides of the boxes taken (default: 30-130)")  # fmt: skip
    make.add_argument("--candidates", type=whole(1), default=4, metavar="N",
        help="synthetic nodules drawn for each real one, of which the one as subtle is taken; 1 "
        "takes it as it comes (default: %(default)s)")  # fmt: skip
    make.add_argument("--method", type=listed(str), default=("singan",), metavar="LIST",
        help="how nodules are blended in: singan, poisson, paste, or several of them by commas, "
        "which draw equally many and are told apart in the analysis "
        "(default: singan)")  # fmt: skip
    make.add_argument("--view", choices=("crop", "film"), default="crop",
        help="what is seen around a place (default: %(default)s)")  # fmt: skip
    make.add_argument("--title", default="Reader study", metavar="WORDS",
        help="of the page (default: %(default)s)")  # fmt: skip
    make.add_argument("--seed", type=seed, default=0, metavar="SEED",
        help="of all that is drawn (default: %(default)s)")  # fmt: skip
    add_device(parser)
    read = parser.add_argument_group("to analyse it")
    add_paths(read, "--analyse", "the answers that the readers sent back, one file a reader "
        "(default: none)", metavar="FILE")  # fmt: skip
    read.add_argument("--key", type=Path, metavar="FILE",
        help="the study's key.json (default: none, required with --analyse)")  # fmt: skip
    parser.add_argument("--plan", action="store_true",
        help="print how many cases and readers give which interval, and no more "
        "(default: off)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """StudyPlan, make or analyse a study."""
    from nodegen.errors import SettingError

    if args.plan:
        from nodegen.evaluation.reader_study.sample_size import table

        print("Half of the 95 % interval, over readers and cases, where readers are at chance:\n")
        print(table())
        return 0
    needed = {"output": args.output}
    needed |= {"key": args.key} if args.analyse else {"real": args.real}
    for name, given in needed.items():
        if given is None:
            raise SettingError(f"--{name} is missing; give it, or --plan alone.")
    return _analyse(args) if args.analyse else _make(args)


def _make(args: argparse.Namespace) -> int:
    from nodegen.errors import SettingError
    from nodegen.evaluation.reader_study import StudyPlan, plan_study, write_study
    from nodegen.evaluation.reader_study.radiographs import read_films, read_synthetic
    from nodegen.renderer import Renderer
    from nodegen.settings import Settings

    methods = args.method
    if not set(methods) <= set(METHODS[:3]) or len(set(methods)) < len(methods):
        raise SettingError(
            f"--method is {','.join(methods)}, where one or more of {', '.join(METHODS[:3])} are "
            "allowed, each once; choose among them."
        )
    plan = StudyPlan(args.kind, args.cases, args.practice, args.size_px, args.candidates, args.seed)
    boxes = args.boxes or args.real / "boxes.csv"
    real = [film for film in read_films(args.real, boxes) if film.boxes]
    untouched = [film for folder in args.untouched for film in read_films(folder)]
    made = [film for folder in args.synthetic for film in read_synthetic(folder)]
    # Real films have no finishing noise, so neither have the others.
    renderers = {
        method: Renderer(Settings(method=method, noise_and_blur=False, device=args.device))
        for method in methods
    }
    cases = plan_study(plan, real, untouched, made, renderers)
    key = write_study(args.output, cases, plan, args.view, args.title)
    print(f"study for the readers: {args.output}")
    print(f"key, not for them: {key}")
    return 0


def _analyse(args: argparse.Namespace) -> int:
    from nodegen.evaluation.reader_study import analyse
    from nodegen.evaluation.reader_study.analysis import PAGE, markdown

    analysis = analyse(args.key, args.analyse, args.output)
    print(markdown(analysis))
    print(f"analysis: {args.output / PAGE}")
    return 0
