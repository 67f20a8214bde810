"""The model of nodules: drawn, rendered, measured, fitted, stored and held against others."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nodegen.cli import main
from nodegen.constants import EMPTY_RAY
from nodegen.errors import LibraryError, OutputError, SettingError
from nodegen.io.library import Library, Nodule
from nodegen.nodules.patches import find_pairs, read_pair
from research.nodule_model.__main__ import main as research_main
from research.nodule_model.evaluate import compare, separability
from research.nodule_model.features import COMMON_PX, FEATURES, appearance, features, projected
from research.nodule_model.fit import FEWEST, fit
from research.nodule_model.harmonics import harmonics, orders, parities, sphere
from research.nodule_model.measure import (
    N_ANGULAR,
    N_DENSITY,
    N_SURFACE,
    SCALARS,
    SHELLS,
    column_parities,
    measure,
)
from research.nodule_model.model import FITTED, NoduleModel
from research.nodule_model.sheet import contact_sheet
from research.nodule_model.synthesise import LARGEST_MM, SIDE, SMALLEST_MM, render, synthesise
from research.nodule_model.write import write_patches

COUNT = FEWEST


@pytest.fixture(scope="module")
def model():
    return NoduleModel.load(FITTED)


@pytest.fixture(scope="module")
def drawn(model):
    return list(synthesise(model, COUNT, seed=1))


@pytest.fixture(scope="module")
def nodules(drawn):
    return [projected(one.volume_hu, one.mask) for one in drawn]


# Harmonics


def test_harmonics_are_orthonormal_over_the_sphere():
    table = harmonics(sphere(4000), 6)
    np.testing.assert_allclose(table.T @ table / 4000, np.eye(table.shape[1]), atol=5e-3)


def test_harmonics_of_the_lowest_degrees():
    directions = sphere(50)
    table = dict(zip(orders(2), harmonics(directions, 2).T, strict=True))
    z, y, x = directions.T
    np.testing.assert_allclose(table[0, 0], 1)
    np.testing.assert_allclose(table[1, 0], np.sqrt(3) * z)
    np.testing.assert_allclose(np.abs(table[1, 1]), np.sqrt(3) * np.abs(x))
    np.testing.assert_allclose(np.abs(table[1, -1]), np.sqrt(3) * np.abs(y))
    np.testing.assert_allclose(table[2, 0], np.sqrt(5) * (3 * z**2 - 1) / 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_parities_say_what_mirroring_does(axis):
    directions = sphere(50)
    mirrored = directions * np.where(np.arange(3) == axis, -1, 1)
    signs = np.where(parities(7)[:, axis], -1, 1)
    np.testing.assert_allclose(harmonics(mirrored, 7), signs * harmonics(directions, 7), atol=1e-12)


# Measuring


def test_a_ball_is_measured_as_one():
    offsets = np.indices((40,) * 3) - 19.5
    distance = np.sqrt((offsets**2).sum(axis=0))
    volume = np.where(distance < 9, 0.0, -800.0)
    found = measure(volume, distance < 9)
    assert np.exp(found.log_radius) == pytest.approx(9, rel=0.01)
    assert np.abs(found.surface).max() < 0.01
    mean = found.density[:-1].reshape(len(SHELLS) - 1, N_ANGULAR)
    assert np.abs(mean[SHELLS[:-1] >= 0.5, 0]).max() < 50
    assert np.abs(mean[:, 1:]).max() < 30
    assert dict(zip(SCALARS, found.scalars, strict=True))["log_thickness"] < 0.2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_nodule_is_measured_mirrored(drawn, axis):
    surface, density = (np.where(p[:, axis], -1, 1) for p in column_parities())
    for one in drawn[:2]:
        plain = measure(one.volume_hu, one.mask > 0)
        mirrored = measure(np.flip(one.volume_hu, axis), np.flip(one.mask > 0, axis))
        np.testing.assert_allclose(mirrored.surface, surface * plain.surface, atol=5e-3)
        np.testing.assert_allclose(mirrored.density, density * plain.density, atol=10)
        assert mirrored.log_radius == plain.log_radius


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 5), (3, 1, 1)])
def test_a_few_voxels_can_be_measured(shape):
    volume, mask = np.full((12, 12, 12), -800.0), np.zeros((12, 12, 12), dtype=bool)
    mask[tuple(slice(5, 5 + side) for side in shape)] = True
    found = measure(volume, mask)
    for numbers in (found.scalars, found.surface, found.density):
        assert np.isfinite(numbers).all()


# Drawing and rendering


def test_a_draw_follows_its_generator_alone(model):
    one, same, other = (model.draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.density, same.density)
    np.testing.assert_array_equal(one.surface, same.surface)
    assert one.log_radius != other.log_radius
    assert one.scalars.shape == (len(SCALARS),)
    assert (one.surface.shape, one.density.shape) == ((N_SURFACE,), (N_DENSITY,))


def test_the_share_sets_the_size(model):
    sizes = [model.draw(np.random.default_rng(0), share).log_radius for share in (0, 0.3, 0.7, 1)]
    assert sizes == sorted(sizes)
    np.testing.assert_allclose(sizes[::3], model.radius_quantiles[[0, -1]])


def test_draws_favour_no_side(model):
    """A nodule and its mirror image are equally likely: odd numbers have mean 0."""
    many = [model.draw(np.random.default_rng(seed)) for seed in range(400)]
    surface = np.array([one.surface for one in many])
    odd = column_parities()[0].any(axis=1)
    score = surface.mean(axis=0) / (surface.std(axis=0) / np.sqrt(len(many)))
    assert np.abs(score[odd]).max() < 4.5


def test_draws_hold_solid_and_part_solid_ones(model):
    middles = np.array([model.draw(np.random.default_rng(seed)).density[-1] for seed in range(300)])
    assert (middles > -100).mean() > 0.25
    assert (middles < -350).mean() > 0.05


def test_rendering_follows_its_generator_alone(model):
    measured = model.draw(np.random.default_rng(5))
    volume, mask = render(measured, np.random.default_rng(6))
    again, mask_again = render(measured, np.random.default_rng(6))
    np.testing.assert_array_equal(volume, again)
    np.testing.assert_array_equal(mask, mask_again)


def test_what_is_rendered_has_the_size_drawn(model):
    for share in (0.2, 0.5, 0.8):
        measured = model.draw(np.random.default_rng(7), share)
        _, mask = render(measured, np.random.default_rng(8))
        volume_mm3 = 4 / 3 * np.pi * np.exp(3 * measured.log_radius)
        assert mask.sum() == pytest.approx(volume_mm3, rel=0.25)


def test_synthetic_nodules_are_patches_of_the_organisers_form(drawn):
    assert len(drawn) == COUNT
    for one in drawn:
        assert one.volume_hu.shape == one.mask.shape == (SIDE,) * 3
        assert (one.volume_hu.dtype, one.mask.dtype) == (np.int16, np.int32)
        assert set(np.unique(one.mask)) == {0, 1}
        assert ndimage.label(one.mask, np.ones((3, 3, 3)))[1] == 1
        assert SMALLEST_MM <= one.diameter_mm <= LARGEST_MM
        assert max(np.ptp(np.argwhere(one.mask.any(axis=1)), axis=0) + 1) == one.diameter_mm
        assert projected(one.volume_hu, one.mask).diameter_mm == one.diameter_mm
        assert one.volume_hu[one.mask > 0].mean() > one.volume_hu[one.mask == 0].mean()


def test_sizes_are_spread_as_fitted(model, drawn):
    sizes = np.sort([np.log(np.cbrt(3 * one.mask.sum() / (4 * np.pi))) for one in drawn])
    shares = (np.arange(COUNT) + 0.5) / COUNT
    wanted = np.interp(
        shares, np.linspace(0, 1, len(model.radius_quantiles)), model.radius_quantiles
    )
    assert np.abs(sizes - wanted).mean() < 0.1


def test_the_same_seed_gives_the_same_nodules(model, drawn):
    again = synthesise(model, COUNT, seed=1)
    for one, _ in zip(drawn, range(2), strict=False):
        np.testing.assert_array_equal(next(again).volume_hu, one.volume_hu)
    other = next(synthesise(model, COUNT, seed=2))
    assert not np.array_equal(other.volume_hu, drawn[0].volume_hu)


def test_a_model_of_specks_is_told(model, monkeypatch):
    monkeypatch.setattr("research.nodule_model.synthesise.TRIES", 3)
    specks = dataclasses.replace(model, radius_quantiles=model.radius_quantiles * 0 - 2)
    with pytest.raises(LibraryError, match="no visible nodule"):
        next(synthesise(specks, 1, 0))


# Fitting


def test_a_fit_recovers_what_was_drawn(model):
    many = [model.draw(np.random.default_rng(seed)) for seed in range(400)]
    fitted = fit(many, rounds=0)
    middle = len(fitted.radius_quantiles) // 2
    assert fitted.radius_quantiles[middle] == pytest.approx(model.radius_quantiles[middle], abs=0.1)
    place = model.radius_quantiles[middle]
    (mean, spread), (wanted, wanted_spread) = fitted.at(place), model.at(place)
    scalars = slice(0, len(SCALARS))
    assert (np.abs(mean - wanted) / wanted_spread)[scalars].max() < 0.5
    ratio = (spread / wanted_spread)[scalars]
    assert ratio.min() > 0.5
    assert ratio.max() < 2


def test_a_fit_is_deterministic_and_corrected_by_simulation(model):
    many = [model.draw(np.random.default_rng(seed)) for seed in range(30)]
    one, same = (fit(many, rounds=1, count=4) for _ in range(2))
    np.testing.assert_array_equal(one.means, same.means)
    assert not np.array_equal(one.means, fit(many, rounds=0).means)


def test_a_fit_needs_nodules(model):
    with pytest.raises(SettingError, match=f"needs {FEWEST} or more"):
        fit([model.draw(np.random.default_rng(0))] * (FEWEST - 1))


# Storing


def test_what_is_saved_is_loaded(model, tmp_path):
    model.save(tmp_path / "new" / "p.npz")
    loaded = NoduleModel.load(tmp_path / "new" / "p.npz")
    for field in dataclasses.fields(model):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(model, field.name))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["p.npz"]


def _without(model, path):
    model.save(path)
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] for name in arrays.files if name != "modes"})


def _pickled(model, path):
    arrays = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    np.savez(path, **(arrays | {"modes": np.array([{}], dtype=object)}))


DAMAGES = {
    "missing": lambda model, path: None,
    "empty": lambda model, path: path.write_bytes(b""),
    "text": lambda model, path: path.write_text("no parameters\n"),
    "truncated": lambda model, path: (
        model.save(path),
        path.write_bytes(path.read_bytes()[:2000]),
    ),
    "an array is missing": _without,
    "an array is pickled": _pickled,
    "other columns": lambda model, path: dataclasses.replace(model, means=model.means[:, 1:]).save(
        path
    ),
    "no number": lambda model, path: dataclasses.replace(
        model, spreads=model.spreads * np.nan
    ).save(path),
    "no knots": lambda model, path: dataclasses.replace(
        model, knots=model.knots[:1], means=model.means[:1], spreads=model.spreads[:1]
    ).save(path),
    "other covariances": lambda model, path: dataclasses.replace(
        model, covariances=model.covariances[:, :3, :3]
    ).save(path),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_parameters_are_told(model, tmp_path, capsys, what):
    path = tmp_path / "p.npz"
    DAMAGES[what](model, path)
    with pytest.raises(LibraryError, match=r"cannot be read .*nodule_model"):
        NoduleModel.load(path)
    arguments = ["--count", "2", "--output", tmp_path / "out", "--parameters", path]
    assert research_main(["draw", *map(str, arguments)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


# Evaluating


@pytest.fixture
def small_forest(monkeypatch):
    monkeypatch.setattr("research.nodule_model.evaluate.TREES", 30)


@pytest.fixture
def small_sheet(monkeypatch):
    monkeypatch.setattr("research.nodule_model.sheet.SIDE", 2)


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_features_of_any_nodule_are_numbers(rows, columns, seed):
    rng = np.random.default_rng(seed)
    mask = np.ones((rows, columns), dtype=bool)
    level = EMPTY_RAY + rng.random((rows, columns)).astype(np.float32)
    one = Nodule(level, mask, max(rows, columns), "n", 1, level, 0.5)
    assert features(one).shape == (len(FEATURES),)
    assert np.isfinite(features(one)).all()
    assert appearance(one).shape == (COMMON_PX, COMMON_PX)


def test_classifiers_tell_what_differs_and_not_what_does_not(small_forest):
    rng = np.random.default_rng(0)
    real, same, other = rng.normal(size=(3, 80, len(FEATURES)))
    other[:, 3] += 3
    assert max(separability(real, other).values()) > 0.9
    assert 0.3 < min(separability(real, same).values()) < 0.65


def test_a_copy_is_seen_as_one(nodules, small_forest):
    half = len(nodules) // 2
    real, fitted = nodules[:half], nodules[half:]
    copies = [  # turning hides nothing
        replace(one, projection=one.projection[::-1, ::-1], mask=one.mask[::-1, ::-1])
        for one in fitted
    ]
    found = compare(copies, real, fitted)
    assert found.nearest_synthetic == pytest.approx((0, 0), abs=1e-5)
    assert min(found.nearest_real) > 0.01
    assert found.real == found.synthetic == half
    assert "held-out" in found.lines()[0]


# From the command line


def test_synthesised_patches_become_a_library(tmp_path, capsys):
    folder, library = tmp_path / "synthetic", tmp_path / "library"
    assert research_main(["draw", "--count", "3", "--seed", "4", "--output", str(folder)]) == 0
    assert sorted(p.name for p in folder.iterdir()) == [
        "ct_nodules.csv",
        "patches",
        "segmentations",
    ]
    arguments = ["--patches", folder / "patches", "--segmentations", folder / "segmentations"]
    arguments += ["--output", library, "--workers", 1]
    assert main(["prepare", *map(str, arguments)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "3 nodules, 9 projections" in out
    ours, drawn = ((place / "ct_nodules.csv").read_text() for place in (library, folder))
    assert ours == drawn
    names = Library(library).names
    assert names[0] == "synthetic4_dcm_0"
    assert names[-1] == "synthetic4_dcm_2"


def test_a_synthesised_patch_is_read_as_it_was_drawn(drawn, tmp_path):
    write_patches(tmp_path / "a", "s", 1, drawn[:1])
    volume, mask = read_pair(*find_pairs(tmp_path / "a/patches", tmp_path / "a/segmentations"))
    np.testing.assert_array_equal(volume, drawn[0].volume_hu)
    np.testing.assert_array_equal(mask, drawn[0].mask > 0)


@pytest.mark.parametrize("there", [False, True])
def test_interrupted_it_leaves_nothing(drawn, tmp_path, there):
    if there:
        (tmp_path / "out").mkdir()

    def nodules():
        yield drawn[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_patches(tmp_path / "out", "s", 2, nodules())
    assert list(tmp_path.rglob("*")) == ([tmp_path / "out"] if there else [])


def test_nothing_is_overwritten(drawn, tmp_path):
    write_patches(tmp_path / "a", "s", 1, drawn[:1])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(OutputError, match="give a new folder"):
        write_patches(tmp_path / "a", "s", 1, drawn[1:2])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--count", "0"], "Must be >= 1"),
        (["--count", "-3"], "Must be >= 1"),
        (["--count", "1", "--seed", "-1"], "Must be >= 0"),
    ],
)
def test_settings_that_are_not_allowed(tmp_path, capsys, options, says):
    assert research_main(["draw", *options, "--output", str(tmp_path / "out")]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def patches(drawn, tmp_path_factory):
    """Each nodule twice, so that either half has enough."""
    folder = tmp_path_factory.mktemp("patches")
    write_patches(folder, "s", 2 * COUNT, [one for one in drawn for _ in range(2)])
    return folder


def test_fitting_from_the_command_line(
    patches, drawn, tmp_path, capsys, monkeypatch, small_forest, small_sheet
):
    # Drawing as many again for the evaluation would take most of the time.
    monkeypatch.setattr(
        "research.nodule_model.evaluate.synthesise", lambda model, count, seed: iter(drawn[:count])
    )
    arguments = ["--patches", patches / "patches", "--segmentations", patches / "segmentations"]
    arguments += ["--output", tmp_path / "model", "--sheet", tmp_path / "sheet.png", "--evaluate"]
    assert research_main(["fit", *map(str, arguments), "--rounds", "0"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"parameters of {2 * FEWEST} nodules" in out
    assert out.count("held-out real nodules") == 2
    assert NoduleModel.load(tmp_path / "model" / "parameters.npz").draw(np.random.default_rng(0))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("option", "place", "says"),
    [
        ("--output", "file/p.npz", "cannot be written"),
        ("--sheet", "", "is a folder where a file is wanted"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_fit(
    patches, tmp_path, capsys, option, place, says
):
    (tmp_path / "file").write_text("")
    given = {"--output": tmp_path / "p.npz", option: tmp_path / place}
    given |= {"--patches": patches / "patches", "--segmentations": patches / "segmentations"}
    assert research_main(["fit", *(str(word) for pair in given.items() for word in pair)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_fitting_to_too_few_leaves_nothing(patches, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    for path in patches.rglob("*_0[0-4].mha"):
        (few / path.name).write_bytes(path.read_bytes())
    (few / "s_seg_01.mha").unlink()
    arguments = ["--patches", few, "--segmentations", few, "--output", tmp_path / "p.npz"]
    assert research_main(["fit", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert "left out s_dcm_01: the patch has no segmentation" in out
    assert "4 usable nodules" in err
    assert not (tmp_path / "p.npz").exists()


def test_a_contact_sheet_has_two_halves(model, nodules, tmp_path, small_sheet):
    from PIL import Image

    from research.nodule_model import sheet

    contact_sheet(model, nodules, tmp_path / "sheet.png")
    width, height = Image.open(tmp_path / "sheet.png").size
    assert width == 2 * (2 * (sheet.TILE_PX + sheet.GAP_PX) + 2 * sheet.GAP_PX)
    assert height > 2 * sheet.TILE_PX
