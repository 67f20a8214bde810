"""The measures of a nodule on its image alone: analytic nodules, invariance, distances, sheets."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.special import erf

from nodegen.cli import main
from nodegen.evaluation.fidelity.comparison import deviation_of, distance, two_sample_auc
from nodegen.evaluation.fidelity.nodule_crop import RADII, crop_around, half_height_of
from nodegen.evaluation.fidelity.nodule_measures import MEASURES, measure_nodule
from nodegen.evaluation.fidelity.reference import parts_of
from nodegen.evaluation.pictures import pairs_of_like_size, view
from nodegen.evaluation.statistics import resampled
from nodegen.io.boxes import Box

SHAPE = (220, 240)
X, Y = 120.0, 110.0
LEVEL, HEIGHT = 1500.0, 300.0


def square(half=30):
    return Box(0, int(X) - half, int(Y) - half, int(X) + half, int(Y) + half, 0)


def away(x=X, y=Y, stretch=1.0):
    rows, columns = np.indices(SHAPE) + 0.5
    return np.hypot((columns - x) / stretch, rows - y)


def disc(radius=24.0, sigma=2.0, height=HEIGHT, **where):
    """A disc whose edge is an error function of ``sigma`` px."""
    return LEVEL + height * (1 - erf((away(**where) - radius) / (np.sqrt(2) * sigma))) / 2


def dome(radius=27.0, power=1.0):
    return LEVEL + HEIGHT * np.clip(1 - (away() / radius) ** 2, 0, None) ** power


def noise(sigma=40.0, seed=0):
    return np.random.default_rng(seed).normal(0, sigma, SHAPE)


def measured_of(image, box):
    return measure_nodule(crop_around(image, box))


@pytest.mark.parametrize("radius", [15.0, 21.0, 24.0, 27.0])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_a_disc_gives_back_what_it_was_made_with(radius, sigma):
    measured = measured_of(disc(radius, sigma), square())
    share = radius / 30
    assert measured["contrast"] == pytest.approx(HEIGHT, rel=0.04)
    assert measured["radius"] == pytest.approx(share, abs=0.015)
    assert measured["half_height"] == pytest.approx(share, abs=0.03)
    assert measured["edge_width"] == pytest.approx(2.5631 * sigma, rel=0.04)
    assert measured["edge_step"] == pytest.approx(HEIGHT, rel=0.03)
    assert measured["sharpness"] == pytest.approx(HEIGHT / (sigma * np.sqrt(2 * np.pi)), rel=0.04)
    assert measured["elongation"] == pytest.approx(1, abs=0.01)
    assert measured["irregularity"] < 0.005
    assert measured["offset"] < 0.005


def test_the_profile_of_a_disc_is_flat_then_nothing():
    profile = crop_around(disc(24, 1), square()).profile
    np.testing.assert_allclose(profile[:6], HEIGHT, atol=1)
    np.testing.assert_allclose(profile[7:], 0, atol=1)


@pytest.mark.parametrize(("power", "half"), [(1.0, 0.64), (0.5, 0.78)])
def test_a_dome_falls_to_half_where_it_should(power, half):
    """Half of the mean over the inner 0.375 is reached at sqrt(1 - h ** (1 / power)) * 0.9."""
    profile = crop_around(dome(power=power), square()).profile
    wanted = 0.9 * np.sqrt(1 - (half_of(profile) / HEIGHT) ** (1 / power))
    assert half_height_of(profile) == pytest.approx(wanted, abs=0.015)
    assert wanted == pytest.approx(half, abs=0.02)


def half_of(profile):
    return profile[:3].mean() / 2


def test_a_dome_has_a_wider_edge_and_a_lower_one_than_a_disc():
    one, other = measured_of(dome(), square()), measured_of(disc(27), square())
    assert one["edge_width"] > 2 * other["edge_width"]
    assert one["sharpness"] < other["sharpness"] / 2
    assert one["half_height"] < other["half_height"] - 0.15


def test_half_height_at_its_ends():
    assert half_height_of(-np.ones(9)) == 0
    assert half_height_of(np.ones(9)) == RADII[-1]
    step = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0.0])
    assert half_height_of(step) == pytest.approx((RADII[3] + RADII[4]) / 2)


@pytest.mark.parametrize("stretch", [1.25, 1.6])
def test_an_ellipse_is_elongated_and_not_irregular(stretch):
    half = round(24 * stretch / 0.8)
    box = Box(0, int(X) - half, int(Y) - 30, int(X) + half, int(Y) + 30, 0)
    measured = measured_of(disc(stretch=stretch), box)
    assert measured["elongation"] == pytest.approx(stretch, rel=0.02)
    assert measured["irregularity"] < 0.01
    assert measured["half_height"] == pytest.approx(0.8, abs=0.02), "rings follow the box"


@pytest.mark.parametrize("stretch", [1.0, 1.5])
def test_lobes_are_measured_by_their_amplitude(stretch):
    """Five lobes of a tenth: the root mean square of a wave is its amplitude over root two."""
    rows, columns = np.indices(SHAPE) + 0.5
    angle = np.arctan2(rows - Y, (columns - X) / stretch)
    radius = 24 * (1 + 0.1 * np.cos(5 * angle))
    image = LEVEL + HEIGHT * (away(stretch=stretch) < radius)
    half = round(30 * stretch)
    box = Box(0, int(X) - half, int(Y) - 30, int(X) + half, int(Y) + 30, 0)
    measured = measured_of(image, box)
    assert measured["lobulation"] == pytest.approx(0.1 / np.sqrt(2), rel=0.15)
    assert measured["irregularity"] == pytest.approx(measured["lobulation"], rel=0.1)


@pytest.mark.parametrize(("dx", "dy"), [(6, 0), (0, -5), (4, 3)])
def test_a_shifted_disc_is_off_by_its_shift(dx, dy):
    measured = measured_of(disc(21, x=X + dx, y=Y + dy), square())
    assert measured["offset"] == pytest.approx(np.hypot(dx, dy) / 60, abs=0.012)


def test_contrast_to_noise_is_contrast_over_the_surrounds_spread():
    measured = measured_of(disc() + noise(40), square())
    assert measured["contrast_to_noise"] == pytest.approx(HEIGHT / 40, rel=0.05)
    half = measured_of(disc(height=150) + noise(40), square())
    assert half["contrast_to_noise"] == pytest.approx(measured["contrast_to_noise"] / 2, rel=0.05)


def test_a_slope_is_no_spread_and_no_contrast():
    slope = np.add.outer(np.arange(SHAPE[0]) * 4.0, np.arange(SHAPE[1]) * -3.0)
    plain, sloped = (measured_of(disc() + noise(40) + more, square()) for more in (0, slope))
    assert sloped["contrast_to_noise"] == pytest.approx(plain["contrast_to_noise"], rel=0.05)
    assert sloped["contrast"] == pytest.approx(plain["contrast"], rel=0.05)


@pytest.mark.parametrize(("factor", "wanted"), [(1.0, 1.0), (0.5, 0.5), (2.0, 2.0)])
def test_texture_inside_is_relative_to_the_surround(factor, wanted):
    grain = noise(40)
    image = disc(24, 3) + np.where(away() < 24, factor, 1) * grain
    measured = measured_of(image, square())
    assert measured["grain_inside"] == pytest.approx(wanted, rel=0.12)
    assert measured["texture_inside"] == pytest.approx(wanted, rel=0.3)


def test_a_sharp_edge_is_no_texture_of_the_rim():
    measured = measured_of(disc(24, 1) + noise(40), square())
    assert measured["grain_rim"] == pytest.approx(1, abs=0.15)


@settings(max_examples=15, deadline=None)
@given(
    gain=st.floats(0.3, 3),
    shift=st.floats(-500, 500),
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
)
def test_gain_shift_turns_and_mirrors_change_nothing_that_they_should_not(
    gain, shift, turns, mirrored
):
    image = (disc(22, 2, x=X + 3, y=Y - 2) + noise(25))[:, 10:230]  # square: 220 x 220
    box = Box(0, 80, 80, 140, 140, 0)
    plain = measured_of(image, box)
    moved = np.rot90(gain * image + shift, turns)
    moved = moved[:, ::-1] if mirrored else moved
    measured = measured_of(moved, box)
    for name in MEASURES:
        scaled = gain if name in ("contrast", "edge_step", "sharpness") else 1
        assert measured[name] == pytest.approx(scaled * plain[name], rel=0.1, abs=0.02), name


@pytest.mark.parametrize("half", [3, 30, 90])
@pytest.mark.parametrize(
    "image", [np.zeros(SHAPE), np.full(SHAPE, 7.0), noise()], ids=["black", "flat", "noise"]
)
def test_whatever_the_image_all_measures_are_finite(image, half):
    for x in (5, int(X), SHAPE[1] - 8):
        box = Box(0, max(x - half, 0), 0, min(x + half, SHAPE[1]), 2 * half, 0)
        assert all(np.isfinite(v) for v in measured_of(image, box).values())


def test_nothing_has_no_contrast_and_no_edge():
    measured = measured_of(np.full(SHAPE, 7.0), square())
    for name in ("contrast", "contrast_to_noise", "half_height", "edge_step", "sharpness"):
        assert measured[name] == 0, name


def test_padding_is_no_surround():
    image = disc() + noise(20)
    padded = image.copy()
    padded[:, 160:] = 0  # from 40 px right of the centre on: a third of the surround
    assert measured_of(padded, square())["contrast"] == pytest.approx(HEIGHT, rel=0.03)
    assert measured_of(padded, square())["contrast_to_noise"] > 10


@pytest.mark.parametrize(
    ("side", "name"), [(5, "small"), (44.9, "small"), (45, "medium"), (65, "large"), (200, "large")]
)
def test_sizes_have_names(side, name):
    (found, _) = parts_of(pd.DataFrame({"size_px": [side], "ground": ["lung"]}))
    assert found == name


# --- distances ------------------------------------------------------------------------------------


def test_the_distance_of_a_shift_is_the_shift_in_standard_deviations():
    values = np.random.default_rng(0).normal(5, 2, 4000)
    deviation = deviation_of(values)
    assert deviation == pytest.approx(2, rel=0.05)
    names = np.arange(4000).astype(str)
    shifted = distance((values, names), (values + 3, names))
    assert shifted.value == pytest.approx(3 / deviation)
    assert distance((values, names), (values, names)).value == 0


def test_the_interval_holds_the_distance_and_tells_chance():
    rng = np.random.default_rng(1)
    names = np.array([f"r{i // 2}" for i in range(60)])
    real = rng.normal(0, 1, 60), names
    far = distance(real, (rng.normal(1.5, 1, 60), names))
    near = distance(real, (rng.normal(0, 1, 60), names))
    assert far.low < far.value < far.high
    assert far.value == pytest.approx(1.5, abs=0.4)
    assert far.low > 2 * far.alike
    assert near.value < 2 * near.alike


def test_nodules_of_one_radiograph_are_drawn_together():
    values = np.array([1.0, 2, 3, 10, 20]), np.array(["a", "a", "a", "b", "b"])
    drawn = resampled(*values, np.random.default_rng(0))
    counts = {v: int(np.sum(drawn == v)) for v in (1, 2, 3, 10, 20)}
    assert counts[1] == counts[2] == counts[3]
    assert counts[10] == counts[20]
    assert counts[1] + counts[10] == 2


def test_the_classifier_tells_what_differs_and_nothing_else():
    rng = np.random.default_rng(0)
    names = [f"r{i // 2}" for i in range(80)]
    others = [f"s{i // 2}" for i in range(80)]
    one, other = rng.normal(size=(2, 80, 4))
    alike = two_sample_auc((one, names), (other, others))
    assert alike.low < 0.5 < alike.high
    other[:, 2] += 3
    apart_ = two_sample_auc((one, names), (other, others))
    assert apart_.value > 0.95
    assert apart_.low > 0.9
    wider = two_sample_auc((one, names), (3 * rng.normal(size=(80, 4)), others))
    assert wider.value > 0.75, "a spread that is too wide tells, too"


def test_a_radiograph_is_never_in_training_and_in_test():
    """What marks a radiograph, and not the nodules, must not help."""
    rng = np.random.default_rng(0)
    names = [f"r{i // 4}" for i in range(80)]
    mark = rng.normal(size=20).repeat(4)[:, None]  # each radiograph has one of its own
    both = two_sample_auc((mark[:40], names[:40]), (mark[40:], names[40:]))
    assert both.value < 0.8


def test_too_few_radiographs_give_no_figure():
    told = two_sample_auc(*((np.ones((8, 1)), list(names)) for names in ("aabbccdd", "efghijkl")))
    assert all(np.isnan(value) for value in dataclasses.astuple(told))


# --- the sheet ------------------------------------------------------------------------------------


def test_pairs_are_of_like_size():
    image = disc()
    real = [view(image, square(half)) for half in (10, 20, 30)]
    synthetic = [view(image, square(half)) for half in (31, 11, 50, 21)]
    pairs = pairs_of_like_size(real, synthetic, 48)
    assert sorted((a[0], b[0]) for a, b in pairs) == [(20, 22), (40, 42), (60, 62)]
    assert len(pairs_of_like_size(real, synthetic, 2)) == 2


def test_the_command_writes_a_sheet(tmp_path, make_input):
    folder = make_input(shape=(1, 300, 320))
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("stem,x,y,width,height\n77,60,60,40,50\n")
    path = tmp_path / "sheet.png"
    stack = ["--synthetic", str(folder)]
    given = ["--real", str(folder), "--boxes", str(boxes), *stack, "--output", str(path)]
    assert main(["sheet", *given]) == 0
    with Image.open(path) as sheet:
        assert sheet.mode == "L"
        assert len(np.unique(np.asarray(sheet))) > 50


def test_a_sheet_without_a_pair_is_told(tmp_path, make_input, capfd):
    folder = make_input(boxes=(), shape=(1, 300, 320))
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("stem,x,y,width,height\n77,60,60,40,50\n")
    stack = ["--synthetic", str(folder)]
    given = ["--real", str(folder), "--boxes", str(boxes), *stack]
    assert main(["sheet", *given, "--output", str(tmp_path / "sheet.png")]) == 2
    assert "1 real and 0 synthetic" in capfd.readouterr().err
