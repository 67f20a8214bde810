"""Files that appear whole or not at all: the one atomic writer, and the lock on a folder.

A file grows beside its place under a name of its own, ``.NAME.TOKEN.partial``, and is renamed when
it is whole. While it grows it is locked, so that whoever comes later can tell a run that is still
at work from one that was killed, and clears away what the killed one left. A symbolic link is
written through: what it points to is replaced, not the link. A device or a pipe is written to, and
never replaced.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from nodegen.errors import OutputError

PARTIAL = ".partial"
SCRATCH = "nodegen-scratch-"  # temporary folders' names begin so
_NAME_MAX = 200  # bytes of a file's name that its partial file's name repeats; 255 are allowed


def write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) whole or not at all, as :func:`write_bytes` does.

    A name that is not UTF-8 is written as the bytes that it is.
    """
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_bytes(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Write ``content`` whole or not at all; folders are made.

    Parameters
    ----------
    sync : bool
        Whether it must be there even after a power cut.

    Raises
    ------
    OutputError
        Where the file cannot be written; then nothing is left.
    """
    try:
        with WholeFile(path, sync=sync) as file:
            file.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: BaseException) -> OutputError:
    """The one sentence for a file that cannot be written."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(
        f"{path} cannot be written ({why}); give an output folder that is writable and has room."
    )


class WholeFile:
    """A file that appears under its name when it is published; a context manager.

    Parameters
    ----------
    sync : bool
        Whether publishing waits until the disk has it.
    stream : bool
        False where the file must be one that can be written at any place: a device or a pipe is
        refused then.

    Raises
    ------
    OSError
        From any of the methods.
    """

    def __init__(self, path: Path, *, sync: bool = True, stream: bool = True):
        self.path, self.sync = Path(path), sync
        self._stream = stream
        self._partial: Path | None = None
        self._file: BinaryIO | None = None

    def open(self) -> BinaryIO:
        """Make the folders, clear what killed runs left of this file, and begin a new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Written through: the partial file lies beside what the link points to.
        self._place = Path(os.path.realpath(self.path))
        mode = _mode_of(self._place)
        if mode is not None and not stat.S_ISREG(mode):
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(21, "Is a directory")
            if not self._stream:
                raise OSError(22, "it is a device, not a file")
            self._file = self._place.open("wb")
            return self._file
        if mode is not None and not os.access(self._place, os.W_OK):
            raise PermissionError(13, "it is there and write-protected")
        clear_partials(self._place)
        self._partial, self._file = _begin(self._place)
        if mode is not None:
            with suppress(OSError):  # a file that is replaced keeps its permissions
                os.fchmod(self._file.fileno(), stat.S_IMODE(mode))
        return self._file

    def finish(self) -> None:
        """Bring all of it to the disk; publishing then only gives it its name."""
        assert self._file is not None
        self._file.flush()
        if self.sync and self._partial is not None:
            os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Give the finished file its name."""
        assert self._file is not None
        if self._partial is not None:
            os.replace(self._partial, self._place)
            self._partial = None
        self._file.close()

    def discard(self) -> None:
        """Remove what is not published; does nothing after :meth:`publish`."""
        if self._partial is not None:
            with suppress(OSError):
                self._partial.unlink()
            self._partial = None
        if self._file is not None:
            with suppress(OSError):  # a full disk: what is in the buffer does not matter
                self._file.close()

    def __enter__(self) -> BinaryIO:
        try:
            return self.open()
        except BaseException:  # an interrupt, too
            self.discard()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
                self.publish()
        finally:
            self.discard()


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _begin(path: Path) -> tuple[Path, BinaryIO]:
    """A new partial file, locked; its name is no image's and no other run's."""
    head = os.fsdecode(os.fsencode(path.name)[:_NAME_MAX])
    while True:
        partial = path.with_name(f".{head}.{secrets.token_hex(4)}{PARTIAL}")
        file = partial.open("x+b")
        _lock(file.fileno())
        if os.fstat(file.fileno()).st_nlink:
            return partial, file
        file.close()  # another run took it for a killed one's before it was locked


def clear_partials(path: Path) -> None:
    """Remove the partial files of ``path`` that no run is at work on."""
    head = os.fsdecode(os.fsencode(path.name)[:_NAME_MAX])
    length = len(f".{head}.") + 8 + len(PARTIAL)
    try:
        names = os.listdir(path.parent)
    except OSError:
        return
    for name in names:
        if name.startswith(f".{head}.") and name.endswith(PARTIAL) and len(name) == length:
            _clear(path.with_name(name))


def clear_all_partials(folder: Path) -> None:
    """Remove the partial files anywhere in a folder that no run is at work on."""
    for partial in folder.rglob(f".*{PARTIAL}"):
        _clear(partial)


def _clear(partial: Path) -> None:
    with suppress(OSError):
        handle = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _lock(handle):
                partial.unlink()
        finally:
            os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open file or folder; False where another holds it or the system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, removed at the end; it is locked, so that it can be told from leftovers.

    See :func:`clear_scratch`.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=SCRATCH))
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        _lock(handle)
        if folder.is_dir():
            break
        os.close(handle)  # another process took it for a leftover before it was locked
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def clear_scratch() -> None:
    """Remove the temporary folders that killed processes left."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if _lock(handle):
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder against other runs that would write their results into it.

    The lock is on the folder itself and leaves no file; the system takes it off a run that is
    killed. On file systems without locks nothing is held.

    Parameters
    ----------
    wait : bool
        Whether to wait for a run that holds it, instead of raising.

    Raises
    ------
    OutputError
        Where another run holds it, or the folder cannot be made.
    """
    folder = Path(folder)
    made = not folder.exists()
    if not made and not folder.is_dir():
        raise OutputError(f"{folder} is a file where a folder is wanted; give another one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise OutputError(
                f"Another run is writing into {folder}; wait until it is done, or give another "
                "output folder."
            ) from None
        except OSError:
            pass  # no locks here: partial files still have names of their own
        yield
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()  # does so only where it is still empty
        os.close(handle)


def check_writable(path: Path | None) -> None:
    """Tell before the work, not after it, where a file cannot be written; None passes.

    Raises
    ------
    OutputError
        Where it is a folder or write-protected, or its folder cannot be made or written to.
    """
    if path is None:
        return
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise OutputError(f"{path} is a folder where a file is wanted; give a file's name.")
    if place.exists():
        if not os.access(place, os.W_OK):
            raise OutputError(f"{path} is there and write-protected; give another name.")
        if not place.is_file():
            return  # a device
    parent = next(p for p in place.parents if p.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):  # asking is not enough: root may, and cannot
            return
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written, since {parent} is no folder that may be written to "
            f"({error.strerror}); give a file in one that may."
        ) from error


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths are one file or folder, by whatever spelling, link or mount."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)
