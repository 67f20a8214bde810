"""``python -m research.phantom``: simulate a stack of radiographs with boxes."""

import sys
from pathlib import Path

from nodegen.cli.options import Overwrite, Positive, Seed, run_function
from nodegen.io.boxes import BOXES
from research.phantom import write_phantom


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(phantom, "python -m research.phantom", argv)


def phantom(
    *, output: Path, slices: Positive = 3, seed: Seed = 0, overwrite: Overwrite = False
) -> None:
    """Simulate a stack of radiographs with boxes.

    Calculates radiographs, for trying everything without patient data: a thorax with ribs,
    clavicles, scapulae, spine, heart, vessels, airways and diaphragm is drawn from the seed,
    projected, and exposed with scatter, blur and quantum noise; then brought to NODE21's grey
    scale. Boxes have NODE21's sizes.

    Parameters
    ----------
    output
        Folder that gets phantom.mha and nodules.json.
    slices
        Number of radiographs.
    seed
        The same seed gives the same stack.
    overwrite
        Replace a stack and boxes that are there.
    """
    image = write_phantom(output, slices, seed, overwrite=overwrite)
    print(f"{image}\n{image.with_name(BOXES)}")


if __name__ == "__main__":
    sys.exit(main())
