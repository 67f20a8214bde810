"""Where a set lies: a local folder, or any address that fsspec opens, such as ``s3://bucket/set``.

A local folder is written to in place. Elsewhere files are sent when they are whole, and their
marker, the file that says that the others are there, last: a marker that can be read has its files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nodegen.errors import OutputError, SettingError
from nodegen.io.files import locked, write_bytes

_LOCAL = re.compile(r"^(?:file|local)://")
_SHORTENED = re.compile(r"^[a-z][a-z0-9+.-]+:/")


@dataclass(frozen=True)
class Store:
    """A folder of files by their names, each with ``/`` between its parts.

    Keys and endpoints are fsspec's own affair: its environment variables and configuration
    (``FSSPEC_S3_ENDPOINT_URL``), and those of the service.

    Raises
    ------
    OutputError
        Where a service refuses, from any of the methods.
    """

    address: str  # a path, or an address of fsspec

    @classmethod
    def at(cls, given: str | os.PathLike[str]) -> Store:
        """The store at a path or an address.

        Raises
        ------
        SettingError
            Where nothing opens such an address.
        """
        text = os.fspath(given)
        if "://" not in text:
            if _SHORTENED.match(text):
                raise SettingError(
                    f"{text} looks like an address that has lost a slash, as in a Path; give it as "
                    "text."
                )
            return cls(text)
        if _LOCAL.match(text):
            return cls(_LOCAL.sub("", text))
        store = cls(text.rstrip("/"))
        try:
            store._open()
        except ImportError as error:
            raise SettingError(
                f"{text} needs a package that is not installed ({error}); install it, for s3:// by "
                "`pip install 'nodegen[cluster]'`."
            ) from error
        except ValueError as error:
            raise SettingError(
                f"{text} is no address that can be opened ({error}); give a folder, or an address "
                "such as s3://bucket/folder."
            ) from error
        return store

    def __str__(self) -> str:
        return self.address

    @property
    def folder(self) -> Path | None:
        """The folder, where it is a local one."""
        return None if "://" in self.address else Path(self.address)

    def absolute(self) -> Store:
        """The same, whatever the working folder of who opens it."""
        return self if self.folder is None else Store(os.path.abspath(self.folder))

    def sizes(self) -> dict[str, int]:
        """Name and size of each file, bytes, hidden ones left out; empty where there is nothing."""
        if self.folder is not None:
            return _walk(self.folder)
        with self._files() as files:
            files.fs.invalidate_cache()  # all of it, folders below too
            try:
                found = files.find("", detail=True)
            except FileNotFoundError:
                return {}
        return {n: found[n]["size"] or 0 for n in sorted(found) if "/." not in f"/{n}"}

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where it is not there."""
        try:
            with self._files() as files:
                files.fs.invalidate_cache()  # all of it, folders below too
                return int(files.size(name))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, name: str) -> bytes:
        """A file's content; FileNotFoundError where it is not there."""
        if self.folder is not None:
            return (self.folder / name).read_bytes()
        with self._files() as files:
            content: bytes = files.cat_file(name)
            return content

    def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """The content of each file, fetched together; None of one that cannot be read."""
        if not names:
            return []
        with self._files() as files:
            read = map(files.cat(names, on_error="return").get, names)
        return [content if isinstance(content, bytes) else None for content in read]

    def parts(self, wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Parts of files, (name, start, stop); empty of one that cannot be read."""
        if not wanted:
            return []
        with self._files() as files:
            read = files.cat_ranges(*map(list, zip(*wanted, strict=True)), on_error="return")
        return [part if isinstance(part, bytes) else b"" for part in read]

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A file by a local path, for as long as the block lasts; of .mhd with its pixels."""
        if self.folder is not None:
            yield self.folder / name
            return
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            names = {name}
            if name.lower().endswith(".mhd"):
                with self._files() as files:
                    beside = files.ls(name.rpartition("/")[0], detail=False)
                names |= {path for path in beside if path.startswith(name[:-3])}
            for one in names:
                (folder / Path(one).name).write_bytes(self.read(one))
            yield folder / Path(name).name

    def create(self, name: str, content: bytes) -> None:
        """Write a file that is not there yet; where another process was quicker, its file stays."""
        if self.folder is not None:
            write_bytes(self.folder / name, content)  # by who holds the lock
            return
        with self._files() as files, suppress(FileExistsError):
            _pipe(files, {name: content}, mode="create")

    @contextmanager
    def staged(self, marker: str) -> Iterator[Path]:
        """A local folder to write into: the store's own, or one that is sent when the block ends.

        Parameters
        ----------
        marker : str
            Name of the file that is sent after all the others.
        """
        if self.folder is not None:
            yield self.folder
            return
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            yield folder
            made = {name: (folder / name).read_bytes() for name in _walk(folder)}
            last = {marker: made.pop(marker)} if marker in made else {}
            with self._files() as files:
                for some in filter(None, (made, last)):
                    _pipe(files, some)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files that are there, and folders that are empty then."""
        if self.folder is not None:
            for path in (self.folder / name for name in names):
                path.unlink(missing_ok=True)
                with suppress(OSError):
                    os.removedirs(path.parent)
        elif names:
            with self._files() as files:
                files.rm(names)

    def locked(self) -> AbstractContextManager[None]:
        """Wait for, and hold, the folder against others; elsewhere than on a disk nothing is held.

        There are no locks there. Files appear whole, and are the same whoever writes them.
        """
        return nullcontext() if self.folder is None else locked(self.folder, wait=True)

    def _open(self) -> Any:
        """The folder as a file system, which fsspec keeps."""
        from fsspec.core import url_to_fs
        from fsspec.implementations.dirfs import DirFileSystem

        files, root = url_to_fs(self.address)
        return DirFileSystem(root.rstrip("/"), files)

    @contextmanager
    def _files(self) -> Iterator[Any]:
        """That file system; whatever a service says against it, in one sentence."""
        try:
            yield self._open()
        except (FileNotFoundError, FileExistsError, OutputError):
            raise
        except Exception as error:  # each service has its own kinds
            raise OutputError(
                f"{self.address} cannot be used ({error}); see that it is there, that your keys "
                "allow it, and that it can be reached."
            ) from error


def check_apart(inputs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]) -> None:
    """Refuse, by a SettingError, results that would lie among radiographs, by whatever link."""
    place = _real(output)
    for given in inputs:
        if f"{place}/".startswith(f"{_real(given)}/"):
            raise SettingError(
                f"--output {output} lies inside the radiographs' folder {given}, whose next run "
                "would take its images for radiographs; give a folder outside it."
            )


def _real(given: str | os.PathLike[str]) -> str:
    store = Store.at(given)
    address = store.address if store.folder is None else os.path.realpath(store.folder)
    return address.rstrip("/")


def _pipe(files: Any, contents: dict[str, bytes], **how: Any) -> None:
    """Write files; folders are made where the file system wants any."""
    try:
        files.pipe(contents, **how)
    except FileNotFoundError:
        for folder in {name.rpartition("/")[0] for name in contents}:
            files.makedirs(folder, exist_ok=True)
        files.pipe(contents, **how)


def _walk(folder: Path) -> dict[str, int]:
    """Name and size of each file below a folder, hidden ones left out."""
    found: dict[str, int] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            with suppress(FileNotFoundError):  # renamed meanwhile
                found[path.relative_to(folder).as_posix()] = path.stat().st_size
    return dict(sorted(found.items()))
