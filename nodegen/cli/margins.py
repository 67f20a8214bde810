"""``nodegen margins``: measure how far beyond the mask a cascade must compute.

Measures how far beyond a nodule's mask each scale must compute, and stores that with the
cascades: after training, and before they are used. Without it the windows are larger than need
be.
"""

import argparse
from pathlib import Path

from nodegen.cli.options import add_paths, seed, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of hyposignal and hypersignal; gets them",
    )
    add_paths(parser, "--stack", "radiographs to measure on", metavar="FILE", required=True)
    parser.add_argument(
        "--cases", type=whole(1), default=80, help="boxes for each cascade (default: %(default)s)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the boxes (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Measure the margins of both cascades, store them with the model and print them."""
    from nodegen.constants import CLASSES
    from nodegen.io.stack import read_stack
    from nodegen.renderer import Renderer
    from nodegen.settings import Settings
    from nodegen.training.cases import draw_cases
    from nodegen.training.margins import BOUND, measure_margins, store_margins

    # The paper's contrast: what holds for it holds for weaker nodules, too.
    renderer = Renderer(Settings(model=args.model, contrast="paper"))
    stacks = [read_stack(path) for path in args.stack]
    for name in CLASSES:
        cases = draw_cases(stacks, renderer, name, args.cases, args.seed)
        margins, error = measure_margins(renderer.cascades[name], cases)
        store_margins(args.model / name, margins, error, len(cases))
        print(f"{name}: margins {' '.join(map(str, margins))} px, error {error:.4f} of {BOUND}")
    return 0
