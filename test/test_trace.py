"""The way of one box: through how many files it goes."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_FILES = 25


def test_one_box_passes_few_files():
    command = [sys.executable, "-m", "benchmarks.trace"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    *lines, said = done.stdout.strip().splitlines()
    passed = [line.split()[-1] for line in lines if line.endswith(".py")]
    assert said == f"{len(passed)} files"
    assert {"process.py", "nodegen/pipeline.py", "nodegen/renderer.py"} <= set(passed)
    assert len(passed) <= MOST_FILES
