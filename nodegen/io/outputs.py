"""The results of one run: they appear together when all of them are whole, or none does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from nodegen.errors import OutputError
from nodegen.io.files import STAGING, cannot_write, locked, refuse_inputs, same_file
from nodegen.io.stack_writer import files_of


@contextmanager
def claim(
    *results: Path, overwrite: bool = False, inputs: Sequence[Path] = ()
) -> Iterator[dict[Path, Path]]:
    """Claim the files that a run is going to write, and give each a place where it grows.

    The results' folders are held against other runs while the block lasts. When it ends, what was
    written is moved to its names; where it fails, nothing is left and nothing was replaced.

    Parameters
    ----------
    results : Path
        Files; of a stack the one that is named (with .mhd, the .zraw beside it belongs to it).
    overwrite : bool
        Whether results that are there already may be replaced.
    inputs : sequence of Path
        What the run reads: never replaced, by whatever spelling or link.

    Yields
    ------
    dict of Path to Path
        Where to write each result. One that is not written does not appear.

    Raises
    ------
    OutputError
        Where a result is there already, is an input or is named twice; where another run is at
        work in its folder; or where it cannot be written.

    Examples
    --------
    >>> from nodegen.io.files import write_text
    >>> folder = Path(getfixture("tmp_path"))
    >>> with claim(folder / "out" / "a.json") as staged:
    ...     write_text(staged[folder / "out" / "a.json"], "1")
    >>> with claim(folder / "out" / "a.json") as staged:
    ...     pass
    Traceback (most recent call last):
    nodegen.errors.OutputError: ...a.json is there already; ...
    """
    for number, result in enumerate(results):
        refuse_inputs(result, inputs)
        if any(same_file(result, other) for other in results[:number]):
            raise OutputError(
                f"{result} would be written twice; give each kind of output a folder of its own."
            )
    with ExitStack() as stack:
        staged: dict[Path, Path] = {}
        folders: dict[Path, Path] = {}
        for result in results:
            folder = Path(os.path.realpath(result.parent))
            try:
                if folder not in folders:
                    stack.enter_context(locked(result.parent))
                    made = tempfile.TemporaryDirectory(prefix=STAGING, dir=folder)
                    folders[folder] = Path(stack.enter_context(made))
            except OSError as error:
                raise cannot_write(result.parent, error) from error
            for file in files_of(result):
                refuse_inputs(file, inputs)
                if file.is_dir():
                    raise OutputError(f"{file} is a folder where a file is wanted; remove it.")
                if os.path.lexists(file) and not overwrite:
                    raise OutputError(
                        f"{file} is there already; give another output folder, or --overwrite to "
                        "replace it."
                    )
            staged[result] = folders[folder] / result.name
        yield staged
        _publish(staged)


def _publish(staged: dict[Path, Path]) -> None:
    """Move all results to their names; of a stack, the file that names the others last."""
    published: list[Path] = []
    place = Path()
    try:
        for result, made in staged.items():
            if made.exists():  # a run that is killed here leaves no mixture of old and new
                for place in reversed(files_of(result)):
                    place.unlink(missing_ok=True)
        for result, made in staged.items():
            for place, file in zip(files_of(result), files_of(made), strict=True):
                if file.exists():
                    os.replace(file, place)
                    published.append(place)
    except BaseException as error:  # together, or none
        for done in published:
            with suppress(OSError):
                done.unlink()
        if isinstance(error, OSError):
            raise cannot_write(place, error) from error
        raise
