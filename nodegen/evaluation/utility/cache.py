"""What was computed is kept under the hash of all that it depends on, the code among it.

A kill loses at most the piece in work; a second run computes anew only what has changed.
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
    """Hash of arrays, and of whatever ``json`` can write."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()[:32]


@cache
def _code_hash() -> str:
    files = sorted(_PACKAGE.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def once(store: Path, kind: str, parts: Sequence[Any], make: Callable[[], Arrays]) -> Arrays:
    """The arrays made from ``parts``: those in the folder ``store``, or what ``make`` gives now."""
    path = store / kind / f"{content_hash(_code_hash(), *parts)}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):  # none, or it is damaged
        made, packed = make(), io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **made)
    write_bytes(path, packed.getvalue())
    return made
