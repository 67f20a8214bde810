"""The tone curve near white: what bright ground shows of a nodule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegen.synthesis.contribution import FittedNodule, through_tone
from nodegen.synthesis.visibility import TYPICAL_LEVEL, as_real, central_disc, shown

WHOLE = slice(0, 160), slice(0, 160)


def placed(height=0.1, side=60):
    rows, columns = np.indices((160, 160)) + 0.5
    away = np.hypot(rows - 80, columns - 80)
    shadow = (height / (1 + np.exp((away - 24) / 2))).astype(np.float32)
    shadow[away > 60] = 0
    return FittedNodule(WHOLE, shadow, away < 28, central_disc(shadow.shape, 80, 80, side))


@given(st.floats(0.05, 0.9))
@settings(max_examples=20, deadline=None)
def test_even_ground_keeps_what_was_drawn(level):
    nodule = placed()
    made = through_tone(nodule, np.full((160, 160), level, dtype=np.float32))
    np.testing.assert_allclose(made.contribution, nodule.contribution, atol=1e-5)
    assert made.mask is nodule.mask


def test_saturated_ground_shows_nothing():
    made = through_tone(placed(), np.ones((160, 160), dtype=np.float32))
    assert np.abs(made.contribution).max() < 1e-6


def test_the_brighter_half_shows_less_and_the_disc_keeps_its_mean():
    nodule, crop = placed(), np.full((160, 160), 0.4, dtype=np.float32)
    crop[:, 80:] = 0.8
    made = through_tone(nodule, crop)
    ratio = made.contribution[80, 92] / made.contribution[80, 67]
    assert ratio == pytest.approx(float(shown(0.8)), rel=0.05)
    middle = nodule.central_disc
    assert made.contribution[middle].mean() == pytest.approx(
        nodule.contribution[middle].mean(), rel=0.02
    )


@pytest.mark.parametrize(("level", "low", "high"), [(0.75, 0.97, 1.03), (0.93, 0.7, 0.85)])
def test_noise_is_compressed_near_white_alone(level, low, high):
    rng = np.random.default_rng(0)
    crop = (level + rng.normal(0, 0.01, (160, 160))).astype(np.float32)
    nodule = placed(0.035)
    made = crop + through_tone(nodule, crop).contribution
    inside = nodule.central_disc
    assert low < made[inside].std() / crop[inside].std() < high
    assert made.max() < 1


def test_the_papers_contrast_is_left_as_it_is():
    nodule = replace(placed(), central_disc=None)
    assert through_tone(nodule, np.full((160, 160), 0.9, dtype=np.float32)) is nodule


def test_heart_and_liver_show_less_of_a_nodule_than_lung():
    lung, liver = (as_real(57, 0.05, 0.0, 0.8, level) for level in (TYPICAL_LEVEL, 0.75))
    assert liver == pytest.approx(lung * float(shown(0.75)), rel=0.02)
