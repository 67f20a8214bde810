"""``nodegen train``: train a cascade on one image."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from nodegen.cli.options import AnyDevice, Flag, Seed


def train(
    *,
    image: Path,
    output: Path,
    profile: Literal["paper", "compact"] = "compact",
    seed: Seed = 0,
    device: AnyDevice = "auto",
    resume: Flag = False,
    source: str = "",
    stop_after: Annotated[int, Parameter(validator=Number(gte=1, lte=16))] = 16,
) -> None:
    """Train a cascade on one image.

    Writes `log.jsonl` with the losses, a picture of each scale, and in the end the cascade with
    its model card in `cascade/`. A run that was killed resumes with `--resume` from the last
    minute, and ends on the CPU in the same weights as an unbroken one. Beside other work set
    `OMP_NUM_THREADS=1`: torch's threads wait busily for one another.

    Parameters
    ----------
    image
        Training image, 256 x 256 px, in 0..1, -1..1, 0..4095 or 8 bit.
    output
        Folder of the run.
    profile
        paper: its setting, for a large GPU; compact: under an hour on two CPU cores.
    resume
        Resume the run in --output.
    source
        Where the image comes from, for the model card; if it is not given, its file's name.
    stop_after
        Stop after so many scales, of 16, to resume later.
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
        resume=resume,
        source=source or image.name,
        stop_after=stop_after,
    )
    if folder is None:
        print(f"{stop_after} scales are done; add --resume to go on.")
    else:
        print(f"The cascade lies in {folder}.")
