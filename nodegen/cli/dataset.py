"""``nodegen dataset``: make a training set from radiographs."""

import re
from dataclasses import replace
from typing import Annotated

from nodegen.cli.options import Overwrite, Positive, flat
from nodegen.dataset.dataset_settings import OPTIONS, DatasetSettings
from nodegen.errors import SettingError
from nodegen.settings import Settings

_Choices = Annotated[DatasetSettings, flat(but=["render"], **OPTIONS)]
_Render = Annotated[Settings, flat("method", "contrast", "noise_and_blur", "device")]


def dataset(
    radiographs: list[str],
    *,
    output: str,
    choices: _Choices | None = None,
    settings: _Render = Settings(),
    workers: Positive = 1,
    shard: str = "1/1",
    scheduler: str | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a training set from radiographs.

    Run an interrupted command again to resume; --overwrite begins anew.

    Parameters
    ----------
    radiographs
        Files or folders, also by address, such as s3://bucket/folder.
    output
        Folder or address that gets the set; a set that was begun with the same options is resumed.
    workers
        Processes; one alone where the system is not Linux.
    shard
        Make only this share, from 1/N to N/N; the last to end finishes the set.
    scheduler
        Let the workers of a Dask cluster make it: the address of its scheduler, or its scheduler
        file.
    """
    from nodegen.dataset.make_dataset import make_dataset

    made = make_dataset(
        radiographs,
        output,
        replace(choices or DatasetSettings(), render=settings),
        workers=workers,
        shard=_share(shard),
        scheduler=scheduler,
        overwrite=overwrite,
    )
    for name, why in made.skipped.items():
        print(f"left out {name}: {why}")
    if made.copies:
        print(f"{made.copies} files are copies of others: one patient, in one split")
    if not made.complete:
        print(f"{made.done} of {made.images} images: {output}; the other shards go on")
        return
    if made.empty:
        print(f"no images in {' and '.join(made.empty)}: too few patients for that split")
    images = _counted(made.images - made.left_out, made.images, "image")
    nodules = _counted(made.nodules, made.asked, "nodule")
    print(f"{images} with {nodules}: {output}, see report.md and contact_sheet.png there")


def _counted(number: int, asked: int, word: str) -> str:
    return f"{number}{f' of {asked}' * (number < asked)} {word}{'s' * (asked != 1)}"


def _share(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, of = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise SettingError(f"--shard is {text!r}, where a share as 1/4 is wanted, up to 4/4.")
    return number, of
