"""``nodegen phantom``: simulate a stack of radiographs with boxes."""

from pathlib import Path

from nodegen.cli.options import Overwrite, Positive, Seed


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
    """
    from nodegen.io.boxes import BOXES
    from nodegen.phantom import write_phantom

    image = write_phantom(output, slices, seed, overwrite=overwrite)
    print(f"{image}\n{image.with_name(BOXES)}")
