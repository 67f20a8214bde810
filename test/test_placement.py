"""Lungs and places: against the phantom's exact lungs, outlines by eye, and NODE21's boxes."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from radiographs import write_radiographs
from scipy import stats

from nodegen.cli import main
from nodegen.errors import ModelError, SettingError, StackError, TrainingError
from nodegen.io.boxes import read_boxes
from nodegen.io.radiograph import read_radiograph
from nodegen.io.stack import read_stack
from nodegen.lungs.fields import Lungs, find_lungs
from nodegen.lungs.frame import Edges, Frame, mapped, mm_per_px
from nodegen.lungs.network import load_weights
from nodegen.lungs.prior import CELL_PX, GAP_PX, Prior
from nodegen.lungs.region import find_region, implausible
from research.lungs.__main__ import main as train_lungs_main
from research.lungs.places import (
    fit_hidden,
    fit_places,
    mean_frame,
    read_places,
    write_places,
)
from research.lungs.train import LungTraining

SAMPLE = Path(__file__).parent / "sample" / "input" / "phantom.mha"
OUTLINES = json.loads((Path(__file__).parent / "data" / "lung_outlines.json").read_text())


@pytest.fixture(scope="module")
def lungs(chest) -> Lungs:
    return find_lungs(chest[0])


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


# --- lungs ---------------------------------------------------------------------------------------


def test_lungs_of_a_phantom(chest, lungs):
    for lung in (1, 2):
        assert dice(lungs.labels == lung, chest[1] == lung) > 0.95


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: 4095 - pixels,
        lambda pixels: (pixels / 16).astype(np.uint8),
        lambda pixels: np.sqrt(pixels.astype(np.float32)),
        lambda pixels: np.pad(pixels, ((0, 300), (0, 0))),
        lambda pixels: pixels[::2, ::2],
    ],
    ids=["inverted", "8 bit", "gamma", "padded", "small"],
)
def test_lungs_hold_in_other_films(chest, change):
    pixels = change(chest[0])
    found = find_lungs(pixels).labels > 0
    truth = chest[1] > 0
    if pixels.shape == (1324, 1024):
        truth = np.pad(truth, ((0, 300), (0, 0)))
    elif pixels.shape == (512, 512):
        truth = truth[::2, ::2]
    assert dice(found, truth) > 0.9


def test_a_mirrored_chest_has_its_lungs_on_their_sides(chest, lungs):
    mirrored = find_lungs(np.ascontiguousarray(chest[0][:, ::-1])).labels
    assert dice(mirrored[:, ::-1] == 1, lungs.labels == 2) > 0.95


@pytest.mark.parametrize("pixels", [np.zeros((64, 64)), np.ones((3, 64, 64))])
def test_what_holds_no_lungs_is_refused(pixels):
    with pytest.raises(StackError):
        find_lungs(pixels)


@pytest.mark.parametrize(
    ("left", "sure", "lungs", "words"),
    [
        ((180, 120, 32, 80), 0.96, -0.5, None),
        ((180, 120, 32, 80), 0.96, 0.9, None),  # of an inverted radiograph
        (None, 0.96, -0.5, "no two lungs"),
        ((180, 120, 10, 30), 0.96, -0.5, "0.014 of the image"),
        ((180, 120, 13, 54), 0.96, -0.5, "0.19 of the other's size"),
        ((180, 120, 32, 80), 0.80, -0.5, "uncertain"),
        ((180, 220, 32, 80), 0.96, -0.5, "of their height"),
        ((100, 120, 32, 80), 0.96, -0.5, "the gap"),
        ((238, 120, 16, 80), 0.96, -0.5, "the gap"),
        ((180, 120, 32, 80), 0.96, 0.45, "no mediastinum"),
    ],
)
def test_only_a_plausible_pair_counts(left, sure, lungs, words):
    """A drawn pair: an ellipse at (40, 120) of 36 by 100 px, and the left lung as it is given."""
    y, x = np.mgrid[:256, :256]
    labels = np.zeros((256, 256), np.uint8)
    for lung, ellipse in ((1, (40, 120, 36, 100)), (2, left)):
        if ellipse:
            column, row, wide, high = ellipse
            labels[np.hypot((x - column) / wide, (y - row) / high) < 1] = lung
    # Between them it gets brighter downwards, of an inverted radiograph darker.
    between = 0.5 + np.sign(0.5 - lungs) * (y / 255 - 0.5) * 0.6
    grid = np.where(labels > 0, lungs, between).astype(np.float32)
    chances = np.full((3, 256, 256), 0.02, np.float32)
    chances[2] = np.where(labels == 2, sure, 0.96)
    why = implausible(grid, chances, labels, 256.0 * 256)
    assert why is None if words is None else words in why


def test_air_beside_an_arm_is_no_lung(shared):
    """A supine bedside radiograph: the network takes the air under the left arm for a lung."""
    pixels = read_radiograph(shared / "cxr" / "originals" / "00001595_002.png").pixels
    with pytest.raises(StackError, match=r"No plausible pair of lungs.*: one lung fills 0\.015"):
        find_lungs(pixels)
    assert find_region(pixels) is None


def test_lungs_of_real_radiographs_are_plausible(shared):
    """Every eighth of 132; looked at one by one, all 132 are pairs of lungs."""
    folders = ("real/nih_official", "real/nih", "real/node21", "real/negative", "cxr/healthy")
    paths = [p for folder in folders for p in sorted((shared / folder).glob("*.[mp][hn][ag]"))]
    assert len(paths) > 100
    for path in paths[::8]:
        find_lungs(read_radiograph(path).pixels)


def test_weights_that_are_altered_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"There is no lungs\.json"):
        find_lungs(np.zeros((64, 64)), tmp_path)


def test_lungs_of_real_radiographs_outlined_by_eye(shared):
    found = []
    for stem, outline in OUTLINES.items():
        path = next(iter(sorted(shared.rglob(f"{stem}.mha"))), None)
        if path is None:
            continue
        labels = find_lungs(read_radiograph(path).pixels).labels > 0
        drawn = Image.new("L", (1024, 1024))
        for lung in outline.values():
            ImageDraw.Draw(drawn).polygon([tuple(point) for point in lung], fill=1)
        found.append(dice(labels, np.asarray(drawn) > 0))
    assert len(found) >= 15
    assert np.mean(found) > 0.92
    assert min(found) > 0.85


# --- coordinates ---------------------------------------------------------------------------------


edges = st.builds(
    lambda x, y, width, height: Edges(x, y, x + width, y + height),
    st.floats(0, 100), st.floats(0, 200), st.floats(50, 400), st.floats(100, 800),
)  # fmt: skip


@settings(max_examples=50)
@given(edges, edges, st.floats(-100, 1500), st.floats(-100, 1500))
def test_points_come_back_from_the_mean_chest(right, left, x, y):
    shift = right.right + 40 - left.left
    frame = Frame(right, Edges(left.left + shift, left.top, left.right + shift, left.bottom))
    target = Prior.load().mean_chest
    u, v, area = mapped(np.array([x]), np.array([y]), frame, target)
    back = mapped(u, v, target, frame)
    assert back[0][0] == pytest.approx(x, abs=1e-6)
    assert back[1][0] == pytest.approx(y, abs=1e-6)
    assert area[0] * back[2][0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("spacing", "expected"), [((0.35, 0.35), 0.35), ((1.0, 1.0), 0.36), (None, 0.36)]
)
def test_a_pixel_size_that_fits_no_chest_is_not_believed(spacing, expected):
    frame = Frame(Edges(100, 100, 450, 800), Edges(550, 100, 900, 800))
    assert mm_per_px(frame, spacing) == pytest.approx(expected)


# --- places --------------------------------------------------------------------------------------


def test_boxes_keep_apart_and_lie_on_the_body(chest, lungs):
    places = Prior.load().places(lungs, chest[0])
    for seed in range(30):
        boxes = places.draw(3, np.random.default_rng(seed))
        assert len(boxes) == 3
        for box in boxes:
            assert 0 <= box.left < box.right <= 1024
            assert 0 <= box.top < box.bottom <= 1024
            assert (chest[0][box.top : box.bottom, box.left : box.right] > 40).mean() > 0.95
            for other in boxes[: box.index]:
                assert (
                    box.left >= other.right + GAP_PX
                    or other.left >= box.right + GAP_PX
                    or box.top >= other.bottom + GAP_PX
                    or other.top >= box.bottom + GAP_PX
                )


@pytest.mark.parametrize("size_mm", [(6.0, 8.0), (20.0, 20.0), (40.0, 60.0)])
def test_sizes_are_those_asked_for(chest, lungs, size_mm):
    mm = mm_per_px(lungs.frame)
    places = Prior.load().places(lungs, chest[0])
    for seed in range(10):
        for box in places.draw(2, np.random.default_rng(seed), size_mm):
            larger = max(box.width, box.height) * mm
            assert size_mm[0] - mm <= larger <= size_mm[1] + mm


def test_sizes_that_are_none_are_refused(chest, lungs):
    with pytest.raises(SettingError, match="from small to large"):
        Prior.load().places(lungs, chest[0]).draw(1, np.random.default_rng(0), (9.0, 3.0))


def test_density_is_one_in_all_and_none_off_the_body(chest, lungs):
    density = Prior.load().places(lungs, chest[0]).density
    assert density.sum() == pytest.approx(1)
    assert (density[chest[0][4::8, 4::8] == 0] == 0).all()


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_hidden_places_come_as_often_as_is_asked(chest, share):
    exact = Lungs(chest[1], 1.0)
    weight = fit_hidden(Prior.load(), [(exact, chest[0])], share)
    places = replace(Prior.load(), hidden=weight).places(exact, chest[0])
    behind = np.kron(places.body.hidden, np.ones((4, 4), bool))[4::CELL_PX, 4::CELL_PX]
    assert places.density[behind].sum() == pytest.approx(share, abs=0.005)


def test_a_share_that_is_none_is_refused(chest):
    with pytest.raises(TrainingError, match="between 0 and 1"):
        fit_hidden(Prior.load(), [(Lungs(chest[1], 1.0), chest[0])], 1.5)


def test_places_and_sizes_are_those_of_held_out_boxes(shared):
    """Fitted on half of NODE21's images, tested on the boxes of the other half."""
    table = read_places(shared / "cxr" / "node21_boxes.csv")
    names = pd.Series(table.img_name.unique()).sample(frac=0.5, random_state=1)
    fitted, held = table[table.img_name.isin(names)], table[~table.img_name.isin(names)]
    law = fit_places(fitted, Prior.load().mean_chest, "half")
    rng = np.random.default_rng(2)
    which = rng.choice(len(law["weights"]), 4000, p=np.array(law["weights"]) / sum(law["weights"]))
    drawn = np.array(
        [rng.multivariate_normal(law["means"][k], law["covariances"][k]) for k in which]
    )
    x, y = held.x + held.width / 2, held.y + held.height / 2
    larger = held[["width", "height"]].max(axis=1)
    size = np.exp(rng.normal(*law["log_side"], 4000)).clip(*law["side_limits"])
    for ours, theirs in ((drawn[:, 0], x), (drawn[:, 1], y), (size, larger)):
        assert stats.ks_2samp(ours, theirs).statistic < 0.09


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_what_generate_takes(tmp_path, capsys):
    arguments = ["place", str(SAMPLE), "--nodules", "2", "--seed", "4"]
    for output in ("a", "b"):
        assert main([*arguments, "--output", str(tmp_path / output)]) == 0
    assert "4 boxes in 2 slices" in capsys.readouterr().out
    first, again = (tmp_path / output / "nodules.json" for output in ("a", "b"))
    assert first.read_text() == again.read_text()
    assert [box.slice for box in read_boxes(first, (2, 1024, 1024))] == [0, 0, 1, 1]
    assert np.array_equal(
        read_stack(tmp_path / "a" / SAMPLE.name).pixels, read_stack(SAMPLE).pixels
    )
    pictures = ["--pictures", str(tmp_path / "p")]
    assert main([*arguments, "--output", str(tmp_path / "c"), *pictures]) == 0
    assert len(list((tmp_path / "p").glob("*.png"))) == 2
    assert main([*arguments, "--output", str(tmp_path / "a")]) == 2
    assert "is there already" in capsys.readouterr().err


def test_radiographs_of_several_formats_chain_to_generate(tmp_path, capsys):
    """Two PNGs of one size share a stack; another size has its own; a blank one is left out."""
    films = write_radiographs(tmp_path / "in")
    pixels = np.asarray(Image.open(films / "00000002_000.png"))
    Image.fromarray(pixels[:480]).save(films / "00000002_000.png")
    Image.fromarray(pixels * 0).save(films / "blank.png")
    command = ["place", str(films), "--output", str(tmp_path / "o"), "--nodules", "1"]
    assert main(command) == 0
    assert "left out blank.png: No plausible pair of lungs" in capsys.readouterr().err
    folder = tmp_path / "o" / "512x512-uint16"
    assert (tmp_path / "o" / "480x512-uint16" / "nodules.json").is_file()
    assert (folder / "slices.csv").read_text().splitlines()[1:] == [
        "0,00000001_000.png,0", "1,00000001_001.png,0"]  # fmt: skip
    generate = ["generate", "--input", str(folder), "--output", str(tmp_path / "made")]
    assert main([*generate, "--method", "paste"]) == 0
    assert read_stack(tmp_path / "made" / "radiographs.mha").pixels.shape == (2, 512, 512)


def test_radiographs_are_neither_replaced_nor_joined_by_results(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    stack = shutil.copy(SAMPLE, folder / "stack.mha")
    (tmp_path / "link").symlink_to(folder)
    before = stack.read_bytes()
    for radiographs, output, said in (
        (stack, folder, "is the input itself"),
        (folder, folder / "boxes", "lies inside the radiographs' folder"),
        (folder, tmp_path / "link" / "boxes", "lies inside the radiographs' folder"),
    ):
        assert main(["place", str(radiographs), "--output", str(output), "--overwrite"]) == 2
        assert said in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["stack.mha"]
    assert stack.read_bytes() == before


def test_the_command_refuses_what_is_not_there(tmp_path, capsys):
    assert main(["place", str(tmp_path / "none"), "--output", str(tmp_path / "o")]) == 2
    assert "no file or folder" in capsys.readouterr().err


# --- training ------------------------------------------------------------------------------------


def test_the_network_trains_and_goes_on_where_it_was_stopped(tmp_path, capsys, monkeypatch):
    """From nothing to weights that are read, on one simulated chest; the same after a stop."""
    monkeypatch.setattr("research.lungs.train.LungTraining", partial(LungTraining, batch=2))
    films = write_radiographs(tmp_path / "films")
    common = ["--radiographs", str(films), "--chests", "1"]

    def train(name, steps, work="work"):
        return train_lungs_main([*common, "--work", str(tmp_path / work), "--output",
                     str(tmp_path / name), "--steps", steps])  # fmt: skip

    assert train("once", "1,1") == 0
    weights = Path(capsys.readouterr().out.splitlines()[-1])
    card = json.loads((tmp_path / "once" / "lungs.json").read_text())["card"]
    assert card["radiographs"] == "3 without labels"
    assert len(load_weights(tmp_path / "once")) > 50
    assert train("again", "1,1") == 0  # from its last checkpoint: nothing is left to do
    assert (tmp_path / "again" / weights.name).read_bytes() == weights.read_bytes()
    assert train("other", "2,1") == 2
    assert "other settings" in capsys.readouterr().err


def test_places_that_were_fitted_are_read(tmp_path, chest):
    """From a table of boxes around two spots."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "img_name": [f"n{n}.mha" for n in range(80)],
            "x": np.repeat([250.0, 700.0], 40) + rng.normal(0, 20, 80),
            "y": np.repeat([400.0, 600.0], 40) + rng.normal(0, 20, 80),
            "width": rng.uniform(40, 60, 80).round(),
            "height": rng.uniform(40, 60, 80).round(),
        }
    )
    table.to_csv(tmp_path / "boxes.csv")
    exact = Lungs(chest[1], 1.0)
    table = read_places(tmp_path / "boxes.csv")
    law = fit_places(table, mean_frame([exact]), "boxes.csv")
    assert law["source"] == "80 boxes of boxes.csv"
    write_places(tmp_path / "places.json", law)
    fitted = Prior.load(tmp_path / "places.json")
    boxes = fitted.places(exact, chest[0]).draw(2, np.random.default_rng(1))
    assert len(boxes) == 2
    for box in boxes:
        assert min(np.hypot(box.centre[0] - x, box.centre[1] - y)
                   for x, y in ((275, 425), (725, 625))) < 120  # fmt: skip
