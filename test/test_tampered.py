"""Files that may be edited: each field is checked, and what is rendered never holds a NaN."""

import copy
import json
import shutil
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegen import Box, Renderer, Settings
from nodegen.cascade.cascade import read_index
from nodegen.constants import SCALES
from nodegen.errors import LibraryError, ModelError, NodegenError, RecipeError
from nodegen.io.boxes import Recipe, read_boxes, read_recipes
from nodegen.io.library import Library, write_library
from nodegen.io.stack import read_stack
from nodegen.pipeline import generate
from nodegen.schemas import FILES
from nodegen.settings import MODEL
from nodegen.synthesis.context import SliceContext, signal_class, top_threshold
from nodegen.synthesis.visibility import WORDS
from nodegen.training.card import save_cascade
from nodegen.training.networks import Generator

PASTE = Settings(method="paste", noise_and_blur=False, seed=1)
BOXES = [(0, 60, 60, 100, 110), (1, 150, 100, 190, 150)]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    """A recipes.json, as content."""
    renderer = Renderer(PASTE)
    pixels = np.tile(np.arange(320, dtype=np.uint16), (2, 300, 1))
    recipes = renderer.plan(pixels, [Box(*b, i) for i, b in enumerate(BOXES)], 1)
    return {"seed": 1, "settings": {}, "recipes": [asdict(recipe) for recipe in recipes]}


@settings(max_examples=100, deadline=None, database=None)
@given(st.sampled_from([f.name for f in fields(Recipe)]), VALUES)
def test_any_recipe_is_refused_by_name_or_rendered_to_numbers(
    recipe_file, tmp_path_factory, name, value
):
    content = copy.deepcopy(recipe_file)
    content["recipes"][1][name] = value
    path = tmp_path_factory.getbasetemp() / "recipes.json"
    path.write_text(json.dumps(content))
    try:
        recipe = read_recipes(path)[1][1]
    except RecipeError:
        return
    if max(recipe.bottom, recipe.right) <= 300 and recipe.nodule < 99:
        slice01, _ = Renderer(PASTE).render(
            SliceContext(np.eye(300, 320, dtype=np.uint16)), [recipe]
        )
        assert np.isfinite(slice01).all()
        assert 0 <= slice01.min() <= slice01.max() <= 1


def replayed(make_input, tmp_path, change):
    folder = make_input(BOXES)
    generate(folder, tmp_path / "a", PASTE, progress=False)
    content = json.loads((tmp_path / "a" / "recipes.json").read_text())
    change(content)
    (tmp_path / "edited.json").write_text(json.dumps(content))
    return generate(folder, tmp_path / "b", recipes=tmp_path / "edited.json", progress=False)


EDITS = {
    "another nodule's name": (
        lambda c: c["recipes"][0].update(name="another"), "by the name another, and the library"
    ),
    "a box beyond the slice": (lambda c: c["recipes"][0].update(right=999), "2 slices of 320 x"),
    "an empty box": (lambda c: c["recipes"][0].update(right=0), "which is empty"),
    "an index twice": (lambda c: c["recipes"][0].update(index=1), "has the index 1 of another one"),
    "no such slice": (lambda c: c["recipes"][0].update(slice=9), "there are 2 slices"),
    "NaN": (
        lambda c: c["recipes"][0].update(contrast_fraction=float("nan")),
        "contrast_fraction in .* is NaN, and should be a finite number",
    ),
    "a weight of 7": (lambda c: c["recipes"][0].update(weight=7), r"0\].weight in .* is 7"),
    "unknown method": (lambda c: c["settings"].update(method="magic"), "settings.method in"),
    "noise and blur of text": (
        lambda c: c["settings"].update(noise_and_blur="no"),
        "settings.noise_and_blur in .* is \"no\"",
    ),
    "another library": (lambda c: c.update(library_sha256="a" * 64), "made with library_sha256"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_edited_recipes_are_refused_by_name(make_input, tmp_path, edit):
    change, says = EDITS[edit]
    with pytest.raises(NodegenError, match=says):
        replayed(make_input, tmp_path, change)


def test_a_replay_on_other_pixels_says_so(make_input, tmp_path):
    assert replayed(make_input, tmp_path, lambda content: None).notes == []
    folder = make_input(BOXES, name="other", dtype=np.uint8)
    done = generate(folder, tmp_path / "c", recipes=tmp_path / "edited.json", progress=False)
    assert "for a stack of other pixels" in done.notes[0]


def test_schemas_are_of_objects():
    for model in FILES.values():
        assert model.model_json_schema()["type"] == "object"


# --- cascades and libraries -----------------------------------------------------------------------


def states(poison=None):
    torch.manual_seed(0)
    made = [Generator(4).eval().state_dict() for _ in range(SCALES)]
    if poison is not None:
        made[3]["layers.0.bias"][0] = poison
    return made


def test_a_cascades_hash_does_not_change_with_its_card(tmp_path):
    save_cascade(tmp_path, states(), [0.05] * SCALES, {"trained": "2022-01-01"})
    first = read_index(tmp_path)["sha256"]
    save_cascade(tmp_path, states(), [0.05] * SCALES, {"trained": "2023-01-01"})
    assert read_index(tmp_path)["sha256"] == first
    save_cascade(tmp_path, states(), [0.06] * SCALES, {"trained": "2023-01-01"})
    assert read_index(tmp_path)["sha256"] != first


def test_weights_that_are_no_numbers_are_refused(tmp_path, tiny_model):
    shutil.copytree(tiny_model, tmp_path / "model")
    save_cascade(tmp_path / "model" / "hyposignal", states(np.nan), [0.05] * SCALES, {})
    with pytest.raises(ModelError, match=r"Scale 3 of the weights in .* not finite"):
        _ = Renderer(Settings(model=tmp_path / "model")).cascades


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "amplitudes",
            [float("nan")] * SCALES,
            r"amplitudes\[0\] in .* is NaN, and should be a finite number",
        ),
        ("amplitudes", [0.1], r"amplitudes in .* is \[0.1\], and should have at least 16 items"),
        (
            "margins",
            [-1] * SCALES,
            r"margins\[0\] in .* is -1, and should be greater than or equal to 0",
        ),
        ("files", [{"name": "../x.safetensors", "sha256": "a" * 64}], r"files\[0\].name in"),
        ("format", "other", 'format in .* is "other", and should be .nodegen-cascade-1'),
    ],
)
def test_each_field_of_a_cascade_is_checked(tmp_path, tiny_model, key, value, says):
    folder = shutil.copytree(tiny_model / "hyposignal", tmp_path / "hyposignal")
    index = json.loads((folder / "cascade.json").read_text())
    index[key] = value
    (folder / "cascade.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=says):
        read_index(folder)


def test_a_nodule_of_nan_is_refused_though_its_hashes_are_right(tmp_path):
    shipped = Library(MODEL / "nodules")
    poisoned = shipped[0].projection.copy()
    poisoned[0, 0] = np.nan
    write_library(tmp_path, [replace(shipped[0], projection=poisoned), shipped[1]])
    library = Library(tmp_path)
    assert library[1].mask.any()
    with pytest.raises(LibraryError, match=r"nodule 0 .* is no projection"):
        _ = library[0]


# --- boxes ----------------------------------------------------------------------------------------


def test_boxes_that_overlap_or_show_nothing_are_flagged_and_named(make_input, tmp_path):
    boxes = [*BOXES, (1, 170, 120, 210, 170), (0, 200, 200, 240, 240)]
    folder = make_input(boxes)
    stack = read_stack(folder / "77.mha")
    pixels = stack.pixels.copy()
    pixels[0, 190:] = 0
    made = Renderer(PASTE).apply(pixels, read_boxes(folder / "nodules.json", pixels.shape))
    flags = {r.index: [flag for flag in r.flags if flag in WORDS] for r in made.recipes}
    assert flags == {0: [], 1: ["overlap"], 2: ["overlap"], 3: ["off body"]}
    done = generate(folder, tmp_path / "out", PASTE, progress=False)
    assert done.notes[0] == "2 of 4 boxes overlap another box: 2, 3 (counted from 1)"


def test_masks_of_overlapping_nodules_lose_nothing(make_input, tmp_path):
    boxes = [(0, 60, 60, 100, 110), (0, 60, 60, 100, 110), (1, 150, 100, 190, 150)]
    options = {"masks": tmp_path / "masks", "masks_by_box": tmp_path / "each"}
    generate(make_input(boxes), tmp_path / "out", PASTE, progress=False, **options)
    labels = read_stack(tmp_path / "masks" / "77.mha").pixels
    each = read_stack(tmp_path / "each" / "77.mha").pixels
    assert each.shape == (3, 300, 320)
    assert each.dtype == np.uint8
    assert all(mask.any() for mask in each)
    for index, box in enumerate(boxes):
        assert not (labels[box[0]] == 1 + index)[each[index] == 0].any()
    assert set(np.unique(labels)) <= {0, 1, 2, 3}


def test_masks_of_a_stack_where_white_is_0_are_masks(make_input, tmp_path):
    folder = make_input(BOXES)
    pixels = read_stack(folder / "77.mha").pixels.astype(np.uint8)
    (folder / "77.mha").unlink()
    tifffile.imwrite(folder / "77.tif", pixels, photometric="miniswhite")
    generate(folder, tmp_path / "out", PASTE, progress=False, masks=tmp_path / "masks")
    assert set(np.unique(tifffile.imread(tmp_path / "masks" / "77.tif"))) == {0, 1, 2}


def test_more_boxes_than_a_mask_of_16_bit_has_numbers_for():
    renderer = Renderer(PASTE)
    pixels = np.tile(np.arange(300, dtype=np.uint16), (300, 1))
    (recipe,) = renderer.plan(pixels[None], [Box(0, 60, 60, 100, 110, 70_000)], 1)
    _, mask = renderer.render(SliceContext(pixels), [recipe])
    assert mask.max() == 70_001


def test_a_box_at_the_threshold_belongs_to_the_class_above():
    # Levels 0..256: in 256 bins each level has its own, and 192 of 256 is an edge between two.
    slice01 = np.repeat(np.array([0, 30, 100, 192, 256], dtype=np.float32), [400, 300, 200, 90, 10])
    slice01 = slice01.reshape(20, 50) / 256
    assert top_threshold(slice01) <= 192 / 256
    level = np.full((9, 9), 192 / 256, dtype=np.float32)
    assert signal_class(level, Box(0, 0, 0, 9, 9), 192 / 256) == "hypersignal"
