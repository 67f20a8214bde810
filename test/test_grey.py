"""Grey levels: right over the whole range of every pixel type."""

import numpy as np
import pytest

from nodegen import Box, Renderer, Settings
from nodegen.evaluation.fidelity.grey_levels import grey_levels_of_pair
from nodegen.io.image import ELEMENTS
from nodegen.synthesis.context import SliceContext, to_output, to_unit

RAMP = np.linspace(0, 1, 64 * 80).reshape(64, 80)
WIDE = np.linspace(0, 1, 300 * 320).reshape(300, 320)


def spread(dtype, low=None, high=None, ramp=RAMP):
    """A ramp over a range of a type, by default the whole of it."""
    info = np.finfo(dtype) if np.issubdtype(dtype, np.floating) else np.iinfo(dtype)
    low, high = info.min if low is None else low, info.max if high is None else high
    wide = np.longdouble(low) * (1 - ramp) + np.longdouble(high) * ramp
    return np.clip(np.rint(wide) if info.dtype.kind in "iu" else wide, low, high).astype(dtype)


RANGES = [(dtype, None, None) for dtype in ELEMENTS] + [
    ("uint32", 4_000_000_000, 4_000_004_095),
    ("int32", -2_000_000_100, -2_000_000_000),
    ("float32", 1e9, 1.001e9),
    ("float64", 1e300, 1.1e300),
    ("float64", 1e-300, 2e-300),
]


@pytest.mark.parametrize(("dtype", "low", "high"), RANGES)
def test_every_type_fills_the_unit_range(dtype, low, high):
    pixels = spread(dtype, low, high)
    unit = to_unit(pixels)
    steps = len(np.unique(pixels)) - 1
    assert (unit.min(), unit.max()) == (0, 1)
    assert np.abs(unit - RAMP).max() <= 1 / min(steps, 10**6)
    levels = to_output(SliceContext(pixels), unit, "challenge")
    assert np.abs(levels - RAMP * 255).max() <= 0.5 + 255 / min(steps, 10**6)


@pytest.mark.parametrize(("dtype", "low", "high"), RANGES)
def test_the_way_back_keeps_what_is_untouched_and_stays_in_range(dtype, low, high):
    pixels = spread(dtype, low, high)
    unit = to_unit(pixels)
    changed = unit.copy()
    changed[:10] = 1.0
    changed[-10:] = 0.0
    made = to_output(SliceContext(pixels), changed, "input")
    np.testing.assert_array_equal(made[10:-10], pixels[10:-10])
    least, most = float(pixels.min()), float(pixels.max())
    assert made.min() == least
    assert made.max() == most
    room = 1e-7 * (most / 2 - least / 2)  # the method works in single precision
    assert np.all(most / 2 - made[:10].astype(np.float64) / 2 <= room)
    assert np.all(made[-10:].astype(np.float64) / 2 - least / 2 <= room)


@pytest.mark.parametrize(("dtype", "low", "high"), RANGES)
def test_a_renderer_takes_every_type_over_its_whole_range(dtype, low, high):
    renderer = Renderer(Settings(method="paste", noise_and_blur=False))
    box = Box(slice=0, left=20, top=20, right=50, bottom=50)
    plain = renderer.apply(spread("uint16", ramp=WIDE), [box], seed=1)
    pixels = spread(dtype, low, high, ramp=WIDE)
    made = renderer.apply(pixels, [box], seed=1)
    assert made.image.dtype == pixels.dtype
    assert np.isfinite(made.image.astype(np.float64)).all()
    np.testing.assert_array_equal(made.image[150:], pixels[150:])
    if len(np.unique(pixels)) > 1000:
        change = to_unit(made.image) - to_unit(plain.image)
        assert np.abs(change).max() < 0.01
        assert np.abs(to_unit(made.image) - to_unit(pixels)).max() > 0.01


@pytest.mark.parametrize(("dtype", "low", "high"), RANGES[:-1])  # 1e-300 is 0 of 0..1
@pytest.mark.parametrize("intensity", ["challenge", "input"])
def test_the_judge_sees_no_change_where_there_is_none(dtype, low, high, intensity):
    pixels = spread(dtype, low, high)
    written = to_output(SliceContext(pixels), to_unit(pixels), intensity)
    before, after = grey_levels_of_pair(pixels[None], written[None])
    np.testing.assert_array_equal(before, after)
    assert np.isfinite(before).all()
    assert len(np.unique(before)) > 1


def test_a_flat_slice_is_no_fault():
    assert not to_unit(np.full((9, 9), 7, dtype=np.uint32)).any()
