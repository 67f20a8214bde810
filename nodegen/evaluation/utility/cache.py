"""What has been made is kept, under the hash of all that it was made from.

A kill loses at most the piece in work; a second run finds the others, and makes anew only what
has changed: pixels, boxes, settings, model, library, or the code itself.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.io.files import write_bytes

_PACKAGE = Path(__file__).resolve().parents[2]

Arrays = dict[str, np.ndarray]


def content_hash(*parts: Any) -> str:
    """Hash of arrays, and of whatever ``json`` can write.

    Examples
    --------
    >>> content_hash("a", 1) == content_hash("a", 1), content_hash("a", 1) == content_hash("a", 2)
    (True, False)
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()[:32]


@cache
def code_hash(*names: str) -> str:
    """Hash of the source of modules or packages of nodegen, named by path: ``"synthesis"``.

    It is taken at import: a file that is edited later does not change what runs.
    """
    paths = [_PACKAGE / name for name in names]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) or [path])]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:32]


class Cache:
    """Arrays under content hashes, in a folder.

    Parameters
    ----------
    folder : Path
        Made when first written to. May be deleted at any time.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, kind: str, key: str) -> Path:
        """Where the arrays of ``key`` lie, or will."""
        return self.folder / kind / f"{key}.npz"

    def load(self, kind: str, key: str) -> Arrays | None:
        """The arrays of ``key``; None where there are none, or the file is damaged."""
        try:
            with np.load(self.path(kind, key), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile, EOFError):
            return None

    def save(self, kind: str, key: str, arrays: Arrays) -> None:
        """Keep arrays; the file appears whole or not at all.

        Raises
        ------
        OutputError
            Where it cannot be written.
        """
        made = io.BytesIO()
        np.savez_compressed(made, allow_pickle=False, **arrays)
        write_bytes(self.path(kind, key), made.getvalue())

    def once(self, kind: str, parts: Sequence[Any], make: Callable[[], Arrays]) -> Arrays:
        """The arrays made from ``parts``: kept ones, or those that ``make`` gives now."""
        key = content_hash(*parts)
        kept = self.load(kind, key)
        if kept is None:
            kept = make()
            self.save(kind, key, kept)
        return kept
