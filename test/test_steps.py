"""The steps of the method, one by one, on cases whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from cascades import random_cascade
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.filters import threshold_multiotsu

from nodegen.constants import DILATION_PX, EMPTY_RAY, MASK_BLUR_PX, MASK_REACH_PX
from nodegen.io.boxes import Box, Recipe
from nodegen.synthesis.context import last_bins, signal_class, top_threshold
from nodegen.synthesis.contribution import FittedNodule
from nodegen.synthesis.fit_to_box import crop_window, support
from nodegen.synthesis.harmonise import Harmonise, harmonisation_mask
from nodegen.synthesis.noise_and_blur import BLUR_PX, BLUR_TRUNCATE, blur, noise_and_blur
from nodegen.synthesis.paste import paste
from nodegen.synthesis.poisson import poisson
from nodegen.synthesis.projection import (
    centred,
    cut_to_mask,
    diameter_mm,
    match_contrast,
    normalise,
    project,
    resample,
    resample_mask,
)


def recipe(**changes):
    fields = {
        **{"index": 0, "slice": 0, "left": 100, "top": 100, "right": 150, "bottom": 150},
        **{"nodule": 0, "name": "n", "mirror": False, "turn_deg": 0.0, "signal": "hyposignal"},
        **{"n0": 13, "weight": 0.5, "contrast_fraction": 0.3, "noise": 7},
    }
    return Recipe(**{**fields, **changes})


def ball(radius=10.0, hu=50, side=50):
    at = np.indices((side,) * 3) - (side - 1) / 2
    mask = np.sqrt((at**2).sum(axis=0)) < radius
    return np.where(mask, hu, -850).astype(np.int16), mask.astype(np.uint8)


def dome(side=50, height=0.3):
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    chord = np.sqrt(np.clip(1 - (rows**2 + columns**2) / (side / 2) ** 2, 0, None))
    return (height * chord).astype(np.float32)


def placed(side=50, canvas=(256, 256), at=(128, 128), height=0.3):
    shadow = centred(dome(side, height), canvas, *at)
    return FittedNodule((slice(0, canvas[0]), slice(0, canvas[1])), shadow, shadow > 0)


def blended(method, crop, nodule, recipe=None):
    """The crop with the nodule blended in; the crop stays."""
    made = crop.copy()
    method(made, nodule, recipe)
    return made


# --- projection, contrast, resampling -------------------------------------------------------------


def test_a_ball_projects_to_its_chord():
    volume, mask = ball()
    projection, mask2d = project(volume, mask)
    chord = mask.sum(axis=1)
    dense = np.exp(0.85 * (50 + 1024) / 1000)
    wanted = (chord * dense + (50 - chord) * EMPTY_RAY) / 50
    np.testing.assert_allclose(projection, wanted, rtol=1e-6)
    assert (mask2d == (chord > 0)).all()
    assert diameter_mm(mask2d) == 20


@pytest.mark.parametrize("noise_hu", [-1000, 0, 3000])
def test_what_lies_outside_the_mask_casts_no_shadow(noise_hu):
    volume, mask = ball()
    changed = np.where(mask > 0, volume, noise_hu)
    np.testing.assert_array_equal(project(volume, mask)[0], project(changed, mask)[0])


def test_normalising_gives_0_beside_the_nodule_and_1_at_its_densest():
    projection, mask2d = cut_to_mask(*project(*ball()))
    unit = normalise(projection)
    assert unit.max() == 1
    assert unit[~mask2d].max() < 1e-6
    assert not normalise(np.full((4, 4), EMPTY_RAY, dtype=np.float32)).any()


@pytest.mark.parametrize(
    ("nodule", "background", "signal", "wanted"),
    [
        (0.5, 0.5, "hyposignal", 0.6),
        (0.5, 0.5, "hypersignal", 0.7),
        (0.9, 0.3, "hyposignal", np.log(3)),
        (0.9, 0.3, "hypersignal", np.log(3)),
        (0.0, 0.3, "hyposignal", 0.6),
        (0.5, 0.0, "hyposignal", 0.6),
    ],
)
def test_contrast_is_the_log_ratio_above_its_floor(nodule, background, signal, wanted):
    contrast = match_contrast(np.full(9, nodule), np.full((3, 3), background), signal)
    assert contrast == pytest.approx(wanted)


@given(st.integers(3, 60), st.integers(3, 60), st.integers(5, 300))
def test_a_nodule_fills_its_box_and_keeps_its_proportions(rows, columns, side):
    solid = resample_mask(np.ones((rows, columns), dtype=bool), side)
    height, width = (int(solid.any(axis=axis).sum()) for axis in (1, 0))
    tolerance = max(0.1 * side, 1.5)
    assert max(height, width) == pytest.approx(side, abs=tolerance)
    assert height / rows == pytest.approx(width / columns, abs=2 * tolerance / min(rows, columns))
    density = resample(np.ones((rows, columns), dtype=np.float32), side)
    assert 0 <= density.min() <= density.max() <= 1


@given(st.integers(-20, 60), st.integers(-20, 60), st.integers(1, 30))
def test_laying_a_patch_cuts_off_what_sticks_out(row, column, side):
    laid = centred(np.ones((side, side), dtype=np.float32), (40, 40), row, column)
    top, left = round(row - side / 2), round(column - side / 2)
    wanted = np.zeros((40, 40))
    wanted[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 1
    np.testing.assert_array_equal(laid, wanted)


# --- crop and class -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "shape", "wanted"),
    [
        ((500, 300, 540, 360), (1024, 1024), (202, 458, 392, 648)),
        ((0, 0, 30, 30), (1024, 1024), (0, 256, 0, 256)),
        ((1000, 1000, 1024, 1024), (1024, 1024), (768, 1024, 768, 1024)),
        ((50, 50, 90, 90), (200, 1024), (0, 200, 0, 256)),
        ((300, 300, 600, 600), (1024, 1024), (273, 627, 273, 627)),
    ],
)
def test_the_crop_lies_around_the_box_inside_the_slice(box, shape, wanted):
    left, top, right, bottom = box
    rows, columns = crop_window(Box(0, left, top, right, bottom, 0), shape)
    assert (rows.start, rows.stop, columns.start, columns.stop) == wanted


def between_class_variance(counts, last):
    parts = np.split(np.arange(len(counts)), np.add(last, 1))
    means = [np.average(part, weights=counts[part]) for part in parts]
    weights = [counts[part].sum() for part in parts]
    return np.average((means - np.average(means, weights=weights)) ** 2, weights=weights)


@given(st.integers(0, 2**32), st.integers(0, 200))
def test_no_parting_is_better_than_ours_not_even_scikit_images(seed, empty):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 100000, 256)
    counts[1 + rng.permutation(254)[:empty]] = 0
    found = last_bins(counts, 4)
    theirs = threshold_multiotsu(classes=4, hist=(counts, np.arange(256)))  # in single precision
    ours, wanted = (between_class_variance(counts, cuts) for cuts in (found, theirs))
    assert ours >= wanted * (1 - 1e-9)
    assert ours == pytest.approx(wanted, rel=1e-3)


def test_otsu_parts_four_levels_and_classifies_by_the_brightest():
    levels = np.repeat([0.1, 0.4, 0.6, 0.9], 256).astype(np.float32)
    slice01 = np.tile(levels, (100, 1))
    threshold = top_threshold(slice01)
    assert 0.6 < threshold < 0.9
    boxes = {
        "hypersignal": Box(0, 800, 10, 850, 60, 0),
        "hyposignal": Box(0, 300, 10, 350, 60, 0),
    }
    for wanted, box in boxes.items():
        assert signal_class(slice01, box, threshold) == wanted
    half = Box(0, 768 - 20, 10, 768 + 20, 50, 0)  # exactly half of it is bright
    assert signal_class(slice01, half, threshold) == "hypersignal"


def test_a_flat_slice_is_hyposignal():
    slice01 = np.zeros((50, 50), dtype=np.float32)
    assert signal_class(slice01, Box(0, 0, 0, 20, 20, 0), top_threshold(slice01)) == "hyposignal"


# --- blending -------------------------------------------------------------------------------------


def test_paste_adds_inside_the_mask_only_and_stops_at_white():
    crop = np.full((256, 256), 0.8, dtype=np.float32)
    nodule = placed()
    pasted = blended(paste, crop, nodule)
    np.testing.assert_array_equal(pasted[~nodule.mask], crop[~nodule.mask])
    np.testing.assert_array_equal(
        pasted[nodule.mask], np.minimum(0.8 + nodule.contribution, 1)[nodule.mask]
    )
    assert pasted.max() == 1


def test_poisson_on_flat_ground_is_half_the_nodule():
    # Without gradients of its own the ground takes on the nodule's, and the mean halves it.
    crop = np.full((256, 256), 0.3, dtype=np.float32)
    nodule = placed()
    made = blended(poisson, crop, nodule)
    np.testing.assert_allclose(made, crop + nodule.contribution / 2, atol=1e-6)


@pytest.mark.parametrize("at", [(128, 128), (0, 0), (255, 10), (20, 250)])
def test_poisson_keeps_the_ground_where_the_nodule_has_no_gradient(at):
    rng = np.random.default_rng(0)
    crop = gaussian_filter(rng.uniform(0.2, 0.5, (256, 256)), 2).astype(np.float32)
    nodule = placed(at=at)
    flat = replace(nodule, contribution=np.zeros_like(nodule.contribution))
    np.testing.assert_array_equal(blended(poisson, crop, flat), crop)
    made = blended(poisson, crop, nodule)
    assert np.isfinite(made).all()
    far = np.hypot(*(np.indices((256, 256)) - np.reshape(at, (2, 1, 1)))) > 40
    np.testing.assert_array_equal(made[far], crop[far])


@pytest.mark.parametrize("at", [(128, 128), (10, 128), (250, 250)])
def test_the_masks_support_holds_all_of_the_blurred_mask(at):
    nodule = placed(at=at)
    mask, window = nodule.mask, nodule.reach
    blurred = harmonisation_mask(nodule)
    assert blurred.max() == pytest.approx(1, abs=1e-3)
    dilated = distance_transform_edt(~mask) <= DILATION_PX
    whole = gaussian_filter(dilated.astype(np.float32), MASK_BLUR_PX, mode="nearest")
    np.testing.assert_allclose(blurred, whole[window], atol=1e-6)
    assert whole.sum() == pytest.approx(blurred.sum(), rel=1e-5)
    rows = np.flatnonzero(mask.any(axis=1))
    assert window[0].start == max(rows[0] - MASK_REACH_PX, 0)


@pytest.mark.parametrize("add_back", ["grain", "paper"])
@pytest.mark.parametrize("at", [(128, 128), (3, 250)])
def test_harmonising_reaches_the_support_and_nothing_beyond(add_back, at):
    crop = np.random.default_rng(1).uniform(0.2, 0.5, (256, 256)).astype(np.float32)
    nodule = placed(at=at)
    blend = Harmonise({"hyposignal": random_cascade()}, add_back)
    result = blended(blend, crop, nodule, recipe())
    rows, columns = support(nodule.mask)
    spread = 10 if add_back == "grain" else 0  # the low pass of the change
    far = np.ones((256, 256), dtype=bool)
    far[
        max(rows.start - spread, 0) : rows.stop + spread,
        max(columns.start - spread, 0) : columns.stop + spread,
    ] = False
    np.testing.assert_array_equal(result[far], crop[far])
    assert np.abs(result - crop)[nodule.mask].mean() > 0.001
    np.testing.assert_array_equal(blended(blend, crop, nodule, recipe()), result)
    assert (blended(blend, crop, nodule, recipe(noise=8)) != result).any()


def test_the_papers_add_back_is_the_weighted_mean_in_the_mask():
    crop = np.random.default_rng(2).uniform(0.2, 0.5, (256, 256)).astype(np.float32)
    nodule = placed()
    blend = Harmonise({"hyposignal": random_cascade()}, "paper", "full")
    window = support(nodule.mask)
    (harmonised,) = blend.harmonised((crop + nodule.contribution)[None], window, recipe())
    weight = 0.5 * harmonisation_mask(nodule)
    wanted = (1 - weight) * crop[window] + weight * harmonised
    result = blended(blend, crop, nodule, recipe())
    np.testing.assert_allclose(result[window], np.clip(wanted, 0, 1), atol=1e-6)


def test_grain_adds_nothing_for_a_nodule_of_no_contrast():
    crop = np.random.default_rng(3).uniform(0.2, 0.5, (256, 256)).astype(np.float32)
    nodule = placed()
    blend = Harmonise({"hyposignal": random_cascade()}, "grain")
    faint = replace(nodule, contribution=np.zeros_like(nodule.contribution))
    np.testing.assert_allclose(blended(blend, crop, faint, recipe()), crop, atol=1e-6)


# --- noise and blur -------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [BLUR_PX, 1.73, 3.4])
@pytest.mark.parametrize("shape", [(150, 50), (3, 9), (1, 1)])
def test_the_blur_is_scipys(shape, sigma):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    wanted = gaussian_filter(image, sigma, mode="nearest", truncate=BLUR_TRUNCATE)
    np.testing.assert_allclose(blur(image, sigma), wanted, atol=1e-6)


def test_the_finish_is_noise_blur_noise():
    flat = np.full((512, 512), 0.5, dtype=np.float32)
    done = noise_and_blur(flat, np.random.default_rng(0)) * 255
    # The first noise is left with 1 / (2 sqrt(pi)) of its deviation by a blur of 1 px.
    wanted = 3 * np.sqrt(1 + 1 / (4 * np.pi))
    assert done.std() == pytest.approx(wanted, rel=0.02)
    assert done.mean() == pytest.approx(127.5, abs=0.05)
    again = noise_and_blur(flat, np.random.default_rng(0)) * 255
    np.testing.assert_array_equal(done, again)
