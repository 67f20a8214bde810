"""``python -m research.nodule_model``: CT patches → the nodule model.

Fits the generative model of lung nodules to CT patches.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from nodegen.cli.options import Flag, Seed, run_function

if TYPE_CHECKING:
    from nodegen.nodules.measure import Measured
    from nodegen.synthesis.nodule import Nodule


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(fit_model, "python -m research.nodule_model", argv)


def fit_model(
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
    from nodegen.nodules.model import PARAMETERS
    from research.nodule_model.evaluate import held_out
    from research.nodule_model.fit import fit
    from research.nodule_model.sheet import contact_sheet

    path = output if output.suffix == ".npz" else output / PARAMETERS
    for wanted in filter(None, (path, sheet)):
        check_writable(wanted)
    measured, nodules = _read(patches, segmentations)
    model = fit(measured, rounds=rounds, progress=True)
    model.save(path)
    print(f"parameters of {len(measured)} nodules in {path} ({path.stat().st_size / 1e3:.0f} kB)")
    if sheet:
        real = [nodule for nodule in nodules if nodule is not None]
        contact_sheet(model, real, sheet, seed=seed)
        print(f"contact sheet in {sheet}; it shows the patches given, so mind their licence")
    if evaluate:
        for evaluation in held_out(measured, nodules, rounds=rounds, seed=seed, progress=True):
            print("\n".join(evaluation.lines()))


def _read(patches: Path, segmentations: Path) -> tuple[list[Measured], list[Nodule | None]]:
    """Measure all pairs, and project each along the baseline's axis; name those left out."""
    from nodegen.constants import PROJECTION_AXIS
    from nodegen.nodules.measure import measure
    from nodegen.nodules.patches import PairError, find_pairs, read_pair
    from nodegen.nodules.prepare import project_nodule
    from nodegen.progress import track

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
        projected = project_nodule(pair.name, volume_hu, mask, (PROJECTION_AXIS,), opaque=False)
        nodules.append(projected[0] if projected else None)
    for line in skipped:
        print(line)
    return measured, nodules


if __name__ == "__main__":
    sys.exit(main())
