"""Utility: what a detector learns; leaks are refused, a kill loses nothing, figures are right."""

import json
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

from nodegen.cli import main
from nodegen.errors import SettingError, UtilityError
from nodegen.evaluation.pictures import TILE_PX
from nodegen.evaluation.statistics import estimate
from nodegen.evaluation.utility import run_utility, scoring, segresnet, trained_detector
from nodegen.evaluation.utility.arms import MADE, parse_arms
from nodegen.evaluation.utility.cache import once
from nodegen.evaluation.utility.cases import BoxedRadiograph, check_leaks, read_cases, split
from nodegen.evaluation.utility.places import GAP_PX, place_all
from nodegen.evaluation.utility.protocol import folds_of, jobs
from nodegen.evaluation.utility.scoring import TestSet, hits_of
from nodegen.evaluation.utility.training_images import TrainingImages, draw_discs
from nodegen.evaluation.utility.utility_options import Options
from nodegen.io.boxes import BOXES, Box, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.read_box_table import read_box_table
from nodegen.io.stack import stack_writer
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import SliceContext, to_output

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
    return BoxedRadiograph(f"r{seed}", f"r{seed}", lambda: image, **more)


def with_nodules(seeds, nodules=4):
    """Radiographs with "real" nodules, which are discs."""
    made = []
    for one in place_all([radiograph(s) for s in seeds], SOURCE, nodules, seed=9):
        pixels = (draw_discs(one.load(), one.nodules, 77) * 4095).astype(np.uint16)
        made.append(replace(one, load=lambda pixels=pixels: pixels))
    return made


# --- the figures ----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn_with_any_ties_and_weights(items):
    scores, labels = np.array(items).T.astype(float)
    labels = labels.astype(bool)
    weights = np.random.default_rng(0).integers(1, 4, (3, len(items)))
    found = scoring.weighted_auc(scores, labels, weights)
    if labels.all() or not labels.any():
        assert np.isnan(found).all()
    else:
        wanted = [roc_auc_score(labels, scores, sample_weight=w) for w in weights]
        np.testing.assert_allclose(found, wanted)


def random_hits(rng, alarms, images, nodules, **more):
    made = {
        "false": rng.random(alarms),
        "false_image": rng.integers(0, images, alarms),
        "true": rng.random(nodules).round(1),
        "true_image": np.arange(nodules) % images,
        "counted": np.ones(images, bool),
    }
    return scoring.Hits(**made | more)


def test_froc_is_that_of_monai():
    metrics = pytest.importorskip("monai.metrics")
    hits = random_hits(np.random.default_rng(3), 60, 8, 20)
    rates, sensitivity = metrics.compute_froc_curve_data(hits.false, hits.true, 20, 8)
    own = scoring.froc(hits, np.ones((1, 8)))
    np.testing.assert_allclose(own[0][0], rates)
    np.testing.assert_allclose(own[1][0], sensitivity)
    wanted = metrics.compute_froc_score(rates, sensitivity, scoring.FROC_AT)
    assert scoring.sensitivities(hits, np.ones((1, 8))).mean() == pytest.approx(wanted)


def test_an_image_drawn_twice_counts_twice_in_the_froc():
    hits = random_hits(np.random.default_rng(4), 30, 4, 9)
    copies = [np.flatnonzero(hits.false_image == i) for i in (0, 0, 1, 3)]
    true = [np.flatnonzero(hits.true_image == i) for i in (0, 0, 1, 3)]
    copied = scoring.Hits(
        hits.false[np.concatenate(copies)],
        np.repeat(np.arange(4), [len(c) for c in copies]),
        hits.true[np.concatenate(true)],
        np.repeat(np.arange(4), [len(c) for c in true]),
        hits.counted,
    )
    # The lowest level of all is no threshold; image 2 has it or not.
    weights = np.array([[2, 1, 0, 1]]), np.ones((1, 4))
    at = [scoring.sensitivities(h, w) for h, w in zip((hits, copied), weights, strict=True)]
    np.testing.assert_allclose(at[0], at[1], atol=0.12)


def test_rates_are_of_the_radiographs_whose_false_alarms_count():
    rng = np.random.default_rng(5)
    all_count = random_hits(rng, 0, 4, 8, false=np.array([0.5, 0.6]), false_image=np.array([0, 1]))
    half = replace(all_count, counted=np.array([True, True, False, False]))
    rates = [scoring.froc(hits, np.ones((1, 4)))[0][0].max() for hits in (all_count, half)]
    assert rates[1] == 2 * rates[0]


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
    empty = np.zeros((0, 5))
    hits = hits_of([one, radiograph(1)], [found, empty])
    np.testing.assert_allclose(hits.true, [0.9], rtol=1e-6)
    np.testing.assert_allclose(hits.false, [0.8], rtol=1e-6)
    assert hits.false_image.tolist() == [0]
    unboxed = hits_of([replace(one, others_unboxed=True), radiograph(1)], [found, empty])
    np.testing.assert_allclose(unboxed.true, [0.9], rtol=1e-6)
    assert not len(unboxed.false)
    assert unboxed.counted.tolist() == [False, True]


def test_the_interval_holds_the_figure_and_the_draws_are_paired():
    pytest.importorskip("monai.metrics")
    test = TestSet([*with_nodules(range(6)), radiograph(7), radiograph(8)])
    rng = np.random.default_rng(0)
    scores = [
        np.array([[b.left, b.top, b.width, b.height, rng.random()] for b in one.nodules]
                 + [[1, 1, 4, 4, rng.random()]])
        for one in test.radiographs
    ]  # fmt: skip
    first, again = (test.measures(scores)["FROC"] for _ in range(2))
    assert (first == again).all()
    found = estimate(first[0], first[1:])
    assert found.low <= found.value <= found.high


def test_thirds_of_contrast_to_noise_part_the_nodules_evenly():
    kinds = scoring.kinds(with_nodules(range(6)))
    thirds = [kinds[f"contrast to noise: {name}"] for name in scoring.THIRDS]
    assert (np.sum(thirds, axis=0) == 1).all()
    assert [int(third.sum()) for third in thirds] == [8, 8, 8]


# --- the sides: patients, places, folds -----------------------------------------------------------


def test_patients_follow_from_names_and_folders(tmp_path):
    for name in ("00002361_008", "00002361_011", "n0044", "patient00012/view1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{name}.png")
    found = {one.name: one.patient for one in read_cases([tmp_path])}
    assert found == {"00002361_008": "00002361", "00002361_011": "00002361", "n0044": "n0044",
                     "view1": "patient00012"}  # fmt: skip


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
        check_leaks(training, [*test, BoxedRadiograph("other", patient, planted)])


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
    all_, few = (place_all([radiograph(s) for s in n], SOURCE, 9, seed=1)
                 for n in ((0, 1, 2), (2,)))  # fmt: skip
    assert all_[2].nodules == few[0].nodules
    for one in all_:
        assert len(one.nodules) == 9
        pairs = [(a, b) for i, a in enumerate(one.nodules) for b in one.nodules[:i]]
        assert all(a.gap(b) >= GAP_PX for a, b in pairs)


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
    (weighted,) = parse_arms(["singan@subtlety:obvious=1"])
    assert (weighted.made, weighted.folder) == ("singan@subtlety:obvious=1", None)
    assert parse_arms(["poisson@contrast:300", "poisson"])[0].made == "poisson@contrast:300"
    fewer, default = parse_arms(["singan@nodules:0-3", "singan"])
    assert (fewer.shown, default.shown) == (((0, 3), False), ((4, 4), True))
    visible, plain = parse_arms(["singan@recipe:detector", "singan@recipe:plain"])
    assert (visible.shown, plain.shown) == (default.shown, ((1, 3), False))
    assert {arm.made for arm in (fewer, default, visible, plain)} == {"singan"}, "drawn once"
    assert parse_arms(["discs"])[0].shown == default.shown
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
        ["singan@nodules:x"],
        ["singan@recipe:best"],
    ],
)
def test_unknown_arms_are_refused(words):
    with pytest.raises(UtilityError):
        parse_arms(words)


@pytest.mark.parametrize("made", [*(m for m in MADE if m != "singan-paper"), "paste@contrast:900"])
def test_every_method_changes_its_boxes_and_the_null_control_changes_nothing(
    made, tiny_model, tmp_path
):
    settings = Settings(noise_and_blur=False, intensity="input", model=tiny_model)
    image, boxes = ground(0), [Box(0, 60, 60, 110, 120), Box(0, 160, 150, 210, 200, 1)]
    (arm,) = parse_arms([made])
    drawn, visibility = TrainingImages(tmp_path, settings, seed=1).make(arm, image, boxes)
    changed = drawn != image
    outside = np.ones_like(changed)
    for box in boxes:
        outside[box.top - 50 : box.bottom + 50, box.left - 50 : box.right + 50] = False
        assert changed[box.top : box.bottom, box.left : box.right].any() == (made != "null")
    assert not changed[outside].any()
    recipes = Renderer(settings).plan(image[None], boxes[::-1], 1)
    by_box = {recipe.box.edges: recipe.visibility_asked for recipe in recipes}
    if made not in ("baseline", "paste@contrast:900"):  # which have contrasts of their own
        assert visibility.tolist() == [by_box[box.edges] for box in boxes]


def test_without_contrast_the_generators_change_nothing_with_grain(tiny_model):
    """So the null control need not draw anything."""
    renderer = Renderer(Settings(noise_and_blur=False, model=tiny_model))
    image = ground(2)
    recipes = renderer.plan(image[None], [Box(0, 60, 60, 110, 120)], 3)
    nothing = [replace(recipe, contrast_fraction=1e-6) for recipe in recipes]
    made = renderer.render(SliceContext(image), nothing)[0]
    assert (to_output(SliceContext(image), made, "input") == image).all()


# --- radiographs and tables -----------------------------------------------------------------------


def write(folder, name, pixels):
    folder.mkdir(exist_ok=True)
    with stack_writer(folder / f"{name}.mha", Geometry.plain(2), (1, *pixels.shape),
                     pixels.dtype) as write:  # fmt: skip
        write(pixels)


def test_several_folders_and_tables_with_sources_and_others_unboxed(tmp_path):
    for folder, seeds in (("first", (0, 1)), ("second", (2, 3))):
        for seed in seeds:
            write(tmp_path / folder, f"r{seed}", ground(seed))
    head = "stem,x,y,width,height,trust,others_unboxed\n"
    rows = {
        "first": ["r0,40,40,40,40,official,0", "r0,90,90,40,40,doubtful,0"],
        "second": ["r2,50,60,40,44,official,1", "r2,120,120,9,9,official,1"],
    }
    tables = []
    for folder, lines in rows.items():
        (tmp_path / f"{folder}.csv").write_text(head + "\n".join(lines) + "\n")
        tables.append(read_box_table(tmp_path / f"{folder}.csv"))
    both = [tmp_path / "first", tmp_path / "second"]
    found = read_cases(both, None, tables, (30, 130), ("doubtful",))
    by_name = {one.name: one for one in found}
    assert [len(by_name[f"r{i}"].nodules) for i in range(4)] == [1, 0, 1, 0]
    assert [len(by_name[f"r{i}"].ignored) for i in range(4)] == [1, 0, 1, 0]
    assert [one.others_unboxed for one in found] == [False, False, True, False]


def test_what_cannot_be_read_is_named_and_left_out(tmp_path, capsys):
    write(tmp_path / "a", "good", ground(0))
    (tmp_path / "a" / "torn.mha").write_bytes(b"ObjectType = Image\nNDims = 2\n")
    write(tmp_path / "b", "no_lungs", ground(1)[:200])
    assert [one.name for one in read_cases([tmp_path / "a"])] == ["good"]
    assert "torn.mha: " in capsys.readouterr().err
    with pytest.raises(UtilityError, match="None of the radiographs"):
        read_cases([tmp_path / "b"], tmp_path / "store")
    assert "no_lungs.mha: " in capsys.readouterr().err


def test_a_radiograph_in_another_form_is_standardised_with_its_boxes(tmp_path, chest):
    pixels = chest[0]
    x, y = 300, 420
    pixels = np.pad(pixels, 100, mode="edge")
    pixels[y - 3 : y + 3, x - 3 : x + 3] = pixels.max()
    eight_bit = (pixels / pixels.max() * 255).astype(np.uint8)
    (tmp_path / "png").mkdir()
    Image.fromarray(eight_bit).save(tmp_path / "png" / "a.png")
    beside = "a,2,2,60,60"  # the crop to the lungs leaves it out
    rows = f"stem,x,y,width,height\na,{x - 30},{y - 30},60,60\n{beside}\n"
    (tmp_path / "boxes.csv").write_text(rows)
    table = read_box_table(tmp_path / "boxes.csv")
    store = tmp_path / "store"
    (one,) = read_cases([tmp_path / "png"], store, [table], (30, 300))
    assert one.load().shape == (1024, 1024)
    assert one.load().dtype == np.uint16
    ((box,), ignored) = one.nodules, one.ignored
    assert not ignored
    part = one.load()[box.top : box.bottom, box.left : box.right]
    peak = np.array(np.unravel_index(part.argmax(), part.shape)) / part.shape
    np.testing.assert_allclose(peak, 0.5, atol=0.1)
    (untouched,) = read_cases([tmp_path / "png"], None, [table], (30, 300))
    assert (untouched.load() == eight_bit).all()


# --- the whole, from folders ----------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    pytest.importorskip("monai")
    torch.set_num_threads(1)
    monkeypatch.setattr(trained_detector, "SIDE_PX", 64)
    monkeypatch.setattr(segresnet, "BLOCKS_DOWN", (1, 1))
    monkeypatch.setattr(segresnet, "BLOCKS_UP", (1,))
    monkeypatch.setattr(segresnet, "STRIDE", 2)
    monkeypatch.setattr(segresnet, "PEAK_PX", 9)


@pytest.fixture
def folders(tmp_path, small):
    """Real radiographs with their boxes in NODE21's form, and backgrounds."""
    lines = ["height,img_name,label,width,x,y"]
    for one in with_nodules(range(6), nodules=2):
        write(tmp_path / "real", one.name, one.load())
        lines += [f"{b.height},{one.name}.mha,1,{b.width},{b.left},{b.top}" for b in one.nodules]
    for seed in (6, 7):
        write(tmp_path / "real", f"r{seed}", ground(seed))
        lines.append(f"0,r{seed}.mha,0,0,0,0")
    for seed in range(20, 25):
        write(tmp_path / "healthy", f"h{seed}", ground(seed))
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "places.csv").write_text(
        "stem,x,y,width,height\n" + "".join(f"a,{x},{y},{w},{h}\n" for x, y, w, h in SOURCE)
    )
    return tmp_path


def command(folders, *more):
    words = {
        "--real": folders / "real", "--boxes": folders / "metadata.csv",
        "--radiographs": folders / "healthy", "--places": folders / "places.csv",
        "--output": folders / "out", "--size-px": "15-140", "--steps": 4, "--networks": 1,
        "--per-image": 3, "--folds": 2, "--processes": 1,
    }  # fmt: skip
    given = [f"{name}={value}" for name, value in words.items() if name not in more]
    return main(["utility", *given, *more])


def written(folders):
    return json.loads((folders / "out" / "utility-segresnet.json").read_text())


def test_the_command_writes_tables_a_curve_and_pictures(folders, capfd):
    arms = "baseline,null,real,discs+real-1,discs-then-real,poisson@recipe:detector"
    options = ("--arms", arms, "--primary", "null,baseline", "--networks", "2")
    assert command(folders, *options) == 0
    said = capfd.readouterr()
    assert said.err == ""
    out = folders / "out"
    assert (out / "utility-segresnet.md").read_text().strip() in said.out
    content = written(folders)
    assert list(content["arms"]) == arms.split(",")
    assert content["counts"] == {"radiographs": 8, "nodules": 12, "seeds": 2}
    assert content["arms"]["baseline"]["learned_from"]["synthetic nodules"] == 15
    assert content["arms"]["discs-then-real"]["learned_from"] == {
        "synthetic radiographs": 5, "synthetic nodules": 15,
        "real radiographs": 4, "real nodules": 6,
    }  # fmt: skip
    assert len(content["arms"]["real"]["seeds"]["FROC"]) == 2
    assert content["primary"] == content["compared"] == ["null", "baseline"]
    assert "named beforehand: null minus baseline: FROC " in said.out
    difference = content["arms"]["null"]["differences"]["FROC"]
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert content["second_half"]["low"] <= content["second_half"]["high"]
    assert "The second half of the training adds" in said.out
    assert (out / "utility-segresnet.svg").read_text().count("<svg") == 1
    with Image.open(out / "utility-segresnet.png") as missed:
        assert missed.width == 4 * (TILE_PX + 4) + 4
    head, *nodules = (out / "utility-segresnet.csv").read_text().splitlines()
    assert head == f"radiograph,x,y,width,height,{arms}"
    assert len(nodules) == 12
    assert all(0 <= float(score) <= 1 for score in nodules[0].split(",")[5:])


@pytest.mark.parametrize("arms", ["poisson", "discs,null", "singan,null"])
def test_without_the_usual_comparison_there_are_figures_all_the_same(folders, arms):
    assert command(folders, "--arms", arms, "--no-check-steps") == 0
    content = written(folders)
    assert list(content["arms"]) == arms.split(",")
    assert content["second_half"] is None
    assert "not run" in (folders / "out" / "utility-segresnet.md").read_text()


def test_after_a_kill_nothing_is_made_twice_and_the_figures_are_the_same(folders, monkeypatch):
    assert command(folders, "--arms", "poisson,discs") == 0
    whole = (folders / "out" / "utility-segresnet.json").read_bytes()
    kept = {path: path.read_bytes() for path in (folders / "out" / "store").rglob("*.npz")}
    for number, path in enumerate(sorted(kept)):  # as if killed half way
        if number % 2:
            path.unlink()
    calls = []
    train = trained_detector.Detector.train
    monkeypatch.setattr(
        trained_detector.Detector, "train", lambda *a, **k: calls.append(1) or train(*a, **k)
    )
    assert command(folders, "--arms", "poisson,discs") == 0
    assert (folders / "out" / "utility-segresnet.json").read_bytes() == whole
    assert set((folders / "out" / "store").rglob("*.npz")) <= set(kept)
    calls.clear()
    assert command(folders, "--arms", "poisson,discs") == 0
    assert not calls


def test_an_arm_made_elsewhere_has_its_own_boxes_and_no_leak(folders, capfd):
    def made(name, seeds):
        folder = folders / name
        with stack_writer(
            folder / "made.mha", Geometry.plain(3), (2, SIDE, SIDE), np.uint16
        ) as put:
            for seed in seeds:
                put(ground(seed))
        write_boxes(folder / BOXES, [Box(0, 40, 40, 80, 90), Box(1, 50, 90, 80, 120),
                                     Box(1, 150, 90, 190, 120)])  # fmt: skip
        return folder

    assert command(folders, "--arms", f"null,mine={made('mine', (30, 31))}") == 0
    learned = written(folders)["arms"]["mine"]["learned_from"]
    assert (learned["synthetic radiographs"], learned["synthetic nodules"]) == (2, 3)
    capfd.readouterr()
    assert command(folders, "--arms", f"mine={made('leak', (30, 1))}") == 2
    assert "made/1 and the test's r1 are the same radiograph" in capfd.readouterr().err


def test_several_processes_give_the_same_figures(folders, monkeypatch):
    """Without processes, which do not know the small network."""
    arms = "discs,real,discs-then-real"
    assert command(folders, "--arms", arms) == 0
    alone = written(folders)

    class Here:
        def __init__(self, count, prepare):
            assert count == 2
            self.work = pickle.loads(pickle.dumps(prepare))()
            self.one = threading.Lock()  # MONAI's transforms serve a thread at a time

        def run(self, task):
            with self.one:
                return self.work(*task)

    monkeypatch.setattr(run_utility, "Processes", Here)
    for path in (folders / "out" / "store").rglob("*.npz"):
        path.unlink()
    assert command(folders, "--arms", arms, "--processes", "2") == 0
    assert written(folders) == alone


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--arms", "magic"], "is no arm"),
        (["--size-px", "300-400"], "None of the 8 real radiographs"),
        (["--primary", "null,null"], "give two arms"),
        (["--arms", "null,poisson", "--primary", "null,posson"], "posson is no arm of this run"),
        (["--radiographs", "nowhere"], "nowhere"),
    ],
)
def test_wrong_choices_are_refused_in_one_sentence(folders, capfd, options, says):
    assert command(folders, *options) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert says in line
    assert line.endswith(".")


def test_a_leak_on_disk_is_refused(folders, capfd):
    write(folders / "healthy", "renamed", ground(6))
    assert command(folders) == 2
    assert "the same radiograph" in capfd.readouterr().err


def test_damaged_pieces_are_made_anew(tmp_path):
    made = once(tmp_path, "kind", ["a"], lambda: {"x": np.arange(3)})
    (kept,) = (tmp_path / "kind").iterdir()
    kept.write_bytes(b"PK\x03\x04 torn")
    again = once(tmp_path, "kind", ["a"], lambda: {"x": np.arange(3)})
    assert (made["x"] == again["x"]).all()
    assert once(tmp_path, "kind", ["a"], dict)["x"].tolist() == [0, 1, 2]


def test_options_refuse_what_is_too_small():
    with pytest.raises(SettingError, match="folds is 1"):
        Options(folds=1)
