"""``python -m research.nodule_model``: CT patches → the nodule model → patches of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from nodegen.cli import run_app
from nodegen.cli.options import Flag, Positive, Seed, make_app

if TYPE_CHECKING:
    from nodegen.io.library import Nodule
    from research.nodule_model.measure import Measured


def main(argv: list[str] | None = None) -> int:
    """Run one of its commands; the exit codes are those of ``nodegen``."""
    app = make_app("python -m research.nodule_model", "A generative model of lung nodules on CT.")
    app.command(fit, name="fit")
    app.command(draw, name="draw")
    return run_app(lambda: app, sys.argv[1:] if argv is None else argv)


def fit(
    *,
    patches: Path,
    segmentations: Path,
    output: Path,
    rounds: Annotated[int, Parameter(validator=Number(gte=0))] = 4,
    evaluate: Flag = False,
    sheet: Path | None = None,
    seed: Seed = 0,
) -> None:
    """Fit the generative model of lung nodules to CT patches.

    Parameters
    ----------
    patches
        Folder of CT patches, `*_dcm_*.mha`, HU at 1 mm.
    segmentations
        Folder of their masks, `*_seg_*.mha`.
    output
        Gets the parameters: an .npz file, or a folder for parameters.npz.
    rounds
        Times that the model is simulated and corrected.
    evaluate
        Also fit to every other nodule and compare with the rest, both ways.
    sheet
        PNG of 64 synthetic and 64 given nodules, side by side.
    seed
        Of the nodules drawn for --evaluate and --sheet; the fit itself always draws the same.
    """
    from nodegen.io.files import check_writable
    from research.nodule_model.evaluate import held_out
    from research.nodule_model.fit import fit as fit_model
    from research.nodule_model.model import PARAMETERS
    from research.nodule_model.sheet import contact_sheet

    path = output if output.suffix == ".npz" else output / PARAMETERS
    for wanted in filter(None, (path, sheet)):
        check_writable(wanted)
    measured, nodules = _read(patches, segmentations)
    model = fit_model(measured, rounds=rounds, progress=True)
    model.save(path)
    print(f"parameters of {len(measured)} nodules in {path} ({path.stat().st_size / 1e3:.0f} kB)")
    if sheet:
        real = [nodule for nodule in nodules if nodule is not None]
        contact_sheet(model, real, sheet, seed=seed)
        print(f"contact sheet in {sheet}; it shows the patches given, so mind their licence")
    if evaluate:
        for evaluation in held_out(measured, nodules, rounds=rounds, seed=seed, progress=True):
            print("\n".join(evaluation.lines()))


def draw(*, count: Positive, output: Path, seed: Seed = 0, parameters: Path | None = None) -> None:
    """Draw CT patches of nodules from the fitted model.

    Writes volumes and masks in the organisers' patch form, which `nodegen prepare` takes.

    Parameters
    ----------
    count
        Nodules to draw.
    output
        New folder that gets patches/, segmentations/ and ct_nodules.csv.
    seed
        The same count and seed give the same nodules.
    parameters
        Fitted parameters; if they are not given, those that nodegen's library was drawn from.
    """
    from nodegen.workers import track
    from research.nodule_model.model import FITTED, NoduleModel
    from research.nodule_model.synthesise import synthesise
    from research.nodule_model.write import PATCHES, SEGMENTATIONS, write_patches

    drawn = synthesise(NoduleModel.load(parameters or FITTED), count, seed)
    nodules = track(drawn, count, "draw", "nodule")
    write_patches(output, f"synthetic{seed}", count, nodules)
    print(
        f"{count} nodules in {output}; to make a library of them: nodegen prepare "
        f"--patches {output / PATCHES} --segmentations {output / SEGMENTATIONS} --output LIBRARY"
    )


def _read(patches: Path, segmentations: Path) -> tuple[list[Measured], list[Nodule | None]]:
    """Measure all pairs, and project each along the baseline's axis; name those left out."""
    from nodegen.nodules.patches import PairError, find_pairs, read_pair
    from nodegen.workers import track
    from research.nodule_model.features import projected
    from research.nodule_model.measure import measure

    measured, skipped = [], []
    nodules: list[Nodule | None] = []
    pairs = find_pairs(patches, segmentations)
    for pair in track(pairs, len(pairs), "measure", "nodule"):
        try:
            volume_hu, mask = read_pair(pair)
        except PairError as error:
            skipped.append(f"left out {pair.name}: {error}")
            continue
        measured.append(measure(volume_hu, mask))
        nodules.append(projected(volume_hu, mask))
    for line in skipped:
        print(line)
    return measured, nodules


if __name__ == "__main__":
    sys.exit(main())
