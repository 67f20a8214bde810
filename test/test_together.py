"""Boxes of several slices in one batch, as on a GPU; here a CPU runs the same code."""

import numpy as np
import pytest

from nodegen.cascade.window import Axis, evened
from nodegen.constants import GREY_MAX
from nodegen.io.boxes import Box
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.batch import waves
from nodegen.synthesis.crop import crop_window

SHAPE = (700, 700)
BOXES = [
    Box(0, 100, 100, 140, 140, 0),
    Box(0, 150, 130, 190, 165, 1),  # its crop overlaps the first one's
    Box(0, 500, 520, 550, 560, 2),  # far from both
    Box(1, 300, 300, 360, 350, 3),
    Box(2, 20, 600, 70, 660, 4),  # at the edge
]
MOST_APART = 1  # grey levels of 4095 that a batch may differ from boxes one by one


def stack():
    rng = np.random.default_rng(0)
    rows, columns = np.indices(SHAPE)
    ramp = 1200 + rows + 0.5 * columns
    noise = rng.normal(0, 40, (3, *SHAPE))
    return (ramp + noise).clip(0, GREY_MAX).astype(np.uint16)


def rendered(at_once, half=False):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Renderer, "slices_at_once", at_once)
        renderer = Renderer(Settings(noise_and_blur=False, workers=1))
        renderer.open()
        for cascade in renderer.cascades.values():
            cascade.half = half
        return renderer.apply(stack(), BOXES, seed=3)


@pytest.fixture(scope="module")
def alone():
    return rendered(1)


def test_a_batch_gives_what_boxes_give_one_by_one(alone):
    together, again = rendered(3), rendered(2)
    apart = np.abs(alone.image.astype(int) - together.image.astype(int))
    assert apart.max() <= MOST_APART
    assert np.array_equal(alone.mask, together.mask)
    assert np.any(alone.image != stack())
    # Whatever lies beside a box in its batch: other groups, the same pixels but for rounding.
    assert np.abs(again.image.astype(int) - together.image.astype(int)).max() <= MOST_APART
    assert [r.index for r in alone.recipes] == [r.index for r in together.recipes]


def test_half_precision_stays_within_a_few_grey_levels(alone):
    half = rendered(3, half=True)
    apart = np.abs(alone.image.astype(int) - half.image.astype(int))
    assert apart.max() <= 2 * MOST_APART


def recipes_of(boxes):
    renderer = Renderer(Settings(method="paste", noise_and_blur=False))
    planned = list(renderer.plan(stack(), boxes, 0))
    return [[r for r in planned if r.slice == n] for n in range(3)]


def test_boxes_that_depend_on_each_other_come_in_their_order():
    recipes = recipes_of(BOXES)
    found = waves(recipes, SHAPE)
    assert [[r.index for _, r in wave] for wave in found] == [[0, 2, 3, 4], [1]]
    for wave in found:
        for n, recipe in wave:
            for other_n, other in wave:
                if n == other_n and recipe is not other:
                    one, two = (crop_window(r.box, SHAPE) for r in (recipe, other))
                    assert any(
                        a.stop <= b.start or b.stop <= a.start
                        for a, b in zip(one, two, strict=True)
                    )


@pytest.mark.parametrize(
    ("out", "size", "expected"),
    [((40, 60), 100, (34, 66)), ((0, 20), 100, (0, 32)), ((90, 100), 100, (84, 100)),
     ((1, 28), 30, (0, 30)), ((32, 64), 100, (32, 64))],
)  # fmt: skip
def test_windows_are_widened_inside_the_crop(out, size, expected):
    step = 16 if out == (90, 100) else 32
    ((rows, columns),) = evened([(Axis(size, out), Axis(64, (0, 64)))], step)
    assert rows.out == expected
    assert rows.out[0] <= out[0]
    assert rows.out[1] >= out[1]
    assert columns.out == (0, 64)
