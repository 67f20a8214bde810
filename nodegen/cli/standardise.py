"""``nodegen standardise``: bring radiographs to NODE21's grey scale and crop."""

from pathlib import Path


def standardise(radiographs: list[Path], *, output: Path) -> None:
    """Bring radiographs to NODE21's grey scale and crop.

    Parameters
    ----------
    radiographs
        Files or folders.
    output
        Folder that gets an .mha for each radiograph, and crops.json, from which each can be
        brought back.
    """
    from nodegen.dataset.standardise import standardise_files

    for path in standardise_files(radiographs, output):
        print(path)
