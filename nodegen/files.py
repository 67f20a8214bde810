"""Files that appear whole or not at all."""

import os
from pathlib import Path

from nodegen.errors import OutputError


def write_text(path: Path, text: str) -> None:
    """Write ``text`` beside ``path``, then rename it there; folders are made.

    Raises
    ------
    OutputError
        Where the file cannot be written; then nothing is left.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); give an output folder that is writable "
            "and has room."
        ) from error
