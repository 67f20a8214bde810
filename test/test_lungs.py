"""Where boxes lie: the lungs' region, and the flag of boxes that lie off it."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from nodegen.io.boxes import Box, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.stack import read_stack, stack_writer
from nodegen.lungs.network import LungNet, load_weights, open_network, probabilities
from nodegen.lungs.region import find_region, hull, labelled, to_grid
from nodegen.pipeline import generate
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.visibility import OFF_LUNG, SHARE_OFF_LUNG

PASTE = Settings(method="paste", noise_and_blur=False, seed=1)


@pytest.fixture(scope="module")
def places(chest):
    """Boxes by where they lie: in a lung, between both, on the shoulder, and half on it."""
    rows, columns = np.nonzero(chest[1])
    middle = int(rows.mean()), int(columns.mean())
    row = int(np.quantile(rows, 0.4))
    left = int(columns[rows == row].min())
    return {
        "lung": Box(0, left + 20, row - 25, left + 70, row + 25, 0),
        "between": Box(0, middle[1] - 25, middle[0] - 25, middle[1] + 25, middle[0] + 25, 1),
        "beside": Box(0, left - 75, row - 25, left - 25, row + 25, 2),
        "shoulder": Box(0, 8, 8, 68, 68, 3),
    }  # fmt: skip


def test_folding_the_norms_changes_no_answer(chest):
    grid, scale = to_grid(chest[0])
    assert scale == 0.25
    plain = LungNet()
    plain.load_state_dict(load_weights(), strict=False)
    one, other = (probabilities(network, grid) for network in (plain.eval(), open_network()))
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("shape", [(1024, 1024), (1000, 777), (1024, 640), (256, 256), (90, 200)])
def test_the_grid_is_made_of_means_as_pillow_takes_them(shape):
    pixels = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    pixels[0, 0] = -50  # the darkest level, which does not count
    grid, scale = to_grid(pixels)
    size = [max(1, round(length * scale)) for length in shape]
    small = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BOX)
    low, high = np.percentile(
        np.asarray(small)[np.asarray(small) > np.asarray(small).min()], (1, 99)
    )
    wanted = np.clip((np.asarray(small) - low) * (2 / (high - low)) - 1, -1, 1)
    np.testing.assert_allclose(grid[: size[0], : size[1]], wanted, atol=1e-5)
    assert (grid[size[0] :] == -1).all()
    assert (grid[:, size[1] :] == -1).all()


def test_the_hull_of_two_lungs_holds_what_lies_between_and_no_more():
    mask = np.zeros((20, 30), bool)
    assert not hull(mask).any()
    mask[5:15, 4:8] = mask[5:15, 20:26] = True
    wanted = np.zeros_like(mask)
    wanted[5:15, 4:26] = True
    np.testing.assert_array_equal(hull(mask), wanted)


def blobs(seed):
    noise = np.random.default_rng(seed).normal(0, 1, (90, 70))
    return ndimage.gaussian_filter(noise, 3) > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_the_hull_is_that_of_scikit_image(seed):
    morphology = pytest.importorskip("skimage.morphology")
    mask = blobs(seed) & blobs(seed + 9)
    np.testing.assert_array_equal(hull(mask), morphology.convex_hull_image(mask))


@pytest.mark.parametrize("seed", range(4))
def test_a_lung_is_its_largest_part_without_spurs_and_holes(seed):
    mask, disc = blobs(seed), np.hypot(*np.mgrid[-4:5, -4:5]) <= 4.2
    parts, _ = ndimage.label(ndimage.binary_opening(mask, disc))
    largest = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    chances = np.stack([~mask, np.zeros_like(mask), mask]).astype(np.float32)
    np.testing.assert_array_equal(labelled(chances), 2 * ndimage.binary_fill_holes(largest))


def test_what_lies_off_the_lungs_is_flagged(chest, places):
    made = Renderer(PASTE).apply(chest[0], list(places.values()))
    flags = {recipe.index: recipe.flags for recipe in made.recipes}
    assert {name: OFF_LUNG in flags[box.index] for name, box in places.items()} == {
        "lung": False, "between": False, "beside": True, "shoulder": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        np.rot90,
        np.flipud,
        lambda pixels: np.random.default_rng(0).permuted(pixels),
        lambda pixels: np.tile(np.arange(1024, dtype=np.uint16), (1024, 1)),
        lambda pixels: pixels[:150, :150],
    ],
    ids=["lying", "upside down", "noise", "ramp", "corner"],
)
def test_what_is_no_upright_chest_flags_nothing(chest, change):
    pixels = np.ascontiguousarray(change(chest[0]))
    assert find_region(pixels) is None
    made = Renderer(PASTE).apply(pixels, [Box(0, 10, 10, 60, 60, 0), Box(0, 80, 80, 140, 140, 1)])
    assert not any(OFF_LUNG in recipe.flags for recipe in made.recipes)


def test_they_are_named_and_a_replay_says_the_same(chest, places, tmp_path):
    (tmp_path / "in").mkdir()
    place = tmp_path / "in/77.mha"
    with stack_writer(place, Geometry.plain(3), (1, 1024, 1024), np.uint16) as write:
        write(chest[0])
    write_boxes(tmp_path / "in/nodules.json", list(places.values()))
    done = generate(tmp_path / "in", tmp_path / "out", PASTE, progress=False)
    assert done.notes == ["2 of 4 boxes lie off the lungs: 3, 4 (counted from 1)"]
    recipes = json.loads((tmp_path / "out/recipes.json").read_text())
    for recipe in recipes["recipes"]:  # as they were before there was this flag
        recipe["flags"] = [flag for flag in recipe["flags"] if flag != OFF_LUNG]
    (tmp_path / "old.json").write_text(json.dumps(recipes))
    again = generate(tmp_path / "in", tmp_path / "again", recipes=tmp_path / "old.json",
                     progress=False)  # fmt: skip
    assert again.recipes == done.recipes
    # The header's mark holds a hash of the recipes, which were edited.
    assert np.array_equal(read_stack(again.image).pixels, read_stack(done.image).pixels)


def test_real_nodules_are_hardly_ever_flagged(shared):
    with (shared / "real" / "boxes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    off = {"node21": [], "nih": []}
    for source, stem in sorted({(row["source"], row["stem"]) for row in rows})[::3]:
        region = find_region(read_stack(shared / "real" / source / f"{stem}.mha").pixels[0])
        assert region is not None
        for row in rows:
            if row["stem"] == stem:
                x, y, width, height = (int(row[side]) for side in ("x", "y", "width", "height"))
                off[source].append(region.share_off(x, y, x + width, y + height))
    assert len(off["node21"]) >= 5
    assert max(off["node21"]) == 0
    assert np.mean(np.array(off["nih"]) >= SHARE_OFF_LUNG) < 0.05
