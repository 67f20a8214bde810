"""Files that appear whole or not at all, and the lock on an output folder.

A file grows beside its place under a hidden name and is renamed when it is complete.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from nodegen.errors import ModelError, OutputError

LOCK = ".nodegen.lock"  # in a folder that a run writes to, removed when it ends
STAGING = ".nodegen-"  # folders in which results grow beside their places; their names begin so
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # of a file system without locks


def write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) whole or not at all, as :func:`write_bytes` does.

    A name that is not UTF-8 is written as the bytes that it is.
    """
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` whole or not at all; folders are made, a device is written to.

    Raises
    ------
    OutputError
        Where the file cannot be written; then nothing is left.
    """
    try:
        mode = path.stat().st_mode if path.exists() else 0
        if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
            path.write_bytes(content)
            return
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that gets its name when the block ends, and is removed where the block fails.

    What a symbolic link points to is replaced, not the link.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not place.is_file():
            raise OSError(errno.EINVAL, "it is a device, not a file")
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, "it is there and write-protected")
    partial = place.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("x+b") as file:
            yield file
        os.replace(partial, place)
    except BaseException:  # an interrupt, too
        with suppress(OSError):
            partial.unlink()
        raise


def cannot_write(path: Path, error: BaseException) -> OutputError:
    """The one sentence for a file that cannot be written."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, PermissionError) and hasattr(os, "getuid"):
        why = f"{why}, as user {os.getuid()}"
    if path.parent.name.startswith(STAGING):
        path = path.parent.parent / path.name
    return OutputError(
        f"{path} cannot be written ({why}); give an output folder that is writable and has room."
    )


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder against other runs that would write their results into it.

    On file systems without locks nothing is held. A folder that was made for this and is empty at
    the end is removed.

    Parameters
    ----------
    folder : pathlib.Path
        Made where it is missing.
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
    lock = FileLock(folder / LOCK)
    try:
        while not lock.is_locked:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # whoever held it removed the folder
                lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise OutputError(
            f"Another run is writing into {folder}; wait until it is done, or give another output "
            "folder."
        ) from None
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in _NO_LOCKS:
            raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                os.unlink(lock.lock_file)  # while it is held: whoever waits makes a new one
            lock.release()
        if made:
            with suppress(OSError):
                folder.rmdir()  # only where it is still empty


def check_writable(path: Path | None) -> None:
    """Check that a file can be written, before any work starts. None is ignored.

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


def check_weights(path: Path, content: bytes, sha256: str, index: str) -> None:
    """Check that a file of weights is the one that its index names.

    Parameters
    ----------
    path : pathlib.Path
        Of the file, for the message.
    content : bytes
        What was read from it.
    sha256 : str
        Its hash in the index.
    index : str
        Name of the index's file, for the message.

    Raises
    ------
    ModelError
        Where it is truncated or altered.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            f"The weights {path} are truncated or altered: their SHA-256 is not the one in "
            f"{index}; copy the model anew."
        )


def refuse_inputs(path: Path, inputs: Sequence[Path]) -> None:
    """Refuse to write over what is read, by whatever spelling or link.

    Raises
    ------
    OutputError
        Where the path is one of the inputs.
    """
    for read in inputs:
        if same_file(path, read):
            raise OutputError(
                f"{path} is the input itself, which is never overwritten; give another output."
            )


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths are one file or folder, by whatever spelling, link or mount."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)
