"""The container's entry keeps the platform's contract."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evalutils import SegmentationAlgorithm

from grand_challenge import settings_of
from nodegen.io.image import Geometry
from nodegen.io.stack import read_stack
from process import NoduleGeneration, main

ROOT = Path(__file__).parents[1]
TILTED = Geometry((0.1, 0.2, 3.0), (1.0, 2.0, 3.0), (0, 1, 0, -1, 0, 0, 0, 0, 1), 3)


def test_it_is_the_platforms_class():
    assert issubclass(NoduleGeneration, SegmentationAlgorithm)


def keeps_the_contract(source, output, code, out, err):
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


def test_contract_on_a_small_stack(make_input, tmp_path):
    source = make_input(((1, 60, 60, 100, 110),), geometry=TILTED)
    command = [sys.executable, ROOT / "process.py", "--input", source, "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    keeps_the_contract(source, tmp_path / "out", done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["a", "b"])
def test_contract_on_real_radiographs(shared, tmp_path, capfd, name):
    source = shared / "cxr" / "stacks" / name
    code = main(["--input", str(source), "--output", str(tmp_path / "out")])
    keeps_the_contract(source, tmp_path / "out", code, *capfd.readouterr())


@pytest.mark.parametrize("holds", [(), ("hyposignal",), ("nodules",), ("hypersignal", "nodules")])
def test_an_unpacked_model_wins(tmp_path, holds):
    for name in holds:
        (tmp_path / name).mkdir()
    settings = settings_of(2, tmp_path)
    assert settings.workers == 2
    assert settings.model == (tmp_path if {*holds} - {"nodules"} else None)
    assert settings.library == (tmp_path / "nodules" if "nodules" in holds else None)
