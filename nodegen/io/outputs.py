"""The files of one run: they appear together when all of them are whole, or none does.

While a run is at work it holds its folders, so that a second one into them is refused at once. What
an earlier run left under the same names is set aside, as ``NAME.earlier``, before anything is
computed, and removed when the new files are there: a run that fails never leaves an older result
that looks like its own, and never loses it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import numpy as np

from nodegen.errors import NodegenError, OutputError
from nodegen.io.files import WholeFile, cannot_write, clear_partials, locked, same_file
from nodegen.io.geometry import Geometry
from nodegen.io.stack_writer import StackWriter, files_of

EARLIER = ".earlier"


class Outputs:
    """The files of one run; a context manager.

    Parameters
    ----------
    folders : Path
        Into which the run writes; each is held against other runs.
    inputs : Path
        What the run reads: files that are refused as outputs, by whatever spelling or link.

    Raises
    ------
    OutputError
        Where two folders are one, another run is at work in one of them, or a file cannot be
        written.
    """

    def __init__(self, *folders: Path, inputs: tuple[Path, ...] = ()):
        self.folders, self.inputs = folders, inputs
        self._stack = ExitStack()
        self._files: list[StackWriter | _Text] = []
        self._aside: list[Path] = []

    def __enter__(self) -> Self:
        for number, folder in enumerate(self.folders):
            for other in self.folders[:number]:
                if same_file(folder, other):
                    raise OutputError(
                        f"{folder} and {other} are one folder, where each kind of output needs its "
                        "own, since their files have the same names; give another one."
                    )
        with ExitStack() as held:
            for folder in self.folders:
                held.enter_context(locked(folder))
            self._stack = held.pop_all()
        return self

    def set_aside(self, *paths: Path) -> None:
        """Set aside what earlier runs left under these names, stacks with all of their files."""
        paths = tuple(file for path in paths for file in files_of(path))
        for path in paths:
            for input_ in self.inputs:
                if same_file(path, input_):
                    raise OutputError(
                        f"{path} is the input itself, which is never overwritten; give another "
                        "output folder."
                    )
        for path in paths:
            clear_partials(path)
            if path.is_file():
                try:
                    os.replace(os.path.realpath(path), _earlier(path))
                except OSError as error:
                    raise cannot_write(path, error) from error
                self._aside.append(path)

    def stack(
        self, path: Path, geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype | type
    ) -> StackWriter:
        """A stack that is written slice by slice."""
        writer = StackWriter(path, geometry, shape, dtype)
        self._files.append(writer)  # before it is opened, so that no interrupt falls in between
        writer.open()
        return writer

    def text(self, path: Path, text: str) -> None:
        """A file of text; of several files the last one added appears last."""
        self._files.append(_Text(path, text))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        published: list[Path] = []
        try:
            if kind is None:
                for file in self._files:
                    file.finish()
                try:
                    for file in self._files:
                        published += files_of(file.path)
                        file.publish()
                except BaseException:
                    for path in published:  # together, or none
                        with suppress(OSError):
                            os.unlink(os.path.realpath(path))
                    raise
                for path in published:
                    with suppress(OSError):
                        _earlier(path).unlink()
            elif self._aside and isinstance(error, NodegenError):
                listed = ", ".join(str(_earlier(path)) for path in self._aside)
                error.args = (f"{error} What an earlier run left there is now {listed}.",)
        finally:
            for file in self._files:
                file.discard()
            self._stack.close()


def _earlier(path: Path) -> Path:
    """Where an earlier file goes: beside what a link points to, since links are written through."""
    place = Path(os.path.realpath(path))
    return place.with_name(place.name + EARLIER)


class _Text:
    def __init__(self, path: Path, text: str):
        self.path, self._text = path, text
        self._file = WholeFile(path)

    def finish(self) -> None:
        try:
            self._file.open().write(self._text.encode(errors="surrogateescape"))
            self._file.finish()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def publish(self) -> None:
        try:
            self._file.publish()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def discard(self) -> None:
        self._file.discard()
