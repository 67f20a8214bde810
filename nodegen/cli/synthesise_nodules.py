"""``nodegen synthesise-nodules``: draw CT patches of nodules from the fitted model."""

from pathlib import Path

from nodegen.cli.options import Positive, Seed


def synthesise_nodules(
    *, count: Positive, output: Path, seed: Seed = 0, parameters: Path | None = None
) -> None:
    """Draw CT patches of nodules from the fitted model.

    Writes volumes and masks in the organisers' patch form, which `prepare` takes.

    Parameters
    ----------
    count
        Nodules to draw.
    output
        Folder that gets patches/, segmentations/ and ct_nodules.csv.
    seed
        The same count and seed give the same nodules.
    parameters
        Fitted parameters; if they are not given, those that nodegen ships.
    """
    from nodegen.nodules.model import SHIPPED, NoduleModel
    from nodegen.nodules.patches import PATCH_MARK, PATCHES, SEGMENTATIONS, write_patches
    from nodegen.nodules.synthesise import synthesise
    from nodegen.progress import track

    drawn = synthesise(NoduleModel.load(parameters or SHIPPED), count, seed)
    width = len(str(count - 1))
    write_patches(
        output,
        (
            (
                f"synthetic{seed}{PATCH_MARK}{number:0{width}}",
                nodule.volume_hu,
                nodule.mask,
                nodule.diameter_mm,
            )
            for number, nodule in enumerate(track(drawn, count, "synthesise", "nodule"))
        ),
    )
    print(
        f"{count} nodules in {output}; to make a library of them: nodegen prepare "
        f"--patches {output / PATCHES} --segmentations {output / SEGMENTATIONS} --output LIBRARY"
    )
