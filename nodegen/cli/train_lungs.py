"""``nodegen train-lungs``: the network for lungs, and the density of places."""

import argparse
import time
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--radiographs", type=Path, nargs="+", default=[], metavar="PATH",
        help="real ones without labels, from whose confident answers the network learns as well "
        "(default: simulated chests alone)",
    )  # fmt: skip
    parser.add_argument(
        "--source", default="", metavar="TEXT", help="what they are, for the card (default: none)"
    )
    parser.add_argument(
        "--places", type=Path, nargs=2, metavar=("BOXES", "DIR"),
        help="CSV file of boxes (img_name, x, y, width, height) and a folder of radiographs in "
        "the same form, for the density (default: as shipped)",
    )  # fmt: skip
    parser.add_argument(
        "--work", type=Path, required=True, metavar="DIR",
        help="gets the simulated chests and the checkpoint; a run that was stopped is gone on with",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets weights, card and density"
    )
    parser.add_argument(
        "--steps", type=int, nargs=2, default=(420, 330), metavar=("N", "M"),
        help="batches on simulated chests, then with real ones (default: 420 330)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Train, fit, and say where the results lie."""
    import torch

    from nodegen.io.radiograph import find_radiographs, read_radiographs
    from nodegen.placement.lungs import find_lungs, save_network
    from nodegen.training.lungs import LungTraining, train_lungs
    from nodegen.training.places import fit_places, mean_frame, read_box_table, write_places

    start = time.monotonic()
    torch.set_num_threads(1)
    how = LungTraining(steps=args.steps[0], real_steps=args.steps[1], seed=args.seed)
    real = []
    if args.radiographs:
        real = [r.pixels for path, _ in find_radiographs(args.radiographs)
                for r in read_radiographs(path)]  # fmt: skip
    network = train_lungs(real, args.work, how)
    card = {
        "simulated chests": how.phantoms,
        "radiographs": f"{len(real)} without labels" + f", {args.source}" * bool(args.source),
        "batches": f"{how.steps} of {how.batch} views, then {how.real_steps * bool(real)} of which "
        "half are real",
        "seed": how.seed,
        "trained": f"in {(time.monotonic() - start) / 60:.0f} minutes",
    }
    print(save_network(network, args.output, card))
    if args.places:
        boxes, folder = args.places
        lungs = [
            find_lungs(r.pixels, args.output)
            for path, _ in find_radiographs([folder])
            for r in read_radiographs(path)
        ]
        write_places(
            args.output / "places.json", fit_places(read_box_table(boxes), mean_frame(lungs))
        )
        print(args.output / "places.json")
    return 0
