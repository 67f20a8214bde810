"""Utility: what a detector learns; leaks are refused, a kill loses nothing, contrast is learned."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from nodegen.cli import main
from nodegen.errors import SettingError, UtilityError
from nodegen.evaluation.utility import bootstrap, extras, patches, subgroups
from nodegen.evaluation.utility.arms import MADE, parse_arms
from nodegen.evaluation.utility.cases import Radiograph, check_leaks, patient_of
from nodegen.evaluation.utility.made import SHAM_CONTRAST, Maker
from nodegen.evaluation.utility.measures import Test, hits_of, patch_measures
from nodegen.evaluation.utility.options import Options
from nodegen.evaluation.utility.places import GAP_PX, place_all
from nodegen.evaluation.utility.protocol import folds_of, jobs
from nodegen.evaluation.utility.run import split, utility
from nodegen.evaluation.utility.store import Store, content_hash
from nodegen.evaluation.utility.strawman import strawman
from nodegen.io.boxes import Box
from nodegen.io.stack import Geometry
from nodegen.io.stack_writer import StackWriter
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import SliceContext
from nodegen.synthesis.grey import to_output

SIDE = 256  # px, of the phantoms
SOURCE = [
    (x, y, w, w + 4) for x in range(60, 900, 60) for y in range(60, 900, 60) for w in (80, 120)
]


def ground(seed):
    """A radiograph-like ground, (row, column): smooth clouds under fine noise."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    clouds = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 12)
    clouds *= 250 / clouds.std()
    return np.clip(2000 + clouds + rng.normal(0, 40, (SIDE, SIDE)), 1, 4095).astype(np.uint16)


def radiograph(seed, **more):
    image = ground(seed)
    return Radiograph(f"r{seed}", f"r{seed}", lambda: image, **more)


def with_nodules(seeds, brightness=1.0, nodules=4, without=6):
    """Radiographs with "real" nodules, which are discs, and places without."""
    made = []
    for one in place_all([radiograph(s) for s in seeds], SOURCE, nodules, without, seed=9):
        unit = strawman(one.load(), one.nodules, 77, brightness)
        pixels = (unit * 4095).astype(np.uint16)
        made.append(replace(one, load=lambda pixels=pixels: pixels))
    return made


def outcome_on(radiographs):
    names = sorted({one.patient for one in radiographs})
    return Test(radiographs, subgroups.kinds(radiographs), bootstrap.patient_weights(len(names)))


# --- the figures ----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn_with_any_ties_and_weights(items):
    scores, labels = np.array(items).T.astype(float)
    labels = labels.astype(bool)
    weights = np.random.default_rng(0).integers(1, 4, (3, len(items)))
    found = bootstrap.weighted_auc(scores, labels, weights)
    if labels.all() or not labels.any():
        assert np.isnan(found).all()
    else:
        wanted = [roc_auc_score(labels, scores, sample_weight=w) for w in weights]
        np.testing.assert_allclose(found, wanted)


def test_froc_is_that_of_monai():
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(3)
    hits = bootstrap.Hits(rng.random(60), rng.integers(0, 8, 60),
                           rng.random(20).round(1), rng.integers(0, 8, 20))  # fmt: skip
    rates, sensitivity = metrics.compute_froc_curve_data(hits.false, hits.true, 20, 8)
    own = bootstrap.froc(hits, np.ones((1, 8)))
    np.testing.assert_allclose(own[0][0], rates)
    np.testing.assert_allclose(own[1][0], sensitivity)
    wanted = metrics.compute_froc_score(rates, sensitivity, bootstrap.FROC_AT)
    assert bootstrap.sensitivities(hits, np.ones((1, 8))).mean() == pytest.approx(wanted)


def test_an_image_drawn_twice_counts_twice_in_the_froc():
    rng = np.random.default_rng(4)
    hits = bootstrap.Hits(rng.random(30), rng.integers(0, 4, 30), rng.random(9), np.arange(9) % 4)
    twice = np.array([[2, 1, 0, 1]])
    copies = [np.flatnonzero(hits.false_image == i) for i in (0, 0, 1, 3)]
    true = [np.flatnonzero(hits.true_image == i) for i in (0, 0, 1, 3)]
    spread = bootstrap.Hits(
        hits.false[np.concatenate(copies)],
        np.repeat(np.arange(4), [len(c) for c in copies]),
        hits.true[np.concatenate(true)],
        np.repeat(np.arange(4), [len(c) for c in true]),
    )
    # The lowest level of all is no threshold; image 2 has it or not.
    at = bootstrap.sensitivities(hits, twice), bootstrap.sensitivities(spread, np.ones((1, 4)))
    np.testing.assert_allclose(at[0], at[1], atol=0.12)


def test_a_hit_is_a_centre_in_the_box_and_what_is_not_counted_is_neither():
    pytest.importorskip("monai.metrics")
    nodule, other = Box(0, 40, 40, 80, 80), Box(0, 150, 150, 190, 190)
    one = radiograph(0, nodules=(nodule,), ignored=(other,))
    found = np.array([
        [50, 50, 20, 20, 0.9],  # in the nodule
        [45, 45, 20, 20, 0.4],  # in it once more
        [75, 75, 40, 40, 0.8],  # overlaps it, its centre lies outside
        [160, 160, 10, 10, 0.7],  # in the box that is not counted
    ])  # fmt: skip
    hits = hits_of(outcome_on([one, radiograph(1)]), [found, np.zeros((0, 5))])
    np.testing.assert_allclose(hits.true, [0.9], rtol=1e-6)
    np.testing.assert_allclose(hits.false, [0.8], rtol=1e-6)
    assert hits.false_image.tolist() == [0]


def test_the_interval_holds_the_figure_and_the_draws_are_paired():
    tested = outcome_on(with_nodules(range(6)))
    rng = np.random.default_rng(0)
    scores = [
        np.concatenate([rng.normal(1, 1, len(r.nodules)), rng.normal(0, 1, len(r.places))])
        for r in tested.radiographs
    ]
    first, again = (patch_measures(tested, scores)["AUC"] for _ in range(2))
    assert (first == again).all()
    found = bootstrap.estimate(first[0], first[1:])
    assert found.low < found.value < found.high


# --- the sides: patients, places, folds -----------------------------------------------------------


def test_patients_follow_from_names():
    assert patient_of("00002361_008") == patient_of("00002361_011") == "00002361"
    assert patient_of("n0044") == "n0044"


@pytest.mark.parametrize("change", ["same patient", "same pixels", "brighter", "smaller"])
def test_a_planted_leak_is_refused(change):
    training = [radiograph(s) for s in range(3)]
    test = [radiograph(s) for s in range(10, 13)]
    check_leaks(training, test)
    image = ground(1).astype(float)
    planted = {
        "same patient": lambda: ground(20),
        "same pixels": lambda: image,
        "brighter": lambda: image * 1.7 + 20,
        "smaller": lambda: image[::2, ::2],
    }[change]
    patient = "r1" if change == "same patient" else "other"
    with pytest.raises(UtilityError, match=r"r1.*take one of them out\.$"):
        check_leaks(training, [*test, Radiograph("other", patient, planted)])


def test_without_backgrounds_patients_without_nodules_are_parted():
    real = [radiograph(s, nodules=(Box(0, 9, 9, 60, 60),)) for s in range(3)]
    healthy = [radiograph(s) for s in range(10, 22)]
    healthy.append(replace(healthy[0], name="second visit"))
    backgrounds, test = split([*real, *healthy], None, seed=0)
    assert not {one.patient for one in backgrounds} & {one.patient for one in test}
    assert len({one.patient for one in backgrounds}) == 9
    assert all(one in test for one in real)
    assert len(backgrounds) + len(test) == 16


def test_places_keep_their_distance_and_stay_when_others_go():
    all_, few = (place_all([radiograph(s) for s in n], SOURCE, 5, 6, seed=1)
                 for n in ((0, 1, 2), (2,)))  # fmt: skip
    assert all_[2].nodules == few[0].nodules
    assert all_[2].places == few[0].places
    for one in all_:
        assert len(one.nodules) == 5
        assert len(one.places) == 6
        every = [*one.nodules, *one.places]
        assert all(a.gap(b) >= GAP_PX for i, a in enumerate(every) for b in every[:i])


def test_folds_part_patients_and_spread_nodules():
    test = [radiograph(s, nodules=(Box(0, 0, 0, 40, 40),) * (s % 4)) for s in range(20)]
    test.append(replace(test[3], name="second visit"))
    fold = folds_of(test, 4)
    assert fold[3] == fold[20]
    sums = [sum(len(r.nodules) for r, f in zip(test, fold, strict=True) if f == k)
            for k in range(4)]  # fmt: skip
    assert max(sums) - min(sums) <= 3


# --- arms -----------------------------------------------------------------------------------------


def test_arms_say_what_they_are_trained_on(tmp_path):
    names = ["singan", f"mine={tmp_path}", "real-25", "mine+real-3", "poisson-then-real"]
    arms = parse_arms(names)
    assert [arm.name for arm in arms] == ["singan", "mine", "real-25", "mine+real-3",
                                          "poisson-then-real"]  # fmt: skip
    assert arms[2].real == 0.25
    assert arms[3].folder == tmp_path
    assert arms[3].ratio == 3
    assert arms[4].then
    (order,) = parse_arms(["poisson@subtlety:obvious-then-poisson"])
    assert (order.made, order.then, order.after) == ("poisson@subtlety:obvious", True, "poisson")
    assert order.real == 0
    (weighted,) = parse_arms(["singan@subtlety:obvious=1"])
    assert (weighted.made, weighted.folder) == ("singan@subtlety:obvious=1", None)
    assert parse_arms(["poisson@contrast:300", "poisson"])[0].made == "poisson@contrast:300"
    with pytest.raises(SettingError, match="contrast is 'x'"):
        parse_arms(["poisson@contrast:x"])
    assert len(jobs(arms, seeds=2, folds=5)) == 2 * (2 + 3 * 5)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["magic"],
        ["magic@contrast:300"],
        ["singan@seed:1"],
        ["singan", "singan"],
        ["real-0"],
        ["x+real"],
        ["singan-then-magic"],
    ],
)
def test_unknown_arms_are_told(words):
    with pytest.raises(UtilityError):
        parse_arms(words)


MADE_BY_METHODS = (
    *(m for m in MADE if m not in ("untouched", "singan-paper")),
    "paste@contrast:900",
)


@pytest.mark.parametrize("made", MADE_BY_METHODS)
def test_every_method_changes_its_boxes_and_sham_changes_nothing(made, tiny_model, tmp_path):
    settings = Settings(noise_and_blur=False, intensity="input", model=tiny_model)
    image, boxes = ground(0), [Box(0, 60, 60, 110, 120), Box(0, 160, 150, 210, 200, 1)]
    changed = Maker(Store(tmp_path), settings, seed=1).make(made, image, boxes) != image
    outside = np.ones_like(changed)
    for box in boxes:
        outside[box.top - 50 : box.bottom + 50, box.left - 50 : box.right + 50] = False
        assert changed[box.top : box.bottom, box.left : box.right].any() == (made != "sham")
    assert not changed[outside].any()


def test_untouched_places_are_called_nodules_by_a_lot_of_each_pair_of_seeds(tmp_path):
    places = tuple(Box(0, 10 * i, 0, 10 * i + 9, 9, i) for i in range(14))
    one = Radiograph("a", "a", load=lambda: ground(0), places=places)
    maker = Maker(Store(tmp_path), Settings(), seed=1)
    (arm,) = parse_arms(["untouched"])
    lots = [maker.examples(arm, [one], seed)[0] for seed in range(4)]
    for lot in lots:
        assert sorted(lot.nodules + lot.places, key=lambda box: box.index) == list(places)
        assert len(lot.nodules) == 7
    for even, odd in (lots[:2], lots[2:]):
        assert set(odd.nodules) == set(even.places)
    assert set(lots[2].nodules) not in (set(lots[0].nodules), set(lots[1].nodules))


def test_without_contrast_the_generators_change_nothing_with_grain(tiny_model):
    """The reason why the sham may leave them out."""
    renderer = Renderer(Settings(noise_and_blur=False, model=tiny_model))
    image = ground(2)
    recipes = renderer.plan(image[None], [Box(0, 60, 60, 110, 120)], 3)
    nothing = [replace(recipe, contrast_fraction=SHAM_CONTRAST) for recipe in recipes]
    assert (
        to_output(image, renderer.render(SliceContext(image), nothing)[0], "input") == image
    ).all()


# --- learning -------------------------------------------------------------------------------------

QUICK = patches.PatchTraining(steps=40, batch=16)


def learned(brightness, tested=2.0):
    """AUC on discs of brightness ``tested`` of a network trained on discs of ``brightness``."""
    torch.set_num_threads(1)
    training = patches.patches_of(with_nodules(range(100, 110), brightness))
    test = patches.patches_of(with_nodules(range(8), tested))
    scores = patches.scores(patches.train(training, 0, QUICK), test.pixels)
    return roc_auc_score(test.labels.numpy(), scores)


def test_auc_grows_with_contrast_and_sham_stays_at_a_half():
    assert abs(learned(0.0, tested=0.0) - 0.5) < 0.2  # three standard errors of 32 against 48
    faint, bright = learned(0.3), learned(2.0)
    assert bright > 0.85
    assert bright > faint - 0.02


def test_training_is_deterministic_by_seed():
    training = patches.patches_of(with_nodules(range(2)))
    few = patches.PatchTraining(steps=3, batch=8)
    first, again, other = (patches.train(training, s, few) for s in (1, 1, 2))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


# --- the whole, from folders ----------------------------------------------------------------------


def write(folder, name, pixels):
    with StackWriter(folder / f"{name}.mha", Geometry.plain(2), (1, *pixels.shape),
                     pixels.dtype) as writer:  # fmt: skip
        writer.write(pixels)


@pytest.fixture
def folders(tmp_path):
    """Real radiographs with their boxes in NODE21's form, and backgrounds."""
    real, healthy = tmp_path / "real", tmp_path / "healthy"
    real.mkdir()
    healthy.mkdir()
    lines = ["height,img_name,label,width,x,y"]
    for one in with_nodules(range(6), 2.0, nodules=2):
        write(real, one.name, one.load())
        lines += [f"{b.height},{one.name}.mha,1,{b.width},{b.left},{b.top}" for b in one.nodules]
    for seed in (6, 7):
        write(real, f"r{seed}", ground(seed))
        lines.append(f"0,r{seed}.mha,0,0,0,0")
    for seed in range(20, 25):
        write(healthy, f"h{seed}", ground(seed))
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "places.csv").write_text(
        "stem,x,y,width,height\n" + "".join(f"a,{x},{y},{w},{h}\n" for x, y, w, h in SOURCE)
    )
    return tmp_path


def command(folders, *more):
    return main(["utility", "--real", str(folders / "real"), "--boxes",
                 str(folders / "metadata.csv"), "--radiographs", str(folders / "healthy"),
                 "--places", str(folders / "places.csv"), "--output", str(folders / "out"),
                 "--size-px", "15-140", "--steps", "4", "--networks", "2", "--per-image", "3",
                 "--without", "4", "--folds", "2", *more])  # fmt: skip


def test_the_command_writes_tables_curves_and_galleries(folders, capfd):
    arms = "poisson,sham,real,poisson+real-1,poisson-then-real,poisson@contrast:300-then-poisson"
    assert command(folders, "--arms", arms, "--primary", "sham,poisson") == 0
    said = capfd.readouterr()
    assert said.err == ""
    out = folders / "out"
    assert (out / "utility-patches.md").read_text().strip() in said.out
    content = json.loads((out / "utility-patches.json").read_text())
    assert list(content["arms"]) == arms.split(",")
    assert content["counts"]["nodules"] == 12
    assert content["counts"]["radiographs"] == 8
    assert len(content["arms"]["real"]["seeds"]["AUC"]) == 2
    difference = content["primary"]["difference"]
    assert difference["low"] <= difference["value"] <= difference["high"]
    page = (out / "utility-patches.html").read_text()
    assert 12 < page.count("<figure>") <= 24
    assert "sham minus poisson" in page


@pytest.mark.parametrize("arms", ["poisson", "strawman,sham", "singan,sham"])
def test_without_the_usual_comparison_there_are_figures_all_the_same(folders, arms):
    assert command(folders, "--arms", arms) == 0
    content = json.loads((folders / "out" / "utility-patches.json").read_text())
    assert list(content["arms"]) == arms.split(",")
    assert content["primary"]["difference"] is None
    assert "not run" in (folders / "out" / "utility-patches.md").read_text()


def test_after_a_kill_nothing_is_made_twice_and_the_figures_are_the_same(folders, monkeypatch):
    assert command(folders, "--arms", "poisson,strawman") == 0
    out = folders / "out"
    whole = (out / "utility-patches.json").read_bytes()
    kept = {path: path.read_bytes() for path in (out / "store").rglob("*.npz")}
    for number, path in enumerate(sorted(kept)):  # as if killed half way
        if number % 2:
            path.unlink()
    calls = []
    train = patches.train
    monkeypatch.setattr(patches, "train", lambda *a, **k: calls.append(1) or train(*a, **k))
    assert command(folders, "--arms", "poisson,strawman") == 0
    assert (out / "utility-patches.json").read_bytes() == whole
    again = set((out / "store").rglob("*.npz"))
    assert again <= set(kept)
    calls.clear()
    assert command(folders, "--arms", "poisson,strawman") == 0
    assert not calls


def test_an_arm_made_elsewhere_has_the_places_of_all_others(folders):
    places = folders / "places"
    assert command(folders, "--write-places", str(places)) == 0
    assert command(folders, "--arms", f"sham,mine={places}", "--primary", "mine,sham") == 0
    content = json.loads((folders / "out" / "utility-patches.json").read_text())
    assert content["arms"]["sham"]["seeds"] == content["arms"]["mine"]["seeds"]
    assert content["primary"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--arms", "magic"], "is no arm"),
        (["--size-px", "300-400"], "None of the 8 real radiographs"),
        (["--on-the-fly"], "whose nodules are made once"),
        (["--primary", "sham,sham"], "minus itself"),
        (["--arms", "sham,poisson", "--primary", "sham,posson"], "posson is no arm of this run"),
        (["--radiographs", "nowhere"], "nowhere"),
    ],
)
def test_wrong_choices_are_told_in_one_sentence(folders, capfd, options, says):
    assert command(folders, *options) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert says in line
    assert line.endswith(".")


def test_a_leak_on_disk_is_told(folders, capfd):
    write(folders / "healthy", "renamed", ground(6))
    assert command(folders) == 2
    assert "the same radiograph" in capfd.readouterr().err


# --- whole radiographs ----------------------------------------------------------------------------


def test_a_missing_package_is_one_sentence():
    with pytest.raises(SettingError, match=r"Depth x needs no_such_package.*another depth\.$"):
        extras.need("no_such_package.part", "x")


def test_damaged_pieces_are_made_anew(tmp_path):
    store = Store(tmp_path)
    made = store.once("kind", ["a"], lambda: {"x": np.arange(3)})
    store.path("kind", content_hash("a")).write_bytes(b"PK\x03\x04 torn")
    again = store.once("kind", ["a"], lambda: {"x": np.arange(3)})
    assert (made["x"] == again["x"]).all()
    assert store.load("kind", content_hash("a")) is not None


def test_options_refuse_what_is_too_small():
    with pytest.raises(UtilityError, match="folds is 1"):
        Options(folds=1)
    assert callable(utility)
