"""Strands, satellites and lobes: what they look like, how often they come, and that they stay."""

from dataclasses import replace

import numpy as np
import pytest

from nodegen import Box, Renderer, Settings
from nodegen.io.library import Nodule
from nodegen.schemas import Satellite, Strand
from nodegen.synthesis.choice import WAVES
from nodegen.synthesis.fit_to_box import corners
from nodegen.synthesis.surroundings import (
    FARTHEST_PX,
    SATELLITES,
    SPICULES,
    STRANDS,
    TAIL,
    draw_surroundings,
    strands_on,
    vessel_direction,
)

SHAPE, AT = (121, 121), (60.5, 60.5)  # the middle pixel's centre
BOX = Box(0, 100, 120, 150, 170, 0)


def strand(**changed):
    return replace(Strand(0.0, 15.0, 30.0, 4.0, 0.8, 0.0), **changed)


@pytest.mark.parametrize(
    ("angle", "there", "beside"),
    [
        (0.0, (60, 80), (60, 40)),
        (90.0, (40, 60), (80, 60)),
        (180.0, (60, 40), (60, 80)),
        (270.0, (80, 60), (40, 60)),
        (45.0, (46, 74), (74, 74)),
    ],
)
def test_a_strand_goes_its_way(angle, there, beside):
    drawn = strands_on([strand(angle_deg=angle)], SHAPE, AT)
    assert drawn[there] > 0.5
    assert drawn[beside] < 1e-6


def test_a_strand_has_its_height_and_width_at_its_root_and_ends():
    drawn = strands_on([strand()], SHAPE, AT)
    root = drawn[:, 60 + 15]
    assert root.max() == pytest.approx(0.8)
    assert root[60 + 2] == pytest.approx(0.4, rel=0.01)  # half the width off: half the height
    assert (np.diff(drawn[60, 75:110]) <= 0).all()
    assert drawn[:, 60 + 45 :].max() == 0
    bent = strands_on([strand(bend=0.2)], SHAPE, AT)
    assert bent[:, 60 + 44].argmax() == pytest.approx(60 - 6, abs=1)  # 0.2 of 30 px, upwards


def test_they_come_as_often_as_real_nodules_have_them():
    ground = np.full((300, 300), 0.5, np.float32)
    rng, draws = np.random.default_rng(1), 2000
    made = [draw_surroundings(rng, ground, BOX, 0.76, 2.0) for _ in range(draws)]
    alone = np.mean([not strands and not satellites for strands, satellites in made])
    expected = np.prod([1 - kind.share for kind in (STRANDS, SATELLITES, SPICULES, TAIL)])
    assert alone == pytest.approx(expected, abs=0.03)
    assert np.mean([bool(s) for _, s in made]) == pytest.approx(SATELLITES.share, abs=0.025)
    strands = [one for many, _ in made for one in many]
    assert max(one.length_px for one in strands) <= FARTHEST_PX


def test_vessels_are_no_brighter_than_others_and_some_branch():
    ground = np.full((300, 300), 0.5, np.float32)
    faint, bright = (
        [
            one
            for seed in range(300)
            for one in draw_surroundings(np.random.default_rng(seed), ground, BOX, 0.76, v)[0]
        ]
        for v in (0.5, 4.5)
    )
    # Seen against the same ground, what is drawn at nine times the visibility is as bright.
    assert np.median([one.height for one in bright]) * 4.5 < 1.0
    assert np.median([one.height for one in faint]) > 0.4
    roots = [one.angle_deg for one in faint]
    assert len(set(roots)) < len(roots)


def test_a_strand_goes_on_a_vessel_or_to_the_hilum():
    ground = np.full((300, 300), 0.5, np.float32)
    assert vessel_direction(ground, BOX, 19.0) is None
    ground[100:147, 124:126] += 0.1  # upwards from the box's centre at x 125, y 145
    assert vessel_direction(ground, BOX, 19.0) == pytest.approx(90.0, abs=5)


@pytest.fixture(scope="module")
def radiograph():
    rng = np.random.default_rng(0)
    return (1500 + 20 * rng.standard_normal((300, 300))).astype(np.uint16)


@pytest.mark.parametrize("method", ["paste", "poisson", "none"])
def test_what_surrounds_a_nodule_is_drawn_and_is_not_in_its_mask(radiograph, method):
    renderer = Renderer(Settings(method=method, noise_and_blur=False, surroundings=False))
    alone = renderer.apply(radiograph, [BOX], seed=3)
    (recipe,) = alone.recipes
    assert not recipe.strands
    assert not recipe.satellites
    beside = Satellite(0.0, 40.0, 5.0, 0.9)
    with_it = replace(recipe, satellites=[beside], strands=[strand(angle_deg=90.0, root_px=15.0)])
    ((image, mask, _),) = renderer.render_stack(radiograph[None], [with_it], 3, "input")
    assert np.array_equal(mask, alone.mask)
    more = image.astype(int) - alone.image
    assert more[145, 165] > 0.3 * (alone.image.astype(int) - radiograph)[145, 125]
    assert more[110:124, 125].mean() > more[110:124, 140].mean() + 3
    assert not more[:60].any()
    assert not more[220:].any()


def test_lobes_move_the_outline_and_are_drawn():
    renderer = Renderer(Settings(method="paste", noise_and_blur=False, surroundings=False))
    ground = np.full((300, 300), 1500, np.uint16)
    ground[0, 0], ground[0, 1] = 0, 4095
    (recipe,) = renderer.apply(ground, [BOX], seed=3).recipes
    assert len(recipe.lobes) == 2 * len(WAVES)
    assert any(recipe.lobes)
    masks = [
        renderer.mask_of(replace(recipe, lobes=lobes), ground.shape)
        for lobes in ([], [0.0] * 6, [0.0] * 2 + [0.1, 0.0], [0.0] * 2 + [-0.1, 0.0])
    ]
    assert np.array_equal(masks[0], masks[1])
    # Three waves: out on the right where their cosine is 1, in on the left where it is -1.
    ends = [np.flatnonzero(mask[145]) for mask in masks]
    assert ends[2][-1] > ends[0][-1] > ends[3][-1]
    assert ends[2][0] > ends[0][0] > ends[3][0]


@pytest.mark.parametrize("turn_deg", [0.0, 30.0])
def test_a_square_has_corners_and_an_ellipse_has_none(turn_deg):
    rows, columns = np.indices((64, 64)) - 31.5
    square, ellipse = (
        Nodule(*(shape.astype(np.float32), shape, 10, "x", 0, shape.astype(np.float32), 0.2))
        for shape in (
            np.maximum(abs(rows), abs(columns)) < 28,
            (rows / 18) ** 2 + (columns / 30) ** 2 < 1,
        )
    )
    waves = corners(square, False, turn_deg, WAVES)
    # Four, on the diagonals, which the turn takes along: counter-clockwise, and so are negative.
    assert abs(waves).argmax() == 2
    assert waves[2] == pytest.approx(-abs(waves[2]) * np.exp(-4j * np.deg2rad(turn_deg)), abs=0.01)
    assert abs(waves[2]) == pytest.approx(0.14, abs=0.01)
    assert abs(corners(ellipse, False, turn_deg, WAVES)).max() < 0.02


@pytest.mark.parametrize(("side", "at"), [(5, 0), (5, 295), (290, 5), (6000, 0)])
def test_they_are_drawn_around_boxes_of_any_size_at_any_place(side, at):
    ground = np.full((300, 300), 0.5, np.float32)
    rng, box = np.random.default_rng(2), Box(0, at, at, at + side, at + side, 0)
    for _ in range(60):
        strands, satellites = draw_surroundings(rng, ground, box, 0.76, 2.0)
        drawn = strands_on(strands, SHAPE, AT)
        assert np.isfinite(drawn).all()
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert all(one.radius_px <= max(2.5, 0.2 * side) for one in satellites)
