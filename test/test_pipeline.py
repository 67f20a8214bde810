"""The whole path on small stacks: promises on bytes, pixels, sizes and types."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import cases

from nodegen.constants import MASK_REACH_PX
from nodegen.errors import RecipeError
from nodegen.io.boxes import KIND, Box, read_boxes, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.stack import read_stack
from nodegen.pipeline import generate, settings_of
from nodegen.settings import Settings
from nodegen.synthesis.context import to_unit

BOXES = (
    (0, 60, 60, 100, 110),
    (0, 200, 150, 240, 190),
    (1, 150, 30, 190, 80),
    (1, 150, 30, 190, 80),
    (1, 0, 0, 30, 30),
)
METHODS = ("singan", "poisson", "paste")
PLAIN = {"intensity": "input", "noise_and_blur": False}


@pytest.fixture
def run(tiny_model, tmp_path):
    """Generate from a folder into another, and give the image's bytes."""

    def run(folder, name="out", recipes=None, masks=None, **chosen):
        chosen = Settings(model=tiny_model, **chosen)
        done = generate(
            folder, tmp_path / name, chosen, recipes=recipes, masks=masks, progress=False
        )
        return done.image.read_bytes()

    return run


def output(tmp_path, name="out"):
    (image,) = (tmp_path / name).glob("77.*")
    return read_stack(image).pixels


# --- the same bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_rerun_gives_the_same_bytes(make_input, run, method):
    folder = make_input(BOXES)
    assert run(folder, "a", method=method) == run(folder, "b", method=method)
    third = run(folder, "c", method=method, seed=3)
    assert third == run(folder, "d", method=method, seed=3)
    assert third != run(folder, "e", method=method, seed=4)


def test_other_pixels_or_boxes_give_another_seed(make_input, tmp_path, run):
    seeds = []
    for name, boxes, dtype in (("a", BOXES, "uint16"), ("b", BOXES[1:], "uint16")):
        run(make_input(boxes, name=name, dtype=dtype), name, method="paste")
        seeds.append(json.loads((tmp_path / name / "recipes.json").read_text())["seed"])
    assert seeds[0] != seeds[1]


@settings(max_examples=cases(5, 50), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.permutations(range(len(BOXES))), st.permutations(range(4)), st.booleans())
def test_order_of_boxes_and_corners_changes_nothing(
    make_input, tmp_path_factory, run, boxes_order, corners_order, seeded
):
    where = tmp_path_factory.mktemp("order")
    folder = make_input(BOXES, name=where.name)
    chosen = {"method": "paste", **({"seed": 5} if seeded else {})}
    straight = run(folder, f"{where.name}-a", **chosen)
    content = json.loads((folder / "nodules.json").read_text())
    content["boxes"] = [
        {"corners": [content["boxes"][i]["corners"][k] for k in corners_order]} for i in boxes_order
    ]
    (folder / "nodules.json").write_text(json.dumps(content))
    assert run(folder, f"{where.name}-b", **chosen) == straight


def test_a_box_does_not_depend_on_other_slices_or_boxes(make_input, tmp_path, run):
    run(make_input(BOXES, name="all"), "all", seed=1)
    run(make_input(BOXES[2:4], name="two"), "two", seed=1)
    np.testing.assert_array_equal(
        output(tmp_path, "all")[1][:256, 75:300], output(tmp_path, "two")[1][:256, 75:300]
    )  # to the left the box in the corner reaches


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [("noise_and_blur", "no", "a valid boolean"), ("method", 1, "'singan', ")],
)
def test_a_setting_of_another_kind_is_refused_by_what_is_wanted(tmp_path, name, value, wanted):
    path = tmp_path / "recipes.json"
    path.write_text(json.dumps({"seed": 1, "settings": {name: value}, "recipes": []}))
    with pytest.raises(RecipeError, match=f"settings.{name} in .* should be {wanted}"):
        settings_of(path)


@pytest.mark.parametrize("method", METHODS)
def test_recipes_replay_the_run(make_input, tmp_path, run, method):
    folder = make_input(BOXES)
    first = run(folder, "a", method=method, subtlety="obvious", **PLAIN)
    recipes = tmp_path / "a" / "recipes.json"
    assert run(folder, "b", method=method, recipes=recipes, **PLAIN) == first
    assert (tmp_path / "b" / "recipes.json").read_text() == recipes.read_text()


def test_threads_change_nothing(make_input, run):
    import torch

    folder, before = make_input(BOXES), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(folder, "one")
        torch.set_num_threads(2)
        assert run(folder, "two") == one
    finally:
        torch.set_num_threads(before)


def test_a_recipe_says_everything(make_input, tmp_path, run):
    run(make_input(BOXES), seed=9)
    header = json.loads((tmp_path / "out" / "recipes.json").read_text())
    assert header["seed"] == 9
    assert len(header["model_sha256"]) == len(header["library_sha256"]) == 64
    assert header["nodegen"]
    assert {entry["index"] for entry in header["recipes"]} == set(range(len(BOXES)))
    twins = [entry for entry in header["recipes"] if entry["index"] in (2, 3)]
    assert twins[0]["noise"] != twins[1]["noise"], "a box given twice gets two nodules"


# --- pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_what_no_nodule_reaches_is_bit_identical(make_input, tmp_path, run, method, dtype):
    folder = make_input(BOXES[:2], dtype=dtype)
    run(folder, method=method, surroundings=False, **PLAIN)
    before, after = read_stack(folder / "77.mha").pixels, output(tmp_path)
    assert after.dtype == dtype
    np.testing.assert_array_equal(after[1], before[1])
    far = np.ones(before.shape[1:], dtype=bool)
    reach = MASK_REACH_PX + 16  # and the low pass of the change
    for _, left, top, right, bottom in BOXES[:2]:
        far[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = False
    if method != "poisson":  # its change falls off over the whole crop, as the organisers' does
        np.testing.assert_array_equal(after[0][far], before[0][far])
    inside = slice(60, 110), slice(60, 100)
    change = after[0][inside].astype(float) - before[0][inside]
    assert change.max() > 0.02 * np.ptp(before[0].astype(float))


@pytest.mark.parametrize("finished", [True, False])
def test_challenge_output_is_uint8_over_each_slices_own_range(make_input, tmp_path, run, finished):
    folder = make_input((), dtype="int16")
    run(folder, noise_and_blur=finished)
    before, after = read_stack(folder / "77.mha").pixels, output(tmp_path)
    assert after.dtype == np.uint8
    for one, other in zip(before, after, strict=True):
        scaled = 255 * to_unit(one)
        if finished:  # noise of 3, blur, noise of 3 on every slice, with or without a box
            residual = other - scaled
            assert 3 < residual[20:-20, 20:-20].std() < 8
        else:
            np.testing.assert_array_equal(other, np.rint(scaled))


def test_a_flat_slice_stays_flat(make_input, tmp_path, run):
    folder = make_input(BOXES[:1], shape=(1, 300, 300), dtype="uint8")
    stack = read_stack(folder / "77.mha")
    import SimpleITK as sitk

    flat = sitk.GetImageFromArray(np.full(stack.pixels.shape, 7, dtype=np.uint8))
    sitk.WriteImage(flat, str(folder / "77.mha"))
    run(folder, **PLAIN)
    np.testing.assert_array_equal(output(tmp_path), 7)


SIZES = [
    ((1, 40, 33), (0, 5, 5, 25, 30)),  # smaller than a crop
    ((1, 7, 9), (0, 0, 0, 9, 7)),  # hardly more than a box
    ((2, 500, 90), (1, 10, 10, 80, 400)),
    ((1, 700, 800), (0, 100, 90, 520, 610)),  # box and crop larger than 256 px
    ((1, 1024, 1024), (0, 990, 1000, 1024, 1024)),  # a corner of the slice
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("shape", "box"), SIZES)
def test_any_size_of_slice_and_box(make_input, tmp_path, run, method, shape, box):
    folder = make_input((box,), shape=shape)
    run(folder, masks=tmp_path / "masks", method=method, **PLAIN)
    before, after = read_stack(folder / "77.mha").pixels, output(tmp_path)
    mask = output(tmp_path, "masks")
    assert after.shape == mask.shape == before.shape
    number, left, top, right, bottom = box
    assert (after[number] != before[number]).any()
    rows, columns = np.nonzero(mask[number])
    side = min(right - left, bottom - top)
    larger = max(np.ptp(rows), np.ptp(columns)) + 1
    longest = max(right - left, bottom - top)
    assert 0.65 * side - 1 <= larger <= 1.15 * longest + 1, "the nodule fills its box"
    assert abs(rows.mean() - (top + bottom) / 2) <= 0.25 * side
    assert abs(columns.mean() - (left + right) / 2) <= 0.25 * side


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".tif"])
@pytest.mark.parametrize("intensity", ["challenge", "input"])
def test_formats_keep_their_name_and_geometry(make_input, tmp_path, run, suffix, intensity):
    geometry = Geometry((0.14, 0.2, 1.0), (3.0, -4.0, 5.0), (0, 1, 0, -1, 0, 0, 0, 0, 1), 3)
    folder = make_input(BOXES, suffix=suffix, geometry=geometry)
    run(folder, method="paste", intensity=intensity)
    before, after = read_stack(folder / f"77{suffix}"), read_stack(tmp_path / f"out/77{suffix}")
    if suffix == ".tif":
        assert after.geometry.spacing == pytest.approx(before.geometry.spacing)
    else:
        assert after.geometry == before.geometry


def test_a_2d_image_stays_2d(make_input, tmp_path, run):
    flat = Geometry((0.14, 0.2), (3.0, -4.0), (1.0, 0.0, 0.0, 1.0), 2)
    folder = make_input(BOXES[:2], shape=(1, 300, 320), geometry=flat)
    run(folder)
    assert read_stack(tmp_path / "out" / "77.mha").geometry == flat


def test_ten_boxes_in_a_slice_one_over_the_other(make_input, tmp_path, run):
    boxes = [(0, 100 + 5 * i, 100, 140 + 5 * i, 140) for i in range(10)]
    run(make_input(boxes), masks=tmp_path / "masks")
    mask = output(tmp_path, "masks")
    assert set(np.unique(mask)) <= set(range(11))
    assert mask.max() == 10
    assert (output(tmp_path, "masks")[1] == 0).all()


def test_masks_say_which_box(make_input, tmp_path, run):
    boxes = [Box(*box, i) for i, box in enumerate(BOXES[:3])][::-1]
    folder = make_input(BOXES[:3])
    write_boxes(folder / "nodules.json", boxes)
    run(folder, masks=tmp_path / "masks", method="paste")
    mask = output(tmp_path, "masks")
    for index, box in enumerate(read_boxes(folder / "nodules.json", mask.shape)):
        assert box.index == index
        x, y = (int(v) for v in box.centre)
        near = mask[box.slice, y - 8 : y + 8, x - 8 : x + 8]
        assert set(np.unique(near[near > 0])) == {1 + index}


def test_the_number_of_boxes_may_be_none(make_input, tmp_path, run):
    folder = make_input(())
    run(folder, **PLAIN)
    np.testing.assert_array_equal(output(tmp_path), read_stack(folder / "77.mha").pixels)
    header = json.loads((tmp_path / "out" / "recipes.json").read_text())
    assert header["recipes"] == []
    assert json.loads((folder / "nodules.json").read_text())["type"] == KIND


def test_boxes_that_are_clipped_are_named(make_input, tmp_path):
    folder = make_input(((0, 60, 60, 100, 110), (1, -9, 60, 40, 110), (1, 250, 20, 5000, 60)))
    run = generate(folder, tmp_path / "out", Settings(method="paste", seed=1), progress=False)
    said = "2 of 3 boxes reach beyond their slice and are clipped: 2, 3 (counted from 1)"
    assert run.notes[0] == said
