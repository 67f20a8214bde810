"""The platform's contract with the container: what it finds, prints and leaves."""

import json
import re
from pathlib import Path

import numpy as np

from nodegen.io.stack import read_stack


def keeps_the_contract(source: Path, output: Path, code: int, out: str, err: str) -> None:
    """Assert that a run of ``process.py`` did, by its exit code, its streams and its files."""
    assert (code, err) == (0, "")
    first, *_, last = out.splitlines()
    assert all(word in first for word in ("cpu", "torch", "CUDA")) or "cuda" in first
    assert re.search(r"nodules? in \d+ slices?, seed \d+, [\d.]+ s: ", last)
    (image,) = source.glob("*.mha")
    assert {path.name for path in output.iterdir()} == {image.name, "results.json", "recipes.json"}
    before, after = read_stack(image), read_stack(output / image.name)
    assert after.pixels.dtype == np.uint8
    assert after.pixels.shape == before.pixels.shape
    assert after.geometry == before.geometry
    results = json.loads((output / "results.json").read_text())
    name = {"type": "metaio_image", "filename": image.name}
    assert results == [{"outputs": [name], "inputs": [name], "error_messages": []}]
