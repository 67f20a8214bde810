"""The benchmark's parts: that they measure what they say, not how fast it is."""

import json
import tempfile
import time
from functools import partial

import numpy as np
import pytest
import torch

from benchmarks import generators, stacks
from benchmarks.__main__ import main
from benchmarks.generators import SIDES_PX, measure_windows, peak_fraction, slope
from benchmarks.machine import expected_s
from benchmarks.stacks import write_tiled
from benchmarks.unfolded import Unfolded
from nodegen.cascade.cascade import Cascade
from nodegen.io.boxes import Box
from nodegen.io.stack import Stack, read_stack
from nodegen.pipeline import generate
from nodegen.settings import MODEL, Settings


def test_the_unfolded_cascade_makes_what_the_folded_one_makes():
    folder = MODEL / "hyposignal"
    folded, unfolded = Cascade.open(folder), Unfolded.open(folder)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.uniform(-1, 1, (1, 1, 64, 64)).astype(np.float32))
    plan = folded.plan((64, 64), 7, ((0, 64), (0, 64)), "full")
    noise = folded.draw_noise(rng, plan)
    made = [c.harmonise(images, 7, noise, plan) for c in (folded, unfolded)]
    torch.testing.assert_close(made[0], made[1], atol=1e-4, rtol=0)


def test_generators_figures_hang_together(tiny_model):
    cascade = Cascade.open(tiny_model / "hyposignal")
    windows = measure_windows(cascade, 14, 1)
    assert set(windows) == {str(side) for side in SIDES_PX}
    for figures in windows.values():
        assert figures["default_gflop"] <= figures["exact_gflop"] <= figures["full_gflop"]
        assert figures["speedup_exact"] == figures["full_ms"] / figures["exact_ms"]
    peak = peak_fraction(cascade, 14, 54, 1)
    assert peak["peak_fraction"] == pytest.approx(peak["reached_gflops"] / peak["peak_gflops"])


FIGURES = {
    "convolution_gflops": 100.0,
    "workers": {"1": {"efficiency": 1.0}, "2": {"efficiency": 0.9}},
    "fixed_ms_per_slice": 50.0,
    "steps_ms": {"generators": 200.0},
    "startup_s": 2.5,
    "slice_s": 0.5,
}


@pytest.mark.parametrize(
    ("slices", "boxes", "speed", "cpus", "seconds"),
    [
        (1, 1, 100, 1, 2 + 0.25),
        (1, 1, 100, 2, 2 + 0.25),  # a slice is one worker's
        (1, 1, 200, 1, (2 + 0.25) / 2),
        (20, 40, 100, 1, 2 + 9),
        (20, 40, 100, 2, 2 + 9 / 1.8),
        (20, 40, 50, 4, 2 * (2 + 9 / 3.6)),  # as efficient as the most that were measured
    ],
)
def test_what_to_expect(slices, boxes, speed, cpus, seconds):
    assert expected_s(FIGURES, slices, boxes, speed, cpus) == pytest.approx(seconds)


def test_slope_of_a_line():
    assert slope({"1": 2.0, "5": 10.0, "20": 40.0}) == pytest.approx(2)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_tiled_stacks_hold_the_boxes_of_every_slice(tmp_path, dtype):
    pixels = np.arange(2 * 30 * 40).reshape(2, 30, 40).astype(dtype)
    stack = Stack(tmp_path / "a.mha", pixels, None)
    write_tiled(tmp_path, stack, [Box(1, 5, 5, 15, 15, 0)], 5)
    tiled = read_stack(tmp_path / "bench.mha").pixels
    assert tiled.shape == (5, 30, 40)
    np.testing.assert_array_equal(tiled[3], np.roll(pixels[1], 1, axis=1))
    boxes = json.loads((tmp_path / "nodules.json").read_text())["boxes"]
    assert [box["corners"][0][2] for box in boxes] == [1, 3]


def test_a_stack_is_generated_in_a_process_of_its_own(make_input, tiny_model):
    settings = {"model": str(tiny_model), "windows": "full"}
    alone = stacks.run_alone(make_input(), settings, "unfolded")
    assert alone["seconds"] > 0
    assert alone["peak_mib"] > 100  # torch alone takes that


def generate_here(folder, settings, *_):
    """What ``run_alone`` does, without starting a process."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as output:
        generate(folder, output, Settings(**settings), progress=False)
    return {"seconds": time.perf_counter() - started, "peak_mib": 1.0}


def test_a_whole_run_prints_a_table_and_writes_json_and_plot(
    make_input, tiny_model, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr(stacks, "run_alone", generate_here)
    monkeypatch.setattr("benchmarks.baseline.QUANTILES", (0.5,))
    monkeypatch.setattr("benchmarks.baseline.PATCH_MM", 24)
    for module in ("machine", "run", "steps"):
        monkeypatch.setattr(f"benchmarks.{module}.Settings", partial(Settings, model=tiny_model))
    timed = generators.interleaved_ms
    monkeypatch.setattr(generators, "interleaved_ms", lambda works, repeats: timed(works, 1))
    report, picture, case = tmp_path / "bench.json", tmp_path / "bench.png", make_input()
    arguments = ["--stack", str(case / "77.mha"), "--boxes", str(case / "nodules.json")]
    arguments += ["--repeats", "1", "--slices", "1,2", "--saving-slices", "1", "--workers", "1"]
    assert main([*arguments, "--json", str(report), "--plot", str(picture)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert "| speed-up, default |" in said.out
    assert "| what to expect, s |" in said.out
    figures = json.loads(report.read_text())
    for key in ("speedup_exact", "speedup_windowed"):
        assert set(figures[key]) == {"32", "54", "109"}
    for key in ("stack_s", "peak_mib"):
        assert set(figures[key]) == {"1", "2"}
    assert figures["workers"]["1"]["efficiency"] == 1
    for key in (
        "convolution_gflops",
        "peak_fraction",
        "fixed_ms_per_slice",
        "startup_s",
        "speedup_stack",
    ):
        assert figures[key] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
