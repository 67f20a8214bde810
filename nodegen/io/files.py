"""Files that appear whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from nodegen.errors import OutputError


def write_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) beside ``path``, then rename it there; folders are made.

    Raises
    ------
    OutputError
        Where the file cannot be written; then nothing is left.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, then rename it there; folders are made.

    Raises
    ------
    OutputError
        Where the file cannot be written; then nothing is left.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); give an output folder that is writable "
            "and has room."
        ) from error
