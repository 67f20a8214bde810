"""How many files one box passes on its way from ``nodules.json`` to its pixels.

``python -m benchmarks.trace`` runs ``process.py`` on a stack of one slice with one box, and lists
the project's files in which a function was called. What runs while a module is imported does not
count.
"""

import inspect
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "test" / "sample" / "input"


def files_of_one_box(root: Path = ROOT) -> Counter[str]:
    """Run ``process.py`` on one slice with one box; count the calls in each file.

    Parameters
    ----------
    root : pathlib.Path
        The clone whose ``process.py`` and ``nodegen`` are run.

    Returns
    -------
    Counter of str
        Calls by file, relative to ``root``.
    """
    sys.path.insert(0, str(root))
    import torch  # noqa: F401

    import process
    from benchmarks.stacks import write_tiled
    from nodegen.io.boxes import BOXES, read_boxes
    from nodegen.io.stack import read_stack

    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_flags & inspect.CO_OPTIMIZED:  # a module or a class
            return
        if code.co_filename.startswith((f"{root}/nodegen/", f"{root}/process.py")):
            above: FrameType | None = frame
            while above and above.f_code.co_name != "<module>":
                above = above.f_back
            if above is None or above.f_globals["__name__"] in ("__main__", "_pytest"):
                calls[str(Path(code.co_filename).relative_to(root))] += 1

    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "input"), Path(folder, "output")
        output.mkdir()
        stack = read_stack(SAMPLE / "phantom.mha")
        write_tiled(source, stack, read_boxes(SAMPLE / BOXES, stack.pixels.shape)[:1], 1)
        threading.setprofile(count)
        sys.setprofile(count)
        try:
            process.main(["--input", str(source), "--output", str(output)])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return calls


if __name__ == "__main__":
    found = files_of_one_box(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT)
    print("\n".join(f"{calls:6d} {file}" for file, calls in sorted(found.items())))
    print(f"{len(found)} files")
