"""Boxes in one batch, as on a GPU; here a CPU runs the same code."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from cascades import random_cascade

from nodegen.cascade.batched import FIRST, BatchedCascade
from nodegen.cascade.pyramid import LAST_QUICK, Plan, full_axis, scale_sizes
from nodegen.constants import CROP_PX, LAYERS

SCALES_USED = LAST_QUICK + 1 - FIRST
WHOLE = (0, CROP_PX)


@pytest.fixture(scope="module")
def batched():
    return BatchedCascade(random_cascade(), batch=3)


def case(seed, n0):
    images = np.random.default_rng(seed).uniform(-1, 1, (2, CROP_PX, CROP_PX))
    return images.astype(np.float32), n0


def alone(batched, images, n0, rng):
    """The same by the cascade that computes windows, here the whole crop."""
    axes = full_axis(scale_sizes(), n0)[: LAST_QUICK + 1 - n0]
    plan = Plan([(axis, axis) for axis in axes], [(CROP_PX, WHOLE)] * 2)
    cascade = batched.cascade
    noise = cascade.draw_noise(rng, plan)
    made = cascade.harmonise(torch.from_numpy(images[:, None]), n0, noise, plan)
    return (made[0] - made[1])[0].numpy()


def test_a_batch_gives_what_boxes_give_one_by_one(batched):
    cases = [case(seed, FIRST + seed % 5) for seed in range(7)]
    with ThreadPoolExecutor(7) as pool:
        made = list(pool.map(lambda one: batched(*one, np.random.default_rng(1)), cases))
    for one, found in zip(cases, made, strict=True):
        expected = alone(batched, *one, np.random.default_rng(1))
        np.testing.assert_allclose(found, expected, atol=2e-4)
        again = batched(*one, np.random.default_rng(1))
        np.testing.assert_array_equal(again, found)  # whatever lies beside it


def test_the_shapes_are_as_many_as_the_scales(batched):
    for seed in range(5):
        batched(*case(seed, FIRST + seed), np.random.default_rng(seed))
    assert len(batched.shapes) == SCALES_USED
    assert {shape[0] for shape in batched.shapes} == {2 * batched.batch}
    assert LAYERS == 5


def test_other_crops_and_scales_go_another_way(batched):
    assert batched.takes((CROP_PX, CROP_PX), FIRST)
    assert not batched.takes((CROP_PX, 200), FIRST)
    assert not batched.takes((CROP_PX, CROP_PX), LAST_QUICK + 1)
    assert not batched.takes((CROP_PX, CROP_PX), FIRST - 1)


def test_a_fault_reaches_whoever_waits_for_it(batched, monkeypatch):
    monkeypatch.setattr(batched.cascade, "amplitudes", [])
    with pytest.raises(IndexError):
        batched(*case(0, FIRST), np.random.default_rng(0))
