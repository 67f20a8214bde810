"""``python -m research.lungs``: the network for lungs, and the density of places."""

import sys
import time
from pathlib import Path

from nodegen.cli.options import Positive, Seed, run_function
from nodegen.settings import Integers


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(train, "python -m research.lungs", argv)


def train(
    *,
    work: Path,
    output: Path,
    radiographs: list[Path] | None = None,
    source: str = "",
    places: Path | None = None,
    place_radiographs: Path | None = None,
    hidden: float | None = None,
    steps: Integers = Integers((420, 330)),
    chests: Positive = 64,
    seed: Seed = 0,
) -> None:
    """Train the network for lungs, and fit the density of places.

    Parameters
    ----------
    work
        Folder that gets the simulated chests and the checkpoint; a run that was stopped is resumed.
    output
        Folder that gets weights, card and density.
    radiographs
        Real ones without labels, files or folders, from whose confident answers the network learns
        as well; if they are not given, it learns from simulated chests alone.
    source
        What they are, for the card.
    places
        Table of boxes, for the density of places; with --place-radiographs.
    place_radiographs
        Folder of radiographs in the form of those that have these boxes.
    hidden
        With --places: share of nodules that heart, mediastinum and diaphragm hide, 0..1; if it is
        not given, as the fitted density has it.
    steps
        Batches on simulated chests, then with real ones.
    chests
        Simulated chests.
    seed
        Of all that is random.
    """
    import torch

    from nodegen.errors import SettingError
    from nodegen.io.radiograph import find_radiographs, read_radiographs
    from nodegen.lungs.fields import find_lungs
    from nodegen.lungs.prior import Prior
    from research.lungs.places import (
        fit_hidden,
        fit_places,
        mean_frame,
        read_places,
        write_places,
    )
    from research.lungs.train import LungTraining, save_network, train_lungs

    if (places is None) != (place_radiographs is None):
        raise SettingError(
            "One of --places and --place-radiographs is missing; give both, or neither."
        )
    if len(steps) != 2:
        raise SettingError(f"--steps is {steps}, where two numbers are wanted, as 420,330.")
    table = read_places(places) if places else None
    start = time.monotonic()
    torch.set_num_threads(1)
    how = LungTraining(chests, steps[0], steps[1], seed=seed)
    real = []
    if radiographs:
        real = [r.pixels for path, _ in find_radiographs(radiographs)
                for r in read_radiographs(path)]  # fmt: skip
    network = train_lungs(real, work, how)
    card = {
        "simulated chests": how.phantoms,
        "radiographs": f"{len(real)} without labels" + f", {source}" * bool(source),
        "batches": f"{how.steps} of {how.batch} views, then {how.real_steps * bool(real)} of which "
        "half are real",
        "seed": how.seed,
        "trained": f"in {(time.monotonic() - start) / 60:.0f} minutes",
    }
    print(save_network(network, output, card))
    if table is not None and places and place_radiographs:
        density = output / "places.json"
        found = [
            (find_lungs(r.pixels, output), r.pixels)
            for path, _ in find_radiographs([place_radiographs])
            for r in read_radiographs(path)
        ]
        law = fit_places(table, mean_frame([lungs for lungs, _ in found]), places.name)
        write_places(density, law)
        if hidden is not None:
            law["hidden"] = fit_hidden(Prior.load(density), found, hidden)
            write_places(density, law)
        print(density)


if __name__ == "__main__":
    sys.exit(main())
