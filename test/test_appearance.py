"""A nodule's shadow as X-rays make it, and how far it stands out: by formula, and as asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radiographs import SAMPLE
from scipy.ndimage import gaussian_filter
from thorough import cases

from nodegen import Box, Renderer, Settings
from nodegen.constants import GRADES, GREY_MAX, LUNG_HU, MASK_REACH_PX
from nodegen.errors import SettingError
from nodegen.io.boxes import BOXES, read_boxes
from nodegen.io.library import Nodule
from nodegen.io.stack import read_stack
from nodegen.synthesis.contribution import (
    BAND_GAINS,
    BAND_SIGMAS_PX,
    FittedNodule,
    detector_response,
    tapered,
)
from nodegen.synthesis.fit_to_box import fit, turned_extent, warp_to_box
from nodegen.synthesis.harmonise import Harmonise, kept
from nodegen.synthesis.visibility import (
    LEAST_SPREAD,
    MADE_UP,
    MOST_AS_REAL,
    as_real,
    central_disc,
    grade_of,
    graded,
    surround,
)
from nodegen.synthesis.water_thickness import added_water, along


def ellipsoid(radii, hu=40.0, side=50):
    away = np.sqrt((((np.indices((side,) * 3).T - (side - 1) / 2) / radii) ** 2).sum(axis=-1)).T
    return np.where(away < 1, hu, LUNG_HU), away < 1


def water_thickness(volume_hu, mask, axis=1):
    return along(*added_water(volume_hu, mask), axis)


def nodule_of(radii=(8.0, 8.0, 8.0), hu=40.0, axis=1):
    volume_hu, mask = ellipsoid(radii, hu)
    water_mm, step_mm = water_thickness(volume_hu, mask, axis)
    silhouette = mask.any(axis=axis)
    return Nodule(silhouette.astype(np.float32), silhouette, 16, "n", axis, water_mm, step_mm)


# --- water-equivalent thickness ----------------------------------------------------------------


@pytest.mark.parametrize("radius", [5.0, 8.0, 12.0])
def test_a_ball_adds_its_chord_times_its_density(radius):
    volume_hu, mask = ellipsoid((radius,) * 3)
    water_mm, step_mm = water_thickness(volume_hu, mask)
    volume = mask.sum() * (40 - LUNG_HU) / 1000  # voxels on the surface count whole or not
    assert water_mm.sum() * step_mm**2 == pytest.approx(volume, rel=0.01)
    radius = np.cbrt(mask.sum() * 3 / (4 * np.pi))
    middle = (np.array(water_mm.shape) - 1) / 2
    away_mm = np.hypot(*(np.indices(water_mm.shape).T - middle).T) * step_mm
    chord_mm = 2 * np.sqrt(np.clip(radius**2 - away_mm**2, 0, None))
    inner = away_mm < 0.85 * radius
    wanted = chord_mm * (40 - LUNG_HU) / 1000
    np.testing.assert_allclose(water_mm[inner], wanted[inner], rtol=0.06)


@given(st.floats(-700, 1000), st.integers(3, 9))
@settings(max_examples=cases(5, 50), deadline=None)
def test_water_thickness_is_in_proportion_to_the_density_above_lungs(hu, radius):
    (thin, _), (water, _) = (water_thickness(*ellipsoid((radius,) * 3, h)) for h in (hu, 0.0))
    assert thin.shape == water.shape
    np.testing.assert_allclose(thin, water * (hu - LUNG_HU) / -LUNG_HU, rtol=1e-4, atol=1e-4)


def test_water_thickness_rises_with_thickness_along_the_ray():
    peaks = [
        water_thickness(*ellipsoid((8.0, half, 8.0)))[0].max() for half in (3.0, 5.0, 8.0, 12.0)
    ]
    # The smooth surface is rounder: what is flat comes out up to a tenth thicker.
    np.testing.assert_allclose(peaks, [0.9 * 2 * half for half in (3, 5, 8, 12)], rtol=0.1)


def test_what_lies_outside_the_mask_does_not_count():
    volume_hu, mask = ellipsoid((6.0,) * 3)
    beside = np.where(mask, volume_hu, 300.0)  # as if it warp_to_box in bone
    np.testing.assert_allclose(
        water_thickness(beside, mask)[0], water_thickness(volume_hu, mask)[0], rtol=1e-5
    )


def test_ct_blur_does_not_thin_the_rim():
    volume_hu, mask = ellipsoid((8.0,) * 3)
    (sharp, step_mm), (blurred, blurred_mm) = (
        water_thickness(volume, mask) for volume in (volume_hu, gaussian_filter(volume_hu, 0.6))
    )
    assert blurred.sum() * blurred_mm**2 == pytest.approx(sharp.sum() * step_mm**2, rel=0.06)


def test_an_enlarged_outline_has_no_steps():
    """Of a small ball at 1 mm, the outline's distance from a circle, in radii."""
    volume_hu, mask = ellipsoid((4.0,) * 3)
    water_mm, step_mm = water_thickness(volume_hu, mask)
    one = Nodule(mask.any(axis=1), mask.any(axis=1), 8, "n", 1, water_mm, step_mm)
    contribution, _ = warp_to_box(one, False, 30.0, (100, 100), 0.8, (140, 140), (70, 70))
    rows, columns = np.nonzero(np.diff((contribution > 0.5).astype(int), axis=0))
    away = np.hypot(rows + 1 - 70, columns + 0.5 - 70)
    assert away.std() / away.mean() < 0.02


def test_a_nodule_no_denser_than_lung_adds_nothing():
    water_mm, _ = water_thickness(*ellipsoid((5.0,) * 3, hu=-950.0))
    assert water_mm.shape == (1, 1)
    assert not water_mm.any()
    one = Nodule(water_mm, water_mm > 0, 1, "n", 1, water_mm, 0.5)
    assert not one.disc.any()
    assert one.plateau == one.outline.density == 0


def test_a_cavity_leaves_its_wall_brighter_than_its_middle():
    volume_hu, mask = ellipsoid((10.0,) * 3)
    volume_hu[ellipsoid((7.5,) * 3)[1]] = -900
    water_mm, _ = water_thickness(volume_hu, mask)
    rows, columns = (n // 2 for n in water_mm.shape)
    assert water_mm[rows, columns] < 0.7 * water_mm[rows].max()


# --- exposure ---------------------------------------------------------------------------------


def test_exposure_is_bands_with_their_gains():
    contribution = np.zeros((400, 400), dtype=np.float32)
    contribution[180:220, 170:230] = 1.0
    passed = [
        gaussian_filter(contribution, s, truncate=6) if s else contribution for s in BAND_SIGMAS_PX
    ]
    wanted = sum(
        gain * (fine - coarse)
        for gain, fine, coarse in zip(BAND_GAINS, passed, passed[1:], strict=False)
    )
    wanted = gaussian_filter(wanted + BAND_GAINS[-1] * passed[-1], 1.2)
    np.testing.assert_allclose(detector_response(contribution, 1.2), wanted, atol=0.004)


def test_a_larger_shadow_loses_more_and_has_a_halo():
    def middle_and_halo(radius):
        rows, columns = np.indices((300, 300)) - 149.5
        disc = (np.hypot(rows, columns) < radius).astype(np.float32)
        exposed = detector_response(disc, 1.0)
        return exposed[150, 150], exposed[150, 150 + int(radius * 1.2)]

    small, large = middle_and_halo(12), middle_and_halo(50)
    assert small[0] > large[0] > 0.4
    assert small[1] < 0
    assert large[1] < 0


def test_the_taper_ends_within_the_masks_reach():
    mask = np.zeros((200, 200), dtype=bool)
    mask[90:110, 80:120] = True
    share = tapered(np.ones((200, 200), dtype=np.float32), mask)
    assert (share[89:111, 80:120] == 1).all()
    assert (share[90:110, 79:121] == 1).all()
    assert share[90 - MASK_REACH_PX :, :].any()
    assert not share[: 90 - MASK_REACH_PX + 1].any()
    assert not share[:, 120 + MASK_REACH_PX :].any()


# --- laying -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [12, 30, 57, 130])
@pytest.mark.parametrize("fill", [0.7, 0.9])
def test_the_visible_disc_takes_its_share_of_the_box(side, fill):
    contribution, mask = warp_to_box(
        nodule_of(), False, 33.0, (side, side), fill, (200, 200), (100.3, 99.6)
    )
    disc = contribution > 0.5
    rows, columns = (np.flatnonzero(disc.any(axis=axis)) for axis in (1, 0))
    for places, middle in ((rows, 100.3), (columns, 99.6)):
        assert np.ptp(places) + 1 == pytest.approx(fill * side, abs=0.06 * side + 1)
        assert (places[0] + places[-1] + 1) / 2 == pytest.approx(middle, abs=0.8)
    assert mask[disc].all()


def test_a_turn_is_counter_clockwise_as_displayed():
    long = nodule_of((8.0, 8.0, 16.0))  # lies along the columns
    contribution, _ = warp_to_box(long, False, 45.0, (60, 60), 0.9, (100, 100), (50, 50))
    up_right, down_left, others = (
        contribution[34, 66],
        contribution[66, 34],
        (contribution[34, 34], contribution[66, 66]),
    )
    assert min(up_right, down_left) > 0.5 > 2 * max(others)
    mirrored, _ = warp_to_box(long, True, 45.0, (60, 60), 0.9, (100, 100), (50, 50))
    np.testing.assert_allclose(mirrored, contribution, atol=0.05)  # alike on both sides


@given(st.floats(0, 360), st.booleans(), st.floats(0.4, 2.5))
@settings(max_examples=25, deadline=None)
def test_a_long_nodule_lies_along_a_long_box(turn_deg, mirror, aspect):
    one = nodule_of((6.0, 8.0, 12.0))
    misfit, turned_deg = fit(one.outline, mirror, turn_deg, aspect)
    _, (down, across) = turned_extent(one.outline, mirror, turned_deg)
    assert (down / across - 1) * (aspect - 1) >= 0 or abs(np.log(down / across)) < 0.05
    assert misfit >= abs(np.log(down / across / aspect)) - 1e-9


@pytest.mark.parametrize("shape", [(20, 20), (60, 30)])
def test_what_sticks_out_of_the_slice_is_cut_off(shape):
    contribution, mask = warp_to_box(nodule_of(), False, 10.0, (30, 30), 0.9, shape, (1.0, 29.0))
    assert contribution.shape == mask.shape == shape
    assert mask.any()


@pytest.mark.parametrize("at", [(15, -200), (-200, 15), (15, 300), (300, 15)])
def test_what_lies_off_the_canvas_is_not_drawn(at):
    contribution, mask = warp_to_box(nodule_of(), False, 10.0, (30, 30), 0.9, (30, 40), at)
    assert not contribution.any()
    assert mask.sum() == 1


# --- visibility -------------------------------------------------------------------------------


def test_the_spread_is_that_of_the_ring_without_its_slope():
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 0.05, (300, 300))
    slope = np.linspace(0.2, 0.8, 300)
    slice01 = (grain + slope + 0.3 * slope[:, None]).astype(np.float32)
    slice01[135:165, 135:165] += 0.3  # in the box: not the surround's
    box = Box(slice=0, left=125, top=125, right=175, bottom=175)
    assert surround(slice01, box)[1] == pytest.approx(0.05, rel=0.06)
    padded = slice01.copy()
    padded[:, 190:] = 0
    assert surround(padded, box)[1] == pytest.approx(0.05, rel=0.08)
    assert surround(np.zeros((300, 300)), box)[1] == LEAST_SPREAD


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(list(GRADES)))
def test_a_grade_gives_a_visibility_of_that_grade(grade_share, within_share, grade):
    visibility = graded({grade: 1.0}, grade_share, within_share * (1 - 1e-9))
    assert grade_of(visibility) == grade


@given(st.floats(0, 1, exclude_max=True))
def test_weights_of_grades_are_their_frequencies(share):
    weights = {"obvious": 1.0, "subtle": 3.0}
    wanted = "subtle" if share < 0.75 else "obvious"  # in the grades' own order
    assert grade_of(graded(weights, share, 0.5)) == wanted


def test_grades_follow_each_other_without_gaps():
    bounds = list(GRADES.values())
    assert all(low < high for low, high in bounds)
    assert [high for _, high in bounds[:-1]] == [low for low, _ in bounds[1:]]
    assert (grade_of(0.0), grade_of(99.0)) == ("extremely-subtle", "obvious")


def test_as_real_rises_with_density_and_falls_with_size():
    by_density = [as_real(57, 0.06, 0.0, density) for density in (0.3, 0.6, 0.9, 1.2)]
    assert by_density == sorted(by_density)
    assert by_density[0] < by_density[-1]
    by_side = [as_real(side, 0.03, 0.0, 0.8) for side in (25, 57, 120)]
    assert by_side == sorted(by_side, reverse=True)
    assert as_real(57, 0.3, 2.0, 4.0) == MOST_AS_REAL


def test_a_nodule_makes_up_for_a_place_darker_than_what_lies_around():
    in_even, in_dark = (as_real(90, 0.06, 0.0, 0.8, darker=darker) for darker in (0.0, 0.05))
    assert in_even + 0.5 * MADE_UP * 0.05 < in_dark < in_even + MADE_UP * 0.05


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("real", None), ("paper", None), ("300", (300, 300)), ("200-500", (200, 500))],
)
def test_contrast_is_a_name_a_number_or_a_range(text, wanted):
    assert Settings(contrast=text).contrast_ends == wanted


@pytest.mark.parametrize("text", ["", "0", "-3", "500-200", "a-b", "nan", "5000", "1-2-3"])
def test_other_contrasts_are_faults(text):
    with pytest.raises(SettingError, match="contrast is"):
        Settings(contrast=text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("real", None),
        ("very subtle", {"very-subtle": 1.0}),
        ("subtle=2, obvious=0.5", {"subtle": 2.0, "obvious": 0.5}),
    ],
)
def test_subtlety_is_a_grade_or_weights(text, wanted):
    assert Settings(subtlety=text).grades == wanted


@pytest.mark.parametrize(
    "text", ["", "faint", "subtle=0", "subtle=-1", "subtle,subtle", "obvious=x"]
)
def test_other_subtleties_are_faults(text):
    with pytest.raises(SettingError, match="subtlety is"):
        Settings(subtlety=text)


def test_contrast_and_subtlety_exclude_each_other():
    with pytest.raises(SettingError, match="leave one of them out"):
        Settings(contrast="300", subtlety="obvious")


# --- asked and got ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack():
    pixels = np.asarray(read_stack(SAMPLE).pixels)
    return pixels, read_boxes(SAMPLE.with_name(BOXES), pixels.shape)


def rendered(stack, **choices):
    pixels, boxes = stack
    choices = {"method": "none", "noise_and_blur": False, **choices}
    return Renderer(Settings(**choices)).apply(pixels, boxes, seed=3)


@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("method", ["paste", "none"])
def test_what_is_asked_is_got_or_flagged(stack, grade, method):
    recipes = rendered(stack, subtlety=grade, method=method).recipes
    assert recipes
    low, high = GRADES[grade]
    for one in recipes:
        assert low <= one.visibility_asked <= high
        near = abs(one.visibility / one.visibility_asked - 1) <= 0.15
        assert near != ("off" in one.flags)
        assert near or set(one.flags) & {"limit", "white"} or one.visibility > 0
    got = [
        one.visibility / one.visibility_asked
        for one in recipes
        if not set(one.flags) - {"overlap", "off body"}
    ]
    assert got == pytest.approx([1] * len(got), rel=0.05)


def test_a_contrast_in_grey_levels_is_what_is_added(stack):
    pixels, _boxes = stack
    made = rendered(stack, contrast="200-300")
    for one in made.recipes:
        span = float(np.ptp(pixels[one.slice]))
        change = made.image[one.slice].astype(float) - pixels[one.slice]
        x, y = one.box.centre
        levels = change[central_disc(change.shape, y, x, one.box.side)].mean() / span * GREY_MAX
        assert one.flags or 195 <= levels <= 305


def test_a_place_too_bright_is_flagged_and_drawn_as_near_as_can_be():
    rng = np.random.default_rng(0)
    pixels = rng.integers(3700, 4000, (400, 400)).astype(np.uint16)
    pixels[0, :2] = 0, 4095
    made = rendered((pixels, [Box(slice=0, left=170, top=170, right=230, bottom=230)]),
                    subtlety="obvious")  # fmt: skip
    (one,) = made.recipes
    assert "white" in one.flags or one.visibility / one.visibility_asked > 0.85
    assert one.visibility > 0


def test_replay_draws_the_same_and_measures_the_same(stack):
    pixels, boxes = stack
    renderer = Renderer(Settings(method="none", noise_and_blur=False))
    made = renderer.apply(pixels, boxes, seed=3)
    for number, again in enumerate(renderer.render_stack(pixels, made.recipes, 3, "input")):
        np.testing.assert_array_equal(again.image, made.image[number])
        assert again.recipes == [one for one in made.recipes if one.slice == number]


def test_far_from_every_box_nothing_changes(stack):
    pixels, boxes = stack
    made = rendered(stack)
    rows, columns = np.indices(pixels.shape[1:])
    for number in range(len(pixels)):
        far = np.ones(pixels.shape[1:], dtype=bool)
        for box in boxes:
            if box.slice == number:
                x, y = box.centre
                far &= np.hypot(rows - y, columns - x) > box.side + 64
        np.testing.assert_array_equal(made.image[number][far], pixels[number][far])


@given(st.floats(0.05, 1.0), st.floats(0.0, 6.0), st.floats(0.1, 0.9))
@settings(max_examples=25, deadline=None)
def test_harmonising_keeps_contrast_and_edge(loss, smear_px, weight):
    """Whatever generators lose of a nodule, its middle is as drawn, and its edge nearly so."""
    contribution, mask = warp_to_box(nodule_of(), False, 0.0, (57, 57), 0.85, (160, 160), (80, 80))
    contribution *= 0.1
    middle = central_disc(contribution.shape, 80, 80, 57)
    change = kept(
        loss * gaussian_filter(contribution, smear_px), contribution, mask, middle, weight
    )
    assert change[middle].mean() == pytest.approx(contribution[middle].mean(), rel=1e-4)
    steepest = [np.abs(np.diff(image[80])).max() for image in (contribution, change)]
    assert steepest[1] > (0.5 if weight > 0.6 else 0.65) * steepest[0]


def test_a_side_that_generators_brighten_is_left_as_drawn():
    """A slope over the whole nodule is taken off, a speck in it is kept."""
    contribution, mask = warp_to_box(
        nodule_of(), False, 0.0, (80, 80), 0.85, (200, 200), (100, 100)
    )
    contribution *= 0.1
    middle, inside = central_disc(contribution.shape, 100, 100, 80), mask.astype(np.float32)
    low = gaussian_filter(contribution, 3.0)
    rows = np.indices(contribution.shape)[0] - 100
    slope = 0.001 * rows * inside
    speck = np.zeros_like(contribution)
    speck[118, 100] = 1.0
    speck = gaussian_filter(speck, 3.0)
    above, below = (slice(80, 90), slice(95, 105)), (slice(110, 120), slice(95, 105))
    for added, share in ((slope, (0, 0.3)), (speck, (0.7, 1))):
        made = kept(low + added, contribution, inside, middle, 1.0) - contribution
        side = [array[below].mean() - array[above].mean() for array in (made, added)]
        assert share[0] <= side[0] / side[1] <= share[1]


def test_a_nodule_that_generators_erase_is_drawn_all_the_same():
    contribution, mask = warp_to_box(
        nodule_of(), False, 0.0, (57, 57), 0.85, (256, 256), (128, 128)
    )
    middle = central_disc(contribution.shape, 128, 128, 57)
    change = kept(np.zeros_like(contribution), contribution * 0.1, mask, middle, 0.5)
    assert change[middle].mean() == pytest.approx(0.1 * contribution[middle].mean(), rel=1e-4)
    crop = np.full((256, 256), 0.3, dtype=np.float32)
    box = Box(0, 100, 100, 157, 157)
    recipe = type("R", (), {"weight": 0.5, "signal": "hyposignal", "box": box})()
    whole = slice(0, 256), slice(0, 256)
    made = crop.copy()
    Harmonise(None)(made, FittedNodule(whole, contribution * 0.1, mask, middle), recipe)
    np.testing.assert_allclose(made - crop, 0.1 * contribution, atol=0.006)
