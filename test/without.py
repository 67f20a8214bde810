"""Packages taken away from the import system, as where they are not installed."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Rooms that .dockerignore keeps out of the image.
OUTSIDE = [
    line.replace("/", ".")
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line.startswith("nodegen/")
]

TAKE_AWAY = f"""
import sys
sys.path.append({str(ROOT / "test")!r})
from without import finders_without
"""
# One interpreter imports what most code needs, and forks itself for each piece of code: as new as
# an interpreter of its own, without the seconds of these imports.
FORKS = f"""{TAKE_AWAY}
import json, os
import cyclopts, numpy, pydantic, scipy.ndimage
for number, (name, code) in enumerate(json.load(sys.stdin)):
    if not os.fork():
        for stream, of in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{{number}}.{{of}}", os.O_WRONLY | os.O_CREAT), stream)
        assert name not in sys.modules
        sys.meta_path[:] = finders_without(name)
        exec(code, {{"__name__": "__main__"}})
        sys.exit()
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


class Without:
    """A finder of modules that does not know some of them."""

    def __init__(self, finder: Any, names: Iterable[str]):
        self.finder, self.names = finder, frozenset(names)

    def find_spec(self, name: str, *rest: Any) -> Any:
        return None if name in self.names else self.finder.find_spec(name, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def finders_without(*names: str) -> list[Without]:
    """What ``sys.meta_path`` would be without these packages."""
    return [Without(finder, names) for finder in sys.meta_path]


def code_without(names: Iterable[str], code: str) -> str:
    """Code for a new interpreter, to be run where these packages are not known."""
    return f"{TAKE_AWAY}sys.meta_path[:] = finders_without(*{sorted(names)!r})\n{code}"


def run_each_without(
    calls: list[tuple[str, str]], folder: Path
) -> dict[tuple[str, str], subprocess.CompletedProcess[str]]:
    """Run each (package, code) where that package is not known, from an empty folder."""
    command = [sys.executable, "-c", FORKS]
    codes = subprocess.run(command, input=json.dumps(calls), stdout=subprocess.PIPE, text=True,
        check=True, cwd=folder).stdout.split()  # fmt: skip
    said = ((folder / f"{n}.{of}" for of in ("out", "err")) for n in range(len(calls)))
    return {
        call: subprocess.CompletedProcess(call, int(code), *(path.read_text() for path in paths))
        for call, code, paths in zip(calls, codes, said, strict=True)
    }
