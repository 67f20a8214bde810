"""What the server costs: the first case, the next ones, and its memory after many.

``python -m benchmarks.invoke [--cases 200] [--input DIR]``, in a clone; it starts ``serve.py``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from nodegen.phantom import write_phantom

SERVER = Path(__file__).resolve().parents[2] / "serve.py"


def main(argv: list[str] | None = None) -> int:
    """Start the server, ask it for one case again and again, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200, metavar="N", help="(default: 200)")
    parser.add_argument(
        "--input", type=Path, metavar="DIR", help="the case (default: a phantom of one slice)"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        source, output = args.input or Path(name) / "input", Path(name) / "output"
        output.mkdir()
        if args.input is None:
            write_phantom(source, 1, seed=0)
        started = time.perf_counter()
        folders = "--input", str(source), "--output", str(output)
        command = [sys.executable, str(SERVER), *folders, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                ready = next(line for line in server.stdout if line.startswith("ready on port"))
                print(f"ready after {time.perf_counter() - started:.1f} s", flush=True)
                _ask_for(args.cases, int(ready.rpartition(" ")[2]), server)
            finally:
                server.terminate()
    return 0


def _ask_for(cases: int, port: int, server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invoke", method="POST")
    times, at = [], {1, 2, *np.linspace(0, cases, 9, dtype=int)[1:].tolist()}
    for number in range(1, cases + 1):
        started = time.perf_counter()
        urllib.request.urlopen(request).close()
        times.append(time.perf_counter() - started)
        server.stdout.readline()  # its progress
        if number in at:
            mib = _resident_mib(server.pid)
            print(f"case {number}: {times[-1]:.2f} s, {mib:.0f} MiB resident", flush=True)
    print(f"median {np.median(times):.2f} s a case")


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+)", status)
    return int(found[1]) / 1024 if found else float("nan")


if __name__ == "__main__":
    sys.exit(main())
