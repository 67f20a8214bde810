"""``nodegen train``, ``training-crop`` and ``prepare``: cascades and a library of one's own."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from nodegen.cli.options import AnyDevice, Overwrite, Positive, Seed
from nodegen.io.files import check_writable
from nodegen.settings import Integers


def train(
    *,
    image: Path,
    output: Path,
    profile: Literal["paper", "compact"] = "compact",
    seed: Seed = 0,
    device: AnyDevice = "auto",
    source: str = "",
    stop_after: Annotated[int, Parameter(validator=Number(gte=1, lte=16))] = 16,
) -> None:
    """Train a cascade on one image.

    Writes `log.jsonl` with the losses, a picture of each scale, and in the end the cascade with
    its model card in `cascade/`. Run an interrupted command again to resume; on the CPU it ends in
    the same weights as an unbroken one. Beside other work set `OMP_NUM_THREADS=1`: torch's threads
    wait busily for one another.

    Parameters
    ----------
    image
        Training image, 256 x 256 px, in 0..1, -1..1, 0..4095 or 8 bit.
    output
        Folder of the run.
    profile
        paper: its setting, for a large GPU; compact: under an hour on two CPU cores.
    source
        Where the image comes from, for the model card; if it is not given, its file's name.
    stop_after
        Stop after so many scales, of 16; run the same command without it to resume.
    """
    from nodegen.errors import TrainingError
    from nodegen.io.stack import read_stack
    from nodegen.settings import choose_device
    from nodegen.training.run import train

    pixels = read_stack(image).pixels
    if len(pixels) > 1:
        raise TrainingError(
            f"{image} holds {len(pixels)} slices where one training image is wanted; cut one with "
            "`nodegen training-crop`."
        )
    folder = train(
        pixels[0],
        output,
        profile=profile,
        seed=seed,
        device=choose_device(device),
        source=source or image.name,
        stop_after=stop_after,
    )
    if folder is None:
        print(f"{stop_after} scales are done; run the command without --stop-after to resume.")
    else:
        print(f"The cascade lies in {folder}.")


def training_crop(
    *,
    image: Path,
    centre: Integers,
    output: Path,
    slice: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    library: Path | None = None,
    count: Annotated[int, Parameter(validator=Number(gte=1, lte=25))] = 4,
    subtlety: str = "relatively-obvious=1,obvious=1",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Cut a training image around pasted nodules.

    The crop out of a radiograph, 256 × 256 px, lies **around pasted nodules**, because generators
    that have seen none remove them. Writes a picture of it beside it.

    Parameters
    ----------
    image
        A radiograph.
    centre
        Of the crop, x,y in px.
    output
        The training image: .mha, float in 0..1.
    slice
        Of a stack.
    library
        Nodule library, from `nodegen prepare`; if it is not given, the one that nodegen ships.
    count
        Nodules pasted in, 1 to 25.
    subtlety
        How subtle they are, as `nodegen generate` takes it.
    seed
        Of the nodules drawn.
    """
    import imagecodecs
    import numpy as np

    from nodegen.errors import SettingError
    from nodegen.io.files import write_bytes
    from nodegen.io.image import Geometry
    from nodegen.io.stack import check_suffix, read_stack, stack_writer
    from nodegen.settings import Settings
    from nodegen.training.crop import training_crop as cut

    if len(centre) != 2:
        raise SettingError(f"--centre is {centre}, where x,y is wanted; give two numbers.")
    check_suffix(output)
    check_writable(output, overwrite=overwrite, inputs=[image])
    pixels = read_stack(image).pixels
    if slice >= len(pixels):
        raise SettingError(
            f"--slice is {slice}, and {image} has {len(pixels)} slices; give 0 to "
            f"{len(pixels) - 1}."
        )
    settings = Settings(library=library, subtlety=subtlety, device="cpu")
    crop = cut(pixels[slice], tuple(centre), count, seed, settings)
    with stack_writer(output, Geometry.plain(2), (1, *crop.shape), crop.dtype) as write:
        write(crop)
    picture = output.with_suffix(".preview.png")
    write_bytes(picture, bytes(imagecodecs.png_encode(np.rint(crop * 255).astype(np.uint8))))
    print(f"The training image lies in {output}, a picture of it in {picture}.")


def prepare(
    *,
    patches: Path,
    segmentations: Path,
    output: Path,
    workers: Positive | None = None,
    axes: Integers = Integers((0, 1, 2)),
    overwrite: Overwrite = False,
) -> None:
    """Project CT nodules into a library.

    Reads NODE21's CT patches, or any in their form: each nodule is cut out by its mask, projected,
    and stored with its 2D mask. Pairs that cannot be used are listed in `skipped.csv` with the
    reason.

    Parameters
    ----------
    patches
        Folder of CT patches, `*_dcm_*.mha`, HU at 1 mm.
    segmentations
        Folder of their masks, `*_seg_*.mha`.
    output
        Folder of the library.
    workers
        Threads; if it is not given, one for each core.
    axes
        Axes of the patch array (slice, row, column) to project along, 0 to 2; the baseline's is 1.
    """
    from nodegen.nodules.prepare import SKIPPED
    from nodegen.nodules.prepare import prepare as prepare_library

    done = prepare_library(
        patches, segmentations, output, workers=workers, axes=axes, overwrite=overwrite
    )
    print(f"{done.nodules} nodules, {done.entries} projections in {output}; sha256 {done.sha256}")
    if done.skipped:
        print(f"{len(done.skipped)} left out: see {output / SKIPPED}")
