"""What a nodule did to its radiograph: grain, far change, detectability; verdict and table."""

import json
import weakref

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from nodegen.cli import main
from nodegen.evaluation.fidelity.before_after import (
    detectability,
    far_change,
    features_of,
    grain_of,
)
from nodegen.evaluation.fidelity.comparison import Comparison
from nodegen.evaluation.fidelity.grey_levels import full_range
from nodegen.evaluation.fidelity.judge import (
    StackPair,
    Verdict,
    judge,
    measure,
    read_pair,
    verdict_on,
)
from nodegen.evaluation.fidelity.nodule_crop import crop_around
from nodegen.evaluation.fidelity.nodule_measures import JUDGED, MEASURES
from nodegen.evaluation.fidelity.verdict_table import (
    comma_separated,
    markdown,
    verdict_sentence,
)
from nodegen.evaluation.statistics import FEWEST, Estimate, auc_error
from nodegen.io.boxes import Box, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.stack import find_image, read_stack, stack_writer
from nodegen.io.tables import json_text

BOX = Box(0, 100, 90, 160, 150, 0)  # side 60 px, centre (130, 120)
HEIGHT = 300.0


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("nodegen.evaluation.fidelity.before_after.TREES", 50)
    monkeypatch.setattr("nodegen.evaluation.fidelity.comparison.RESAMPLES", 20)


def ground(noise=40.0, seed=0, shape=(260, 280)):
    return 1500 + np.random.default_rng(seed).normal(0, noise, shape)


def distance_to(x, y, shape=(260, 280)):
    rows, columns = np.indices(shape) + 0.5
    return np.hypot(rows - y, columns - x)


def dome(x=130.0, y=120.0, radius=30.0):
    """An ideal dome: a paraboloid that fills the box."""
    return HEIGHT * np.clip(1 - (distance_to(x, y) / radius) ** 2, 0, None)


def disc(x=130.0, y=120.0, radius=30.0):
    return HEIGHT * (distance_to(x, y) < radius)


def grain(change, before=None):
    before = ground() if before is None else before
    return grain_of(before, before + change)


def test_an_image_against_itself_has_its_grain():
    assert grain(np.zeros((260, 280))) == 1
    assert grain(dome()) == pytest.approx(1, abs=0.01)
    assert grain(-dome()) == 1, "where nothing grew brighter"


def test_a_smoothed_patch_has_lost_its_grain():
    before = ground()
    inside = distance_to(130, 120) < 30
    smoothed = np.where(inside, gaussian_filter(before, 2) - before, 0)
    assert grain(dome() + smoothed, before) < 0.4
    noisier = inside * np.random.default_rng(1).normal(0, 40, before.shape)
    assert grain(dome() + noisier, before) == pytest.approx(np.sqrt(2), rel=0.1)


def test_far_is_beyond_128_px_and_a_side():
    before = np.zeros((400, 400))
    box = Box(0, 90, 90, 110, 110, 0)  # side 20 px, centre (100, 100): far from 148 px on
    for column, wanted in ((247, 0.0), (250, 7.0)):
        after = before.copy()
        after[100, column] = 7
        assert far_change(before, after, [box]) == wanted
    assert far_change(before, after, [box, Box(0, 240, 90, 260, 110, 1)]) == 0


def boxes_everywhere(side=40):
    return [
        Box(s, x, y, x + side, y + side, i)
        for i, (s, x, y) in enumerate(
            (s, x, y) for s in range(2) for x in range(50, 400, 90) for y in range(50, 400, 90)
        )
    ]


def treated(how):
    """Two slices of noise of some texture, before and after ``how`` was done to each box."""
    rng = np.random.default_rng(3)
    before = 1500 + 60 * rng.normal(size=(2, 480, 480)) + 200 * gaussian_filter(
        rng.normal(size=(2, 480, 480)), (0, 6, 6)
    )  # fmt: skip
    after = before.copy()
    boxes = boxes_everywhere()
    for box in boxes:
        window = box.slice, slice(box.top, box.bottom), slice(box.left, box.right)
        after[window] = how(before[window])
    return before, after, boxes


def auc_of(before, after, boxes):
    crops = [crop_around(after[box.slice], box) for box in boxes]
    features = [
        [features_of(image[box.slice][crop.window], crop) for image in (before, after)]
        for box, crop in zip(boxes, crops, strict=True)
    ]
    return detectability(np.array(features), [("", box.slice, *box.edges) for box in boxes])


@pytest.mark.parametrize(
    ("how", "low", "high"),
    [
        (lambda patch: patch.copy(), 0.4, 0.6),
        (lambda patch: gaussian_filter(patch, 1.0), 0.95, 1),
        (lambda patch: 0.5 * (patch + gaussian_filter(patch, 1.0)), 0.9, 1),
    ],
    ids=["untouched", "smoothed", "mixed with smooth"],
)
def test_detectability_knows_grain_and_nothing_else(how, low, high):
    before, after, boxes = treated(how)
    assert low <= auc_of(before, after, boxes) <= high


def test_brightness_and_contrast_alone_are_not_detected():
    before, _, boxes = treated(np.copy)
    assert 0.4 <= auc_of(before, 1.2 * before + 250, boxes) <= 0.6


@pytest.mark.parametrize(("boxes", "error"), [(5, 0.19), (37, 0.07), (185, 0.03)])
def test_its_error_is_that_of_random_scores(boxes, error):
    rng = np.random.default_rng(0)
    aucs = [roc_auc_score(np.repeat([0, 1], boxes), rng.random(2 * boxes)) for _ in range(100)]
    assert auc_error(boxes, boxes) == pytest.approx(np.std(aucs), rel=0.15)
    assert round(auc_error(boxes, boxes), 2) == error


def test_that_of_too_few_places_is_not_a_number():
    before, after, boxes = treated(np.copy)
    assert np.isnan(auc_of(before, after, boxes[: FEWEST - 1]))


def test_real_radiographs_give_the_null_values(shared):
    folder = shared / "cxr" / "stacks" / "b"
    image = find_image(folder)
    pair = read_pair(image, image, folder / "nodules.json")
    verdict = judge([pair])
    assert verdict.measures["grain"] == {"p5": 1, "p50": 1, "p95": 1}
    assert verdict.far == 0
    assert 0.3 < verdict.detectability < 0.7


@pytest.mark.parametrize(
    ("dtype", "values", "wanted"),
    [
        ("uint8", (0, 200), (0, 255)),
        ("uint16", (5, 4000), (0, 4095)),
        ("uint16", (5, 65000), (5, 65000)),
        ("int16", (-1000, 1000), (-1000, 1000)),
        ("float32", (0.1, 0.9), (0, 1)),
        ("float32", (0.1, 3000), (0, 4095)),
        ("float64", (-1, 1), (-1, 1)),
    ],
)
def test_other_ranges_are_mapped(dtype, values, wanted):
    assert full_range(np.array(values, dtype)) == wanted


def write(path, pixels):
    with stack_writer(path, Geometry.plain(3), pixels.shape, pixels.dtype) as write:
        for slice_ in pixels:
            write(slice_)


def test_the_challenges_output_is_held_against_each_slices_own_range(tmp_path):
    before = np.stack([ground() * 0.5, ground()]).astype(np.uint16)
    low, high = (f(before, axis=(1, 2), keepdims=True).astype(float) for f in (np.min, np.max))
    after = np.rint((before - low) * (255 / (high - low))).astype(np.uint8)
    write(tmp_path / "before.mha", before)
    write(tmp_path / "after.mha", after)
    write_boxes(tmp_path / "nodules.json", [BOX])
    pair = read_pair(tmp_path / "before.mha", tmp_path / "after.mha", tmp_path / "nodules.json")
    assert np.abs(pair.after - pair.before).max() == 0
    assert np.abs(pair.before - 4095 * (before - low) / (high - low)).max() <= 0.51 * 4095 / 255


@pytest.mark.parametrize(("x", "right"), [(1.0, "left"), (-1.0, "right")])
def test_the_patients_right_is_where_the_file_says(tmp_path, x, right):
    image = sitk.GetImageFromArray(ground()[None].astype(np.uint16))
    image.SetDirection((x, 0, 0, 0, 1, 0, 0, 0, x))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    write_boxes(tmp_path / "nodules.json", [BOX])
    pair = read_pair(tmp_path / "a.mha", tmp_path / "a.mha", tmp_path / "nodules.json")
    assert pair.right == right


@pytest.mark.parametrize("intensity", ["input", "challenge"])
def test_of_an_8_bit_stack_nothing_changed_far_away(tmp_path, intensity, make_input):
    folder = make_input(dtype=np.uint8, shape=(2, 400, 420))
    before = read_stack(folder / "77.mha").pixels // 2 + 20  # neither 0 nor 255
    write(folder / "77.mha", before)
    options = ["--method", "paste", "--no-noise-and-blur", "--intensity", intensity]
    given = ["--input", str(folder), "--output", str(tmp_path / "out"), *options]
    assert main(["generate", *given]) == 0
    pair = read_pair(folder / "77.mha", tmp_path / "out" / "77.mha", folder / "nodules.json")
    verdict = judge([pair])
    assert verdict.far == 0
    assert verdict.rows[0]["contrast"] > 20, "and a nodule stands in the box"


def test_several_pairs_are_judged_together_and_tables_say_so(tmp_path, capfd):
    before = np.stack([ground(), ground(seed=1)]).astype(np.uint16)
    after = before.copy()
    after[0] += np.rint(dome()).astype(np.uint16)
    for name, pixels in (("before", before), ("after", after)):
        write(tmp_path / f"{name}.mha", pixels)
    write_boxes(tmp_path / "nodules.json", [BOX, Box(1, 20, 20, 60, 60, 1)])
    arguments = []
    for _ in range(2):
        arguments += ["--radiographs", str(tmp_path / "before.mha")]
        arguments += ["--synthetic", str(tmp_path / "after.mha")]
        arguments += ["--boxes", str(tmp_path / "nodules.json")]
    assert main(["judge", *arguments, "--json", str(tmp_path / "out.json")]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert "| boxes | 103 | 4 |" in said.out
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["boxes"] == len(content["rows"]) == 4
    assert content["detectability"] is None, "two places are too few"
    first, second = content["rows"][:2]
    assert first["contrast"] == pytest.approx(HEIGHT * 0.94, rel=0.05)
    assert abs(second["contrast"]) < 40
    assert len({row["radiograph"] for row in content["rows"]}) == 2, "known by their pixels"
    assert [row["pair"] for row in content["rows"]] == [0, 0, 1, 1]
    assert set(content["comparison"]["distances"]) == set(MEASURES)
    assert content["comparison"]["classifier_auc"]["value"] is None, "two radiographs are too few"


def test_tables_of_two_methods():
    before = np.stack([ground()])
    one, other = (judge([StackPair(before, before + change, [BOX])]) for change in (dome(), disc()))
    few = "No verdict: 1 box is too few; 10 or more are needed."
    said = markdown({"soft": one, "hard": other})
    assert said.startswith(f"soft: {few}\n\nhard: {few}\n\n")
    lines = said.splitlines()[4:]
    assert lines[0] == "| measure, p5 / p50 / p95 | real | soft | hard |"
    contrast = f"{other.rows[0]['contrast']:.0f}"
    assert 280 < float(contrast) < 320
    assert lines.count("") == 4, "measures, distances, sizes, grounds, reference"
    assert f"| {contrast} / {contrast} / {contrast} |" in next(
        line for line in lines if line.startswith("| contrast")
    )
    widths = {line.count("|") for line in lines[: lines.index("")]}
    assert widths == {5}
    assert "| detectability by grain, AUC |  | – | – |" in lines, "one box is too few"
    rows = comma_separated({"soft": one, "hard": other}).splitlines()
    assert rows[0].startswith("method,measure,p5,p50,p95,real_p5,")
    assert len(rows) == 1 + 2 * (len(JUDGED) + 4)
    assert {row.count(",") for row in rows} == {11}


def test_no_boxes_are_judged_without_a_fault():
    before = np.stack([ground()])
    verdict = judge([StackPair(before, before, [])])
    assert verdict.boxes == 0
    assert np.isnan(verdict.detectability)
    assert np.isnan(verdict.comparison.mean_distance)
    assert np.isnan(verdict.measures["contrast"]["p50"])
    assert "| contrast, grey levels | 118 / 509 / 1029 | – |" in markdown({"none": verdict})
    assert "NaN" not in json_text(verdict)


def test_a_pair_is_let_go_once_it_is_measured():
    """Only figures are kept, however many pairs there are."""
    before = np.stack([ground()])
    kept, measured = [], []
    for change in (dome(), disc()):
        pair = StackPair(before.copy(), before + change, [BOX])
        kept.append(weakref.ref(pair.after))
        measured.append(measure(pair))
        del pair
    assert [gone() for gone in kept] == [None, None]
    assert verdict_on(measured).boxes == 2


def test_the_same_place_under_two_names_stays_in_one_fold():
    """Copies of a radiograph are one: their places are told by pixels, not by file."""
    before, after, boxes = treated(lambda patch: gaussian_filter(patch, 1.0))
    copies = [StackPair(before.copy(), after.copy(), boxes[-3:]) for _ in range(2)]
    rows = [row for copy in copies for row in measure(copy).rows]
    assert len({(row["radiograph"], *row["box"]) for row in rows}) == 3


@pytest.mark.parametrize(
    ("boxes", "auc", "says"),
    [
        (9, (0.5, 0.4, 0.6), "No verdict: 9 boxes are too few; 10 or more are needed."),
        (12, (np.nan,) * 3, "The 12 boxes lie in too few radiographs for a classifier"),
        (12, (0.55, 0.45, 0.65), "does not distinguish these nodules from real ones: AUC 0.55 "
         "(0.45 to 0.65), where 0.5 is chance, by 12 boxes and 103 real nodules; medians are "
         "within the real range in 16 of 17 measures, outside in offset."),
        (12, (0.7, 0.6, 0.8), "A classifier distinguishes these nodules"),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(boxes, auc, says):
    real = {name: {"p5": 1.0, "p50": 2.0, "p95": 3.0} for name in MEASURES}
    mine = {**real, "offset": {"p5": 1.0, "p50": 4.0, "p95": 5.0}}
    found = Comparison("", (), 103, 9, real, {}, {}, 0.0, {}, {}, Estimate(*auc), Estimate(*auc))
    said = verdict_sentence(Verdict(boxes, mine, 0.5, 0.1, 0.0, found, []))
    assert says in said
    assert said.count(".") - said.count("0.") == 1
    assert said.endswith(".")
