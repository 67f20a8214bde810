import numpy as np
import pytest
import thorough
import torch
from cascades import random_cascade
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.generators import operations
from nodegen.cascade.pyramid import (
    LAST_QUICK,
    STEP_PX,
    Plan,
    exact_axis,
    full_axis,
    margin_axis,
    scale_sizes,
)
from nodegen.constants import HALF_WIDTH_PX, SCALES

CASCADE = random_cascade()


@st.composite
def spans(draw, length):
    low = draw(st.integers(0, length - 1))
    return low, draw(st.integers(low + 1, length))


@st.composite
def cases(draw):
    shape = draw(st.sampled_from([(256, 256), (300, 300), (256, 90), (40, 60)]))
    support = tuple(draw(spans(length)) for length in shape)
    return shape, support, draw(st.integers(5, SCALES - 1)), draw(st.integers(0, 2**32))


def harmonised(shape, n0, seed, support, windows):
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.uniform(-1, 1, (1, 1, *shape)).astype(np.float32))
    plan = CASCADE.plan(shape, n0, support, windows)
    noise = CASCADE.draw_noise(rng, plan)
    return CASCADE.harmonise(images, n0, noise, plan)


@settings(max_examples=thorough.cases(40, 200), deadline=None)
@given(cases())
def test_exact_windows_give_what_the_whole_crop_gives(case):
    shape, support, n0, seed = case
    full = harmonised(shape, n0, seed, support, "full")
    exact = harmonised(shape, n0, seed, support, "exact")
    torch.testing.assert_close(exact, full, atol=1e-5, rtol=0)


@given(
    st.integers(5, SCALES - 1),
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), spans(n))),
)
def test_exact_windows_hold_what_the_scale_above_reads(n0, case):
    length, support = case
    axes = exact_axis(scale_sizes(length), n0, support)
    assert axes[-1].out == support
    for axis in axes:
        assert 0 <= axis.out[0] < axis.out[1] <= axis.size
        assert axis.read[0] - axis.padding[0] == axis.out[0] - HALF_WIDTH_PX
        assert axis.read[1] + axis.padding[1] == axis.out[1] + HALF_WIDTH_PX


@pytest.mark.parametrize("margin", [0, 3, 10])
@pytest.mark.parametrize("support", [(74, 182), (0, 40), (200, 256), (0, 256)])
def test_default_windows_hold_the_support_and_its_margin(margin, support):
    sizes = scale_sizes()
    axes = margin_axis(sizes, 5, support, (margin,) * SCALES)
    assert len(axes) == LAST_QUICK + 1 - 5
    for size, axis in zip(sizes[5:], axes, strict=False):
        ratio = size / sizes[-1]
        assert axis.out[0] <= max(support[0] * ratio - margin + 1, 0)
        assert axis.out[1] >= min(support[1] * ratio + margin - 1, size)


def test_default_windows_are_squares_of_few_sizes():
    """So the library's convolutions are prepared once for each size, not for each box."""
    rng, found = np.random.default_rng(0), set()
    for _ in range(300):
        height, width = rng.integers(60, 200, 2)
        top, left = rng.integers(0, 256 - height), rng.integers(0, 256 - width)
        support = (int(top), int(top + height)), (int(left), int(left + width))
        for rows, columns in CASCADE.plan((256, 256), 5, support).scales:
            sides = tuple(axis.out[1] - axis.out[0] for axis in (rows, columns))
            assert sides[0] == sides[1]
            found.add(sides)
    whole = set(scale_sizes())
    assert all(side % STEP_PX == 0 or side in whole for side, _ in found)
    assert len(found) <= len(whole) + 256 // STEP_PX


def test_operations_of_one_generator_are_the_papers():
    axes = [(axis, axis) for axis in full_axis(scale_sizes(), SCALES - 1)]
    plan = Plan(axes, [(256, (0, 256))] * 2)
    # 161 GFLOP at 256 x 256 with 128 channels, 10 with 32; ours also counts the halo of each layer.
    assert operations(plan, [128]) / 1e9 == pytest.approx(161, rel=0.1)
    assert operations(plan, [32]) / 1e9 == pytest.approx(10.3, rel=0.1)
