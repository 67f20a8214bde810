"""``python -m research.lungs``: the network for lungs, and the density of places."""

import argparse
import sys
import time
from pathlib import Path

from nodegen.cli import guarded
from nodegen.cli.options import add_paths, listed, seed, whole


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(prog="python -m research.lungs", description=__doc__)
    add_arguments(parser)
    args = parser.parse_args(argv)
    return guarded(lambda: run(args))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_paths(parser, "--radiographs", "real ones without labels, files or folders, from whose "
        "confident answers the network learns as well (default: simulated chests alone)",
        metavar="PATH")  # fmt: skip
    parser.add_argument(
        "--source", default="", metavar="TEXT", help="what they are, for the card (default: none)"
    )
    parser.add_argument(
        "--places", type=Path, metavar="FILE",
        help="CSV of boxes (img_name, x, y, width, height), for the density of places; with "
        "--place-radiographs (default: none, the density is not fitted)",
    )  # fmt: skip
    parser.add_argument(
        "--place-radiographs", type=Path, metavar="DIR",
        help="radiographs in the form of those that have these boxes (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--hidden", type=float, metavar="SHARE",
        help="with --places: share of nodules that heart, mediastinum and diaphragm hide, 0..1 "
        "(default: as the fitted density has it)",
    )  # fmt: skip
    parser.add_argument(
        "--work", type=Path, required=True, metavar="DIR",
        help="gets the simulated chests and the checkpoint; a run that was stopped is gone on with",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets weights, card and density"
    )
    parser.add_argument(
        "--steps", type=listed(whole(1), 2), default=(420, 330), metavar="N,M",
        help="batches on simulated chests, then with real ones (default: 420,330)",
    )  # fmt: skip
    parser.add_argument(
        "--chests", type=whole(1), default=64, metavar="N",
        help="simulated chests (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=seed, default=0, help="of all that is random (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Train, fit, and say where the results lie."""
    import torch

    from nodegen.errors import SettingError
    from nodegen.io.radiograph import find_radiographs, read_radiographs
    from nodegen.lungs.fields import find_lungs
    from nodegen.lungs.prior import Prior
    from nodegen.lungs.weights import save_network
    from research.lungs.places import (
        fit_hidden,
        fit_places,
        mean_frame,
        read_places,
        write_places,
    )
    from research.lungs.train import LungTraining, train_lungs

    if (args.places is None) != (args.place_radiographs is None):
        raise SettingError(
            "One of --places and --place-radiographs is missing; give both, or neither."
        )
    table = read_places(args.places) if args.places else None
    start = time.monotonic()
    torch.set_num_threads(1)
    how = LungTraining(args.chests, args.steps[0], args.steps[1], seed=args.seed)
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
    if table is not None:
        places = args.output / "places.json"
        found = [
            (find_lungs(r.pixels, args.output), r.pixels)
            for path, _ in find_radiographs([args.place_radiographs])
            for r in read_radiographs(path)
        ]
        law = fit_places(table, mean_frame([lungs for lungs, _ in found]), args.places.name)
        write_places(places, law)
        if args.hidden is not None:
            law["hidden"] = fit_hidden(Prior.load(places), found, args.hidden)
            write_places(places, law)
        print(places)
    return 0


if __name__ == "__main__":
    sys.exit(main())
