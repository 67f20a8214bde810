"""Files that appear whole or not at all, and the results of a run, which appear together."""

import errno
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from nodegen.errors import ModelError, OutputError

LOCK = ".nodegen.lock"  # in a folder that a run writes to, removed when it ends
STAGING = ".nodegen-"  # folders in which results grow beside their places; their names begin so
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # of a file system without locks


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 as :func:`write_bytes`; a name that is not UTF-8 as the bytes that it is."""
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` whole or not at all; folders are made, a device is written to.

    Raises
    ------
    OutputError
        Where the file cannot be written; then nothing is left.
    """
    with writing(path):
        mode = path.stat().st_mode if path.exists() else 0
        if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
            path.write_bytes(content)
            return
        with whole_file(path) as file:
            file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that gets its name when the block ends, and is removed where that fails.

    Parameters
    ----------
    path : Path
        The name; folders are made. What a symbolic link there points to is replaced, not the link.

    Raises
    ------
    OSError
        Where the file cannot be written, or is no file or write-protected.
    """
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and not (place.is_file() and os.access(place, os.W_OK)):
        raise PermissionError(errno.EACCES, "it is there and write-protected, or is no file")
    partial = place.with_name(f".{secrets.token_hex(8)}.partial")
    file = partial.open("x+b")
    try:
        yield file
        file.close()
        os.replace(partial, place)
    except BaseException:  # an interrupt, too
        with suppress(OSError):
            file.close()  # a full disk refuses what is left once more
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into an OutputError that says why ``path`` cannot be written."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if isinstance(error, PermissionError) and hasattr(os, "getuid"):
            why = f"{why}, as user {os.getuid()}"
        if path.parent.name.startswith(STAGING):
            path = path.parent.parent / path.name
        raise OutputError(
            f"{path} cannot be written ({why}); give an output folder that is writable and has "
            "room."
        ) from error


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder against other runs that would write their results into it.

    On file systems without locks nothing is held.

    Parameters
    ----------
    folder : Path
        Is made, and removed where it is still empty at the end.
    wait : bool
        Whether to wait for another run that holds it.

    Raises
    ------
    OutputError
        Where another run holds it and is not to be waited for, or the folder cannot be made.
    """
    folder = Path(folder)
    made = not folder.is_dir()
    if folder.is_file():
        raise OutputError(f"{folder} is a file where a folder is wanted; give another one.")
    lock = FileLock(folder / LOCK)
    try:
        _acquire(lock, folder, wait)
        yield
    finally:
        # Once more, where a signal came when the file was just made; held already, it is at once.
        with suppress(OSError, NotImplementedError):
            lock.acquire(timeout=0)
            os.unlink(lock.lock_file)  # while it is held: whoever waits makes a new one
        lock.release(force=True)
        if made:
            with suppress(OSError):
                folder.rmdir()  # only where it is still empty


def _acquire(lock: FileLock, folder: Path, wait: bool) -> None:
    try:
        while not lock.is_locked:
            # Whoever held it may remove the folder between any two of these steps.
            with suppress(FileExistsError):
                folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise OutputError(
            f"Another run is writing into {folder}; wait until it is done, or give another output "
            "folder."
        ) from None
    except NotImplementedError:
        pass  # nor are there any locks here
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            with writing(folder):
                raise


def check_writable(
    *paths: Path | None, overwrite: bool = True, inputs: Sequence[Path] = (), suffix: str = ""
) -> None:
    """Check that files can be written, before any work starts.

    Parameters
    ----------
    *paths : Path or None
        The files; None is ignored.
    overwrite : bool
        Whether files that are there already may be replaced.
    inputs : sequence of Path
        What is read, and so never replaced, by whatever spelling or link.
    suffix : str
        With which a file's name has to end, so that one of another kind is never replaced.

    Raises
    ------
    OutputError
        Where one cannot be written, or may not.
    """
    for path in filter(None, paths):
        if any(_same_file(path, read) for read in inputs):
            raise OutputError(
                f"{path} is the input itself, which is never overwritten; give another output."
            )
        place = Path(os.path.realpath(path))
        if place.is_dir():
            raise OutputError(f"{path} is a folder where a file is wanted; give a file's name.")
        if place.exists() and not os.access(place, os.W_OK):
            raise OutputError(f"{path} is there and write-protected; give another name.")
        if place.exists() and not place.is_file():
            continue  # a device
        if not path.name.lower().endswith(suffix):
            raise OutputError(f"{path} does not end in {suffix}; give a name that does.")
        if os.path.lexists(path) and not overwrite:
            raise OutputError(
                f"{path} is there already; give another name or folder, or --overwrite to replace "
                "it."
            )
        parent = next(p for p in place.parents if p.exists())
        try:
            with tempfile.TemporaryFile(dir=parent):  # asking is not enough: root may, and cannot
                pass
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written, since {parent} is no folder that may be written to "
                f"({error.strerror}); give a file in one that may."
            ) from error


def _same_file(one: Path, other: Path) -> bool:
    """Whether two paths are one file or folder, by whatever spelling, link or mount."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)


def read_weights(path: Path, sha256: str, index: str) -> bytes:
    """Read a file of weights, and check that it is the one that its index names.

    Parameters
    ----------
    path : Path
        The file.
    sha256, index : str
        Its hash, and the index's name for messages.

    Raises
    ------
    ModelError
        Where it is missing, truncated or altered.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The weights {path} cannot be read ({error.strerror}); copy the model anew."
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            f"The weights {path} are truncated or altered: their SHA-256 is not the one in "
            f"{index}; copy the model anew."
        )
    return content


# --- the results of a run -------------------------------------------------------------------------


def files_of(path: Path) -> tuple[Path, ...]:
    """The files in which a stack of this name is written; the one that names the others last."""
    if path.suffix.lower() != ".mhd":
        return (path,)
    # Readers take a data file's name with a percent sign for a pattern of names.
    return path.with_name(path.with_suffix(".zraw").name.replace("%", "_")), path


@contextmanager
def claim(
    *results: Path, overwrite: bool = False, inputs: Sequence[Path] = ()
) -> Iterator[dict[Path, Path]]:
    """Claim the files that a run is going to write, and give each a place where it grows.

    The results' folders are held against other runs while the block lasts. When it ends, what was
    written is moved to its names; where it fails, nothing is left and nothing was replaced.

    Parameters
    ----------
    *results : Path
        Of a stack the file that is named: with .mhd, the .zraw beside it belongs to it.
    overwrite, inputs : bool, sequence of Path
        As :func:`check_writable` takes them.

    Yields
    ------
    dict of Path to Path
        Where to write each result; what is not written does not appear.

    Raises
    ------
    OutputError
        As :func:`check_writable`; where a result is named twice, or another run is at work in its
        folder.
    """
    for number, result in enumerate(results):
        if any(_same_file(result, other) for other in results[:number]):
            raise OutputError(
                f"{result} would be written twice; give each kind of output a folder of its own."
            )
    with ExitStack() as stack:
        staged: dict[Path, Path] = {}
        folders: dict[Path, Path] = {}
        for result in results:
            folder = Path(os.path.realpath(result.parent))
            if folder not in folders:
                with writing(result.parent):
                    stack.enter_context(locked(result.parent))
                    made = tempfile.TemporaryDirectory(prefix=STAGING, dir=folder)
                    folders[folder] = Path(stack.enter_context(made))
            check_writable(*files_of(result), overwrite=overwrite, inputs=inputs)
            staged[result] = folders[folder] / result.name
        yield staged
        _publish(staged)


def _publish(staged: dict[Path, Path]) -> None:
    """Move all results to their names; of a stack, the file that names the others last."""
    moves = [
        (made, place)
        for result in staged
        for made, place in zip(files_of(staged[result]), files_of(result), strict=True)
        if made.exists()
    ]
    for _, place in reversed(moves):  # a run that is killed here leaves no mixture of old and new
        with writing(place):
            place.unlink(missing_ok=True)
    with ExitStack() as published:
        for made, place in moves:
            with writing(place):
                os.replace(made, place)
            published.callback(place.unlink, missing_ok=True)  # together, or none
        published.pop_all()
