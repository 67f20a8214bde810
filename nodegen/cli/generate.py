"""``nodegen generate``: draw a synthetic nodule into each box of a stack.

The main job: the core of the container with every choice open. Writes the stack under its own
name and `recipes.json` to the output folder.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from nodegen.cli.options import add_device, add_library, add_model, add_workers, seed
from nodegen.constants import GRADES
from nodegen.settings import ADD_BACKS, INTENSITIES, METHODS, WINDOWS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options.

    Choices have no argparse default: what the user leaves out comes from ``--recipes``, or else
    from :class:`nodegen.settings.Settings`.
    """
    leave = argparse.SUPPRESS
    parser.add_argument(
        "--input", type=Path, required=True, metavar="DIR", help="one image and nodules.json"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets the image under the same name, and recipes.json",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=leave,
        help="how nodules are blended in (default: singan)",
    )
    parser.add_argument(
        "--intensity",
        choices=INTENSITIES,
        default=leave,
        help="challenge: uint8 0..255, each slice by its own minimum and maximum; input: pixel "
        "type and grey scale of the input (default: challenge)",
    )
    parser.add_argument(
        "--noise-and-blur",
        action=argparse.BooleanOptionalAction,
        default=leave,
        help="noise, blur, noise on every slice (default: --noise-and-blur)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=leave,
        help="of all that is random (default: from a hash of the inputs)",
    )
    add_device(parser, leave)
    add_workers(parser, leave)
    add_model(parser, leave)
    add_library(parser, leave)
    parser.add_argument(
        "--add-back",
        choices=ADD_BACKS,
        default=leave,
        help="how the harmonised nodule is laid over the untouched slice: grain keeps the "
        "radiograph's own grain, paper is the weighted mean (default: grain)",
    )
    parser.add_argument(
        "--contrast",
        default=leave,
        metavar="real|paper|N|LOW-HIGH",
        help="real: nodules stand out as real ones do; paper: projection and contrast as the paper "
        "has them; a number or a range: what a nodule adds in its middle, grey levels of 0..4095 "
        "(default: real)",
    )
    parser.add_argument(
        "--subtlety",
        default=leave,
        metavar="real|GRADE|GRADE=WEIGHT,…",
        help="how subtle nodules are, in JSRT's grades: " + ", ".join(GRADES) + ", or weights as "
        "in subtle=2,obvious=1; real: as real ones are (default: real)",
    )
    parser.add_argument(
        "--windows",
        choices=WINDOWS,
        default=leave,
        help="what the generators compute around a box (default: default)",
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="gets the nodules' masks (default: none)"
    )
    parser.add_argument(
        "--masks-by-box",
        type=Path,
        metavar="DIR",
        help="gets each nodule's mask by itself, one slice a box, so that overlapping ones lose "
        "nothing (default: none)",
    )
    parser.add_argument(
        "--recipes",
        type=Path,
        metavar="FILE",
        help="replay a run from its recipes.json, with its settings (default: draw anew)",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="gets an HTML report (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    """Generate, and say where the result lies."""
    from nodegen.errors import SettingError
    from nodegen.io.boxes import BOXES
    from nodegen.io.files import check_writable, same_file
    from nodegen.io.stack import find_image
    from nodegen.pipeline import generate, settings_of
    from nodegen.settings import Settings
    from nodegen.synthesis.recipe import RECIPES

    chosen = {f.name: getattr(args, f.name) for f in fields(Settings) if hasattr(args, f.name)}
    settings = Settings(**{**settings_of(args.recipes), **chosen})
    check_writable(args.report)
    if args.report:
        kept = args.input / BOXES, args.recipes, args.output / RECIPES
        for path in (find_image(args.input), *filter(None, kept)):
            if same_file(args.report, path):
                raise SettingError(
                    f"--report would overwrite {path}; give the report a name of its own."
                )
    done = generate(
        args.input,
        args.output,
        settings,
        recipes=args.recipes,
        masks=args.masks,
        masks_by_box=args.masks_by_box,
    )
    for note in done.notes:
        print(note)
    count = len(done.recipes)
    print(f"{count} nodule{'s' * (count != 1)}, seed {done.seed}: {done.image}")
    off = [recipe["index"] for recipe in done.recipes if "off" in recipe["flags"]]
    if off:
        print(
            f"{len(off)} of them could not stand out as asked (boxes {', '.join(map(str, off))}): "
            'see "visibility_asked", "visibility" and "flags" in recipes.json'
        )
    if args.report:
        from nodegen.evaluation.report import write_report_of_run

        write_report_of_run(args.report, args.input, done)
        print(f"report: {args.report}")
    return 0
