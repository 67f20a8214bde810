"""The reader study: how it is drawn, answered in a browser, and analysed."""

import contextlib
import csv
import functools
import io
import json
import re
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nodegen.cli import main
from nodegen.errors import BoxesError, SettingError, StackError
from nodegen.evaluation.boxed_images import BoxedImage, read_real
from nodegen.evaluation.reader_study.analysis import SECONDS, analyse
from nodegen.evaluation.reader_study.backgrounds import Backgrounds
from nodegen.evaluation.reader_study.design import (
    Material,
    balanced,
    plan_study,
    practice_first,
    stratify,
)
from nodegen.evaluation.reader_study.study_page import write_study
from nodegen.evaluation.reader_study.study_plan import Place, StudyCase, StudyPlan
from nodegen.io.boxes import Box, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.read_box_table import read_box_table
from nodegen.io.stack import stack_writer
from nodegen.lungs.fields import Lungs
from nodegen.renderer import Renderer
from nodegen.settings import Settings

SIDE = 320
RENDERERS = {"paste": Renderer(Settings(method="paste", noise_and_blur=False))}


@pytest.fixture(scope="module", autouse=True)
def _no_lungs_for_the_renderers():
    """These radiographs are noise: the network that finds lungs has nothing to say of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodegen.synthesis.context.find_region", lambda pixels: None)
        yield


def lungs_of(pixels):
    """Two upright rectangles, a little apart."""
    labels = np.zeros(pixels.shape, np.uint8)
    labels[20:300, 15:145] = 1
    labels[20:300, 175:305] = 2
    return Lungs(labels, 1.0)


def material(real=None, untouched=None, made=(), renderers=RENDERERS):
    real = images_with_nodules() if real is None else real
    untouched = untouched_images() if untouched is None else untouched
    return Material(real, untouched, made, renderers)


@pytest.fixture(scope="module", autouse=True)
def _two_upright_lungs():
    with lungs_found_by(lungs_of):
        yield


@contextlib.contextmanager
def lungs_found_by(find):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodegen.evaluation.fidelity.ground.find_lungs", find)
        yield


def room(nodule, image, find=lungs_of):
    with lungs_found_by(find):
        return Backgrounds([image], np.random.default_rng(0)).room(nodule, image)


def image(number, boxes=(), group="a", rng=None):
    rng = rng or np.random.default_rng(number)
    pixels = rng.normal(1500, 60, (SIDE, SIDE))
    rows, columns = np.indices(pixels.shape)
    for left, top, right, bottom in boxes:
        away = np.hypot(rows - (top + bottom) / 2, columns - (left + right) / 2) / (right - left)
        pixels += (200 + 50 * number) * np.clip(1 - 4 * away**2, 0, None)
    drawn = tuple(Box(0, *box, i) for i, box in enumerate(boxes))
    return BoxedImage(f"radiograph{number}", group, pixels.astype(np.uint16), (0.2, 0.2), drawn)


def images_with_nodules(count=12):
    places = [(40, 40, 80, 80), (200, 60, 250, 110), (60, 220, 120, 280), (220, 210, 260, 250)]
    return [image(i, [places[i % 4], places[(i + 1) % 4]]) for i in range(count)]


def untouched_images(count=12):
    return [image(100 + i) for i in range(count)]


CASES = {"rating": 20, "choice": 10, "marking": 9}  # of the study that most tests share


@functools.cache
def draw(kind, cases=None, practice=2, **more):
    plan = StudyPlan(kind, cases or CASES[kind], practice, **more)
    return plan, plan_study(plan, material())


# --- the draw -------------------------------------------------------------------------------------


def test_a_rating_study_has_real_synthetic_and_untouched_places():
    _, cases = draw("rating")
    assert Counter(case.places[0].kind for case in cases if not case.practice) == {
        "real": 8, "synthetic": 8, "untouched": 4,
    }  # fmt: skip


def test_a_choice_pairs_a_real_with_a_synthetic_one_of_its_size_and_place():
    _, cases = draw("choice")
    assert len(cases) == 12
    first = Counter()
    images = {one.name: one for one in (*images_with_nodules(), *untouched_images())}
    for case in cases:
        kinds = [place.kind for place in case.places]
        assert sorted(kinds) == ["real", "synthetic"]
        first[kinds[0]] += 1
        real, made = sorted(case.places, key=lambda place: place.kind)
        assert made.box.width == real.box.width
        assert made.box.centre == pytest.approx(real.box.centre, abs=1)
        assert made.image.name != real.image.name
        before = images[made.image.name]
        assert np.any(made.image.pixels != before.pixels)
    assert first["real"] == first["synthetic"], "the real one stands on either side"


def nodule_at(centre, side=40):
    x, y = centre
    box = (x - side // 2, y - side // 2, x + side // 2, y + side // 2)
    return Place("real", image(0, [box]), Box(0, *box))


def shifted(pixels):
    """Lungs of half the height, in the radiograph's lower half."""
    labels = np.zeros(pixels.shape, np.uint8)
    labels[160:300, 15:145] = 1
    labels[160:300, 175:305] = 2
    return Lungs(labels, 1.0)


def test_a_place_is_that_of_the_real_nodule_in_the_lungs_own_coordinates():
    background = image(9)
    found = {id(background.pixels): shifted}
    find = lambda pixels: found.get(id(pixels), lungs_of)(pixels)  # noqa: E731
    box = room(nodule_at((80, 160)), background, find)
    assert (box.width, box.height) == (40, 40)
    assert box.centre == pytest.approx((80, 230), abs=2), "in the middle of the lung there too"


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (lambda pixels: None, "no lungs are found"),
        (lambda pixels: replace(lungs_of(pixels), labels=hollow(pixels)), "there is no lung there"),
    ],
)
def test_no_place_off_the_lungs(labels, why):
    background = image(9)

    def find(pixels):
        if pixels is not background.pixels:
            return lungs_of(pixels)
        if labels(pixels) is None:
            raise StackError("no lungs")
        return labels(pixels)

    assert room(nodule_at((80, 160)), background, find) is None, why
    assert room(nodule_at((80, 160)), background)


def hollow(pixels):
    """As if a heart lay over most of the lungs' middle."""
    labels = lungs_of(pixels).labels
    labels[100:220, 40:280] = 0
    return labels


def test_practice_and_the_rest_hold_all_kinds_in_like_shares():
    kinds = ["real"] * 27 + ["synthetic"] * 26 + ["untouched"] * 13
    cases = [StudyCase((), kind) for kind in kinds]
    for seed in range(5):
        drawn = practice_first(cases, 6, np.random.default_rng(seed))
        assert [case.practice for case in drawn] == [True] * 6 + [False] * 60
        assert sorted(Counter(case.kind for case in drawn[:6]).values()) == [1, 2, 3]
        rest = Counter(case.kind for case in drawn[6:])
        assert (rest["real"], rest["synthetic"], rest["untouched"]) == (24, 24, 12)


def test_methods_draw_equally_many_and_are_told_apart(tmp_path):
    renderers = {
        name: Renderer(Settings(method=name, noise_and_blur=False)) for name in ("paste", "poisson")
    }
    plan = StudyPlan("rating", 20, 0, candidates=1)
    cases = plan_study(plan, material(renderers=renderers))
    made = [case.places[0] for case in cases if case.places[0].kind == "synthetic"]
    assert Counter(place.method for place in made) == {"paste": 4, "poisson": 4}
    key = write_study(tmp_path / "s.html", cases, plan)
    truth = json.loads(key.read_text())
    answers = [
        {
            "case": name,
            "seconds": 1.0,
            "rating": {"": 4, "paste": 1, "poisson": 5}[case.get("method", "")],
        }
        for name, case in truth["cases"].items()
    ]
    given = {"study": truth["study"], "reader": "A", "answers": answers}
    (tmp_path / "a.json").write_text(json.dumps(given))
    analysis = analyse(key, [tmp_path / "a.json"], tmp_path / "out")
    assert figure(analysis, "AUC", "method: paste").value == 1
    assert figure(analysis, "AUC", "method: poisson").value == 0


def test_new_nodules_keep_away_from_known_ones():
    _, cases = draw("choice")
    for case in cases:
        for place in case.places:
            for known in place.image.boxes if place.kind == "synthetic" else ():
                apart_x = max(known.left - place.box.right, place.box.left - known.right)
                apart_y = max(known.top - place.box.bottom, place.box.top - known.bottom)
                assert max(apart_x, apart_y) >= 0.5 * max(known.side, place.box.side)


def test_the_same_seed_draws_the_same_study(tmp_path):
    pages = []
    for name in ("a", "b", "c"):
        plan, cases = draw.__wrapped__("rating", 6, seed=int(name == "c"), candidates=1)
        write_study(tmp_path / f"{name}.html", cases, plan)
        pages.append((tmp_path / f"{name}.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]


def test_more_candidates_come_closer_in_subtlety():
    def away(candidates):
        _, cases = draw("choice", cases=8, practice=0, candidates=candidates, seed=3)
        return np.mean(
            [abs(c.places[0].contrast_to_noise - c.places[1].contrast_to_noise) for c in cases]
        )

    assert away(6) < away(1)


def test_strata_are_drawn_evenly_and_radiographs_in_turn():
    places = stratify_places()
    strata = stratify(places)
    assert {word["size"] for word in strata} == {"small", "medium", "large"}
    names = [word["zone"] for word in strata]
    chosen = balanced(names, places, 8, np.random.default_rng(0))
    counts = Counter(names[i] for i in chosen)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert max(Counter(places[i].image.name for i in chosen).values()) == 1


def stratify_places():
    made = [image(i, [(40 + 9 * i, 30 + 14 * i, 70 + 12 * i, 60 + 16 * i)]) for i in range(12)]
    return [Place("real", one, one.boxes[0]) for one in made]


def test_a_marking_study_has_radiographs_of_three_kinds():
    _, cases = draw("marking")
    counted = Counter(case.kind for case in cases if not case.practice)
    assert counted == {"real": 3, "synthetic": 3, "untouched": 3}
    for case in cases:
        assert bool(case.places) == (case.kind != "untouched")
    made = next(case for case in cases if case.kind == "synthetic")
    assert made.places[0].contrast_to_noise > 0.3


def test_synthetic_nodules_may_be_given():
    plan = StudyPlan("choice", 4, 0)
    made = [image(50 + i, [(40, 40, 80, 80)]) for i in range(6)]
    cases = plan_study(plan, material(untouched=[], made=made, renderers={}))
    given = {
        place.image.name for case in cases for place in case.places if place.kind == "synthetic"
    }
    assert given <= {one.name for one in made}
    assert len(given) == 4


def test_surround_and_contrast_to_noise_of_a_known_disc():
    pixels = np.random.default_rng(0).normal(1000, 10, (100, 100))
    pixels[40:60, 40:60] += 50
    place = Place("real", BoxedImage("a", "a", pixels), Box(0, 40, 40, 60, 60))
    assert place.surround == pytest.approx((1000, 10), abs=3)
    assert place.contrast_to_noise == pytest.approx(5, abs=0.5)
    flat = replace(place, image=BoxedImage("b", "a", np.full((100, 100), 7)))
    assert flat.contrast_to_noise == 0


@pytest.mark.parametrize(
    ("plan", "real", "untouched", "says"),
    [
        (StudyPlan("rating", 500, 0), 12, 0, "real nodules of 30 to 130 px are wanted"),
        (StudyPlan("choice", 4, 0, sides=(200, 300)), 12, 0, "there are 0"),
        (StudyPlan("marking", 30, 0), 3, 30, "radiographs with real nodules are wanted"),
        (StudyPlan("marking", 9, 0), 12, 2, "untouched radiographs are wanted"),
    ],
)
def test_too_few_are_told(plan, real, untouched, says):
    with pytest.raises(SettingError, match=says):
        plan_study(plan, material(images_with_nodules(real), untouched_images(untouched)))


def test_plans_that_cannot_be_are_told():
    for wrong in ({"kind": "guess"}, {"cases": 1}, {"practice": -1}, {"candidates": 0}):
        with pytest.raises(SettingError):
            StudyPlan(**wrong)


def figure(analysis, name, subgroup="all"):
    """A figure over all readers."""
    wanted = name, subgroup, "all"
    (found,) = (r.estimate for r in analysis.rows if (r.figure, r.subgroup, r.reader) == wanted)
    return found


# --- blinding -------------------------------------------------------------------------------------


def data_of(path):
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S
    )
    return json.loads(found[1])


@pytest.mark.parametrize("kind", ["choice", "rating", "marking"])
def test_the_page_says_nothing_of_the_truth(tmp_path, kind):
    plan, cases = draw(kind)
    key = json.loads(write_study(tmp_path / "s.html", cases, plan).read_text())
    data = data_of(tmp_path / "s.html")
    assert data["study"] == key["study"]
    assert [case["case"] for case in data["cases"]] == list(key["cases"])
    assert [case["practice"] for case in data["cases"]] == [True] * 2 + [False] * CASES[kind]
    for case in data["cases"]:
        assert set(case) == {"case", "practice", "panes"} | (
            {"truth"} if case["practice"] else set()
        )
        for pane in case["panes"]:
            assert set(pane) <= {"pixels", "width", "height", "slope", "spacing", "box"}
    text = json.dumps([case for case in data["cases"] if not case["practice"]])
    assert not re.search(r"radiograph\d|synthetic|real|untouched", text)


# --- reading folders ------------------------------------------------------------------------------


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    with stack_writer(path, Geometry.plain(2), (1, *pixels.shape), np.uint16) as write:
        write(pixels)


@pytest.fixture
def folder(tmp_path):
    real = tmp_path / "real"
    rows = ["stem,x,y,width,height,source"]
    for one in images_with_nodules(8):
        write_image(real / "site" / f"{one.name}.mha", one.pixels)
        rows += [
            f"{one.name},{b.left},{b.top},{b.width},{b.height},hand" for b in one.boxes
        ]  # fmt: skip
    (real / "boxes.csv").write_text("\n".join(rows) + "\n")
    return real


def test_a_folder_and_its_boxes_are_read(folder):
    images = list(read_real([folder], [read_box_table(folder / "boxes.csv")]))
    assert [one.name for one in images] == [f"radiograph{i}" for i in range(8)]
    assert images[1].boxes == images_with_nodules(8)[1].boxes
    assert images[1].sources == ("hand", "hand")
    assert {one.group for one in images} == {"site"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stem,x,y\n", "columns"),
        ("stem,x,y,width,height\nradiograph1,1,2,x,4\n", "Line 2"),
        ("stem,x,y,width,height\nradiograph1,1,2,3\n", "Line 2"),
        ("stem,x,y,width,height\nradiograph1,1,2,0,4\n", "Line 2"),
        ("stem,x,y,width,height\nother,1,2,3,4\n", "names other"),
    ],
)
def test_a_wrong_csv_is_told(folder, text, says):
    (folder / "wrong.csv").write_text(text)
    with pytest.raises(BoxesError, match=says):
        list(read_real([folder], [read_box_table(folder / "wrong.csv")]))


def test_what_is_missing_is_told(folder, tmp_path):
    with pytest.raises(BoxesError, match="cannot be read"):
        list(read_real([folder], [read_box_table(folder / "none.csv")]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(StackError, match="no radiograph in"):
        list(read_real([tmp_path / "empty"]))
    (tmp_path / "empty" / "radiograph1.mha").write_bytes(b"NDims = 2\n")
    with pytest.raises(StackError, match=r"None of the radiographs in .* can be used"):
        list(read_real([tmp_path / "empty"], [read_box_table(folder / "boxes.csv")]))


def test_the_command_makes_a_study_and_analyses_it(folder, tmp_path, capfd):
    made = tmp_path / "made"
    made.mkdir()
    background = image(7)
    write_image(made / "77.mha", background.pixels)
    write_boxes(made / "nodules.json", [Box(0, 20 + 70 * i, 40, 60 + 70 * i, 80) for i in range(4)])
    page = tmp_path / "study.html"
    arguments = ["--real", str(folder), "--kind", "choice", "--cases", "3", "--practice", "1"]
    arguments += ["--synthetic", str(made), "--output", str(page)]
    assert main(["reader-study", *arguments]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[-1] == f"key, not for them: {tmp_path / 'study.key.json'}"
    answers = [
        {"case": case["case"], "side": 0, "confidence": 2, "seconds": 3.5}
        for case in data_of(page)["cases"]
    ]
    given = {"study": data_of(page)["study"], "reader": "A", "answers": answers}
    (tmp_path / "a.json").write_text(json.dumps(given))
    read = ["--analyse", str(tmp_path / "a.json"), "--key", str(tmp_path / "study.key.json")]
    assert main(["reader-study", *read, "--output", str(tmp_path / "out")]) == 0
    assert "| share right |" in capfd.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "analysis.csv", "analysis.html", "cases.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--output is missing"),
        (["--output", "x.html"], "--real is missing"),
        (["--output", "x.html", "--real", ".", "--method", "paste,none"], "singan, poisson, paste"),
        (["--analyse", "a.json", "--output", "x"], "--key is missing"),
        (["--analyse", "a.json", "--output", "x", "--key", "k.json"], "There is no k.json"),
    ],
)
def test_missing_options_are_told(arguments, says, capfd):
    assert main(["reader-study", *arguments]) == 2
    assert says in capfd.readouterr().err


def test_the_plan_is_printed(capfd):
    assert main(["reader-study", "--plan"]) == 0
    assert "| 60 | ± 0.147 |" in capfd.readouterr().out


# --- the analysis ---------------------------------------------------------------------------------


def study_files(tmp_path, kind, answer, readers=("A", "B")):
    """A study, and answers by a rule from a case's truth, the reader and a random number."""
    plan, drawn = draw(kind)
    key = write_study(tmp_path / "s.html", drawn, plan)
    truth = json.loads(key.read_text())
    rng = np.random.default_rng(0)
    paths = []
    for reader in readers:
        answers = [
            {"case": name, "seconds": 2.0, **answer(case, reader, rng)}
            for name, case in truth["cases"].items()
            if not case["practice"]
        ]
        path = tmp_path / f"{reader}.json"
        path.write_text(json.dumps({"study": truth["study"], "reader": reader, "answers": answers}))
        paths.append(path)
    return key, paths


def test_a_reader_who_knows_is_always_right(tmp_path):
    def knows(case, reader, rng):
        kinds = case["kind"].split("/")
        return {"side": kinds.index("real"), "confidence": 3}

    analysis = analyse(*study_files(tmp_path, "choice", knows), tmp_path / "out")
    assert figure(analysis, "share right").value == 1
    assert figure(analysis, "Fleiss kappa").value == 1
    times = [row for row in analysis.rows if row.figure == SECONDS]
    assert [(row.reader, str(row.estimate)) for row in times] == [
        ("A", "2.000 (2.000 to 2.000)"), ("B", "2.000 (2.000 to 2.000)"),
    ]  # fmt: skip


def test_ratings_are_analysed(tmp_path):
    def sees(case, reader, rng):
        return {"rating": {"real": 6, "synthetic": 1, "untouched": 0}[case["kind"]]}

    analysis = analyse(*study_files(tmp_path, "rating", sees), tmp_path / "out")
    assert figure(analysis, "AUC").value == figure(analysis, "AUC, seen").value == 1
    assert figure(analysis, "seen, untouched").value == 0
    assert figure(analysis, "seen, synthetic").value == 1

    def guesses(case, reader, rng):
        return {"rating": int(rng.integers(0, 7, 2)[1])}

    key, paths = study_files(tmp_path, "rating", guesses)
    analysis = analyse(key, paths, tmp_path / "out")
    area = figure(analysis, "AUC")
    assert area.low < 0.5 < area.high
    with open(tmp_path / "out" / "analysis.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["reader"] for row in rows} == {"all", "A", "B"}
    assert any(row["subgroup"].startswith("size: ") for row in rows)
    with open(tmp_path / "out" / "cases.csv", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * len(analysis.study.cases)


def test_marks_are_given_to_the_nodules_that_they_hit(tmp_path):
    def marks(case, reader, rng):
        hits = [
            {"x": (n["box"][0] + n["box"][2]) / 2, "y": n["box"][3] + 5, "confidence": 4}
            for n in case["nodules"]
            if n["kind"] == "real"
        ]
        return {"marks": [*hits, {"x": 5, "y": 5, "confidence": 1}]}

    analysis = analyse(*study_files(tmp_path, "marking", marks), tmp_path / "out")
    assert figure(analysis, "hit, real").value == 1
    assert figure(analysis, "hit, synthetic").value == 0
    assert figure(analysis, "JAFROC, real").value == 1
    assert figure(analysis, "JAFROC, synthetic").value == 0, (
        "a stray mark beats a nodule left unmarked"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda given: given.update(study="other"), "answers the study other"),
        (lambda given: given.update(reader="B"), "second set of answers by B"),
        (
            lambda given: given["answers"][0].update(rating=9),
            r"\[0\].rating in .* is 9, and",
        ),
        (
            lambda given: given["answers"][0].update(rating=True),
            r"\[0\].rating in .* is true",
        ),
        (
            lambda given: given["answers"][0].update(seconds=-1),
            r"\[0\].seconds in .* is -1",
        ),
        (
            lambda given: given["answers"][0].update(case=[1]),
            r"\[0\].case in .* is \[1\]",
        ),
        (lambda given: given["answers"][0].update(case="none"), "which the study does not have"),
        (lambda given: given["answers"].append(given["answers"][0]), "twice"),
        (lambda given: given.pop("answers"), "answers in .* is missing; give the file that"),
        (lambda given: given.update(answers=None), "answers in .* is null, and should be"),
        (lambda given: given.update(answers=[3]), r"answers\[0\] in .* is 3, and should be"),
        (lambda given: given.update(reader=["A"]), "reader in .* and should be"),
        (lambda given: given.update(answers=[]), "No case was answered by all readers"),
    ],
)
def test_answers_that_do_not_fit_are_told(tmp_path, change, says):
    key, paths = study_files(tmp_path, "rating", lambda *_: {"rating": 3})
    given = json.loads(paths[0].read_text())
    change(given)
    paths[0].write_text(json.dumps(given))
    with pytest.raises(SettingError, match=says):
        analyse(key, paths, tmp_path / "out")


def test_answers_without_times_are_analysed_without_a_word(tmp_path):
    key, paths = study_files(tmp_path, "rating", lambda *_: {"rating": 3})
    for path in paths:
        given = json.loads(path.read_text())
        for one in given["answers"]:
            del one["seconds"]
        path.write_text(json.dumps(given))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        analysis = analyse(key, paths, tmp_path / "out")
    assert not any(row.figure == SECONDS for row in analysis.rows)


@pytest.mark.parametrize("content", ["{", "[]", '{"cases": {}, "study": "s"}'])
def test_a_key_that_is_none_is_told(tmp_path, content):
    key, paths = study_files(tmp_path, "rating", lambda *_: {"rating": 3})
    key.write_text(content)
    with pytest.raises(SettingError, match=r"; give the NAME\.key\.json beside the page"):
        analyse(key, paths, tmp_path / "out")


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["choice", "rating", "marking"])
def study(request, tmp_path_factory):
    plan, cases = draw(request.param, cases=6, practice=1, candidates=1)
    path = tmp_path_factory.mktemp(request.param) / "study.html"
    return request.param, path, json.loads(write_study(path, cases, plan).read_text())


def text(chromium, selector):
    return chromium.js("return document.querySelector(arguments[0]).textContent", selector)


def begin(chromium, path, width=1440, touch=False, reader="Dr A"):
    chromium.open(path, width, touch)
    sign_in(chromium, reader)


def sign_in(chromium, reader):
    chromium.wait("document.getElementById('start')?.open")
    chromium.settle()
    chromium.js(
        "const e = document.getElementById('reader'); e.value = arguments[0]; e.oninput()", reader
    )
    chromium.click("#begin")
    chromium.wait("document.getElementById('views').dataset.case")
    chromium.settle()


def shows(chromium, progress):
    chromium.wait("document.getElementById('progress').textContent === arguments[0]", progress)
    chromium.settle()


def answer(chromium, kind):
    """Answer a case with keys alone, and go on."""
    case = chromium.js("return document.getElementById('views').dataset.case")
    practice = "Practice" in chromium.js("return document.getElementById('progress').textContent")
    if kind == "choice":
        chromium.press("ArrowRight", "2")
    elif kind == "rating":
        chromium.press("5")
    else:
        chromium.press("c", "ArrowDown", " ", "3", "c")
    chromium.press(*["Enter"] * (1 + practice))
    chromium.wait("document.getElementById('views').dataset.case !== arguments[0]", case)
    chromium.settle()


def test_a_study_is_answered_by_keys_resumed_and_exported(chromium, study):
    kind, path, key = study
    begin(chromium, path)
    assert "Practice 1 of 1" in chromium.js(
        "return document.getElementById('progress').textContent"
    )
    answer(chromium, kind)
    answer(chromium, kind)
    answer(chromium, kind)
    chromium.reload()
    chromium.wait("document.getElementById('start')?.open")
    assert chromium.js("return document.getElementById('reader').value") == "Dr A"
    assert text(chromium, "#whose") == "Dr A has answered 3 of 7 cases in this browser."
    chromium.click("#begin")
    chromium.wait("document.getElementById('progress').textContent === 'Case 3 of 6'")
    chromium.wait("document.getElementById('views').dataset.case")
    for _ in range(4):
        answer(chromium, kind)
    chromium.wait("document.getElementById('end').open")
    given = json.loads(chromium.downloads("#end [data-act=export]"))
    assert given["study"] == key["study"]
    assert [a["case"] for a in given["answers"]] == list(key["cases"])[1:]
    assert len(given["practice"]) == 1
    assert all(0 < a["seconds"] < 60 for a in given["answers"])
    expected = {
        "choice": {"side": 1, "confidence": 2}, "rating": {"rating": 5}, "marking": {},
    }[kind]  # fmt: skip
    assert all(expected.items() <= a.items() for a in given["answers"])
    if kind == "marking":
        (mark,) = given["answers"][0]["marks"]
        assert mark == {"x": SIDE / 2, "y": SIDE / 2 + 2, "confidence": 3}
    rows = list(csv.DictReader(io.StringIO(chromium.downloads("#end [data-act=export-csv]"))))
    assert len(rows) == 6
    answers = path.with_name("answers.json")
    answers.write_text(json.dumps(given))
    analysis = analyse(path.with_name("study.key.json"), [answers], path.parent / "out")
    assert len(analysis.study.cases) == 6
    assert chromium.faults() == []


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_a_study_is_answered_by_mouse_or_fingers(chromium, study, width):
    kind, path, _ = study
    touch = width == 390
    begin(chromium, path, width, touch)
    assert chromium.js("return document.documentElement.scrollWidth") <= width
    x, y = chromium.place("#views canvas")
    tap = (lambda: chromium.fingers([(x, y)])) if touch else (lambda: chromium.drag((x, y), (x, y)))
    if kind == "choice":
        chromium.click("[data-side='0']")
        chromium.click("[data-confidence='1']")
    elif kind == "rating":
        chromium.click("[data-rating='0']")
    else:
        tap()
        assert chromium.js("return document.getElementById('marks-count').value") == "1"
        chromium.click("#next")
        assert text(chromium, "#feedback").startswith("Say how sure you are of mark 1")
        chromium.click("[data-confidence='4']")
        chromium.press("Backspace")
        assert chromium.js("return document.getElementById('marks-count').value") == "none"
    chromium.click("#next")
    truth = text(chromium, "#feedback")
    assert re.match(r"The real one is the (left|right|upper|lower) one|It is |\d|No", truth)
    chromium.click("#next")
    chromium.wait("document.getElementById('progress').textContent === 'Case 1 of 6'")
    assert text(chromium, "#feedback") == "The practice is over: no more truths are shown."
    assert chromium.faults() == []


WIDTHS = pytest.mark.parametrize("width", [1440, 390])


@pytest.fixture(scope="module")
def rating(tmp_path_factory):
    plan, cases = draw("rating", cases=6, practice=1, candidates=1)
    path = tmp_path_factory.mktemp("rating") / "study.html"
    write_study(path, cases, plan, title="Nodules <!-- <script> & more")
    return path


def pressed(chromium):
    """The answer whose button is down."""
    return chromium.js("return document.querySelector('#answer [aria-pressed=true]')?.title ?? ''")


def saved(chromium, selector="[role=toolbar] [data-act=export]"):
    return json.loads(chromium.downloads(selector))


@WIDTHS
def test_a_key_has_one_meaning(chromium, rating, width):
    begin(chromium, rating, width)
    whole = chromium.canvas()["mean"]
    chromium.press("6", "+")
    zoomed = chromium.canvas()["mean"]
    assert zoomed != whole
    chromium.press("f")
    assert pressed(chromium) == "6"
    assert chromium.canvas()["mean"] == whole
    chromium.press("+", "0")
    assert pressed(chromium) == "0 or n"
    assert chromium.canvas()["mean"] == zoomed
    chromium.press("?")
    assert "0 to 6 answer" in text(chromium, "#start")
    assert chromium.faults() == []


@WIDTHS
def test_one_can_go_back_until_the_end_and_after_it(chromium, rating, width):
    begin(chromium, rating, width)
    chromium.press("b")
    assert text(chromium, "#feedback") == "This is the first case."
    chromium.press("2", "Enter")
    truth = text(chromium, "#feedback")
    assert truth.startswith("It is ")
    chromium.press("Enter")
    for number in (1, 2):
        shows(chromium, f"Case {number} of 6")
        chromium.press("5", "Enter")
    shows(chromium, "Case 3 of 6")
    chromium.press("4")
    chromium.click("#back")
    shows(chromium, "Case 2 of 6")
    assert pressed(chromium) == "5"
    chromium.press("1", "b")
    shows(chromium, "Case 1 of 6")
    chromium.press("b")
    shows(chromium, "Practice 1 of 1")
    assert (text(chromium, "#feedback"), pressed(chromium)) == (truth, "2")
    chromium.press("6")
    assert pressed(chromium) == "2", "a practice case is answered before its truth is shown"
    for number in (1, 2, 3):
        chromium.press("Enter")
        shows(chromium, f"Case {number} of 6")
    for number in (4, 5, 6):
        chromium.press("3", "Enter")
        shows(chromium, f"Case {number} of 6")
    chromium.press("0", "Enter")
    chromium.wait("document.getElementById('end').open")
    chromium.click("[data-act=again]")
    shows(chromium, "Case 6 of 6")
    chromium.press("6", "Enter")
    chromium.wait("document.getElementById('end').open")
    given = saved(chromium, "#end [data-act=export]")
    assert [a["rating"] for a in given["answers"]] == [5, 1, 3, 3, 3, 6]
    assert [a["rating"] for a in given["practice"]] == [2]
    assert chromium.faults() == []


@WIDTHS
def test_answers_belong_to_their_reader(chromium, rating, width):
    begin(chromium, rating, width)
    chromium.press("2", "Enter", "Enter")
    shows(chromium, "Case 1 of 6")
    chromium.press("5", "Enter")
    shows(chromium, "Case 2 of 6")
    chromium.press("?")
    assert chromium.js("return document.getElementById('reader').readOnly")
    chromium.click("#start [data-act=another]")
    chromium.wait("document.getElementById('start').open")
    assert chromium.js("return document.getElementById('reader').value") == ""
    assert not chromium.js("return document.getElementById('reader').readOnly")
    sign_in(chromium, "Dr B")
    shows(chromium, "Practice 1 of 1")
    assert pressed(chromium) == ""
    chromium.press("1", "Enter", "Enter")
    shows(chromium, "Case 1 of 6")
    given = saved(chromium)
    assert (given["reader"], given["answers"]) == ("Dr B", [])
    chromium.press("?")
    chromium.click("#start [data-act=another]")
    sign_in(chromium, "  Dr   A ")
    shows(chromium, "Case 2 of 6")
    given = saved(chromium)
    assert given["reader"] == "Dr A"
    assert [a["rating"] for a in given["answers"]] == [5]
    assert chromium.faults() == []


@WIDTHS
def test_a_second_tab_loses_nothing_and_both_say_so(chromium, rating, width):
    begin(chromium, rating, width)
    chromium.press("2", "Enter", "Enter")
    shows(chromium, "Case 1 of 6")
    chromium.press("5", "Enter")
    with chromium.tab(rating, width) as to:
        sign_in(chromium, "Dr A")
        shows(chromium, "Case 2 of 6")
        to(0)
        chromium.wait("document.getElementById('elsewhere').open")
        assert "goes on in another tab" in text(chromium, "#elsewhere")
        chromium.press("6")
        assert pressed(chromium) == ""
        to(1)
        for rating_, number in ((4, 3), (3, 4)):
            chromium.press(str(rating_), "Enter")
            shows(chromium, f"Case {number} of 6")
        to(0)
        chromium.click("[data-act=here]")
        shows(chromium, "Case 4 of 6")
        chromium.press("1", "Enter")
        shows(chromium, "Case 5 of 6")
        given = saved(chromium)
        assert [a["rating"] for a in given["answers"]] == [5, 4, 3, 1]
        to(1)
        chromium.wait("document.getElementById('elsewhere').open")
    assert chromium.faults() == []


def test_a_tab_that_was_not_told_still_overwrites_nothing(chromium, rating):
    begin(chromium, rating)
    chromium.press("2", "Enter", "Enter")
    shows(chromium, "Case 1 of 6")
    chromium.js(  # as if another tab wrote, and this one had not heard of it
        "const [name] = Object.keys(localStorage).filter((n) => n.endsWith('/Dr A'));"
        "const value = JSON.parse(localStorage[name]); value.tab = 'other';"
        "localStorage[name] = JSON.stringify(value)"
    )
    chromium.press("5", "Enter")
    chromium.wait("document.getElementById('elsewhere').open")


def test_enter_without_an_answer_hints(chromium, study):
    kind, path, _ = study
    begin(chromium, path)
    wanted = {
        "choice": "Say which of the two is real (arrow keys), and how sure you are (keys 1 to 3).",
        "rating": "Choose one of the answers: keys 0 to 6.",
        "marking": "Say how sure you are of mark 1: click it, then keys 1 to 4.",
    }[kind]
    if kind == "marking":
        chromium.press("c", " ")
    chromium.press("Enter")
    assert text(chromium, "#feedback") == wanted
    if kind == "marking":
        names = [text(chromium, f"[data-confidence='{i}']") for i in (1, 2, 3, 4)]
        assert names == ["unlikely", "possible", "probable", "definite"]


def test_answers_are_saved_and_loaded_again(chromium, study, tmp_path):
    kind, path, _ = study
    begin(chromium, path)
    for _ in range(3):
        answer(chromium, kind)
    given = saved(chromium)
    (tmp_path / "answers.json").write_text(json.dumps(given))
    chromium.open(path)
    chromium.wait("document.getElementById('start')?.open")
    chromium.upload("#load", tmp_path / "answers.json")
    chromium.wait("document.getElementById('reader').value === 'Dr A'")
    assert text(chromium, "#whose") == "3 answers by Dr A are loaded."
    chromium.click("#begin")
    shows(chromium, "Case 3 of 6")
    assert saved(chromium) == given


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda given: given.update(study="other"), "it holds no answers to this study"),
        (lambda given: given.update(answers=None), "its answers are no list"),
        (lambda given: given.update(answers=[{"case": [1]}]), "an answer that this page cannot"),
        (lambda given: given["answers"][0].update(rating=True), "an answer that this page cannot"),
        (lambda given: given.update(reader=""), "it names no reader"),
    ],
)
def test_a_file_that_does_not_fit_is_not_loaded(chromium, rating, tmp_path, change, says):
    begin(chromium, rating)
    chromium.press("2", "Enter", "Enter")
    shows(chromium, "Case 1 of 6")
    chromium.press("5", "Enter")
    shows(chromium, "Case 2 of 6")
    given = saved(chromium)
    change(given)
    (tmp_path / "a.json").write_text(json.dumps(given))
    chromium.open(rating)
    chromium.wait("document.getElementById('start')?.open")
    chromium.upload("#load", tmp_path / "a.json")
    chromium.wait("document.getElementById('whose').textContent.startsWith('a.json cannot')")
    assert says in text(chromium, "#whose")
    assert chromium.js("return Object.keys(localStorage)") == []


def test_a_browser_that_keeps_nothing_says_so_and_loses_nothing_while_open(chromium, rating):
    begin(chromium, rating)
    chromium.js("Storage.prototype.setItem = () => { throw new Error('full') }")
    chromium.press("2", "Enter", "Enter")
    shows(chromium, "Case 1 of 6")
    assert "save them before you close" in text(chromium, "#fault")
    chromium.press("?")
    chromium.click("#start [data-act=another]")
    sign_in(chromium, "Dr B")
    shows(chromium, "Practice 1 of 1")
    chromium.press("?")
    chromium.click("#start [data-act=another]")
    sign_in(chromium, "Dr A")
    shows(chromium, "Case 1 of 6")
    chromium.js(
        "window.addEventListener('beforeunload', (e) => e.stopImmediatePropagation(), true)"
    )
    chromium.js("Storage.prototype.clear && localStorage.clear()")


@WIDTHS
def test_all_tools_of_a_study_are_on_the_screen(chromium, study, width):
    _, path, _ = study
    begin(chromium, path, width)
    assert chromium.outside() == []
    shown = text(chromium, ".synthetic")
    assert re.fullmatch(r"Some nodules here are synthetic \(nodegen .+, study \w{16}\)\.", shown)
    assert chromium.js("return document.title").endswith("(some nodules are synthetic)")


def test_a_title_may_hold_anything(chromium, rating):
    chromium.open(rating)
    chromium.wait("document.getElementById('start')?.open")
    assert text(chromium, "#start-title") == "Nodules <!-- <script> & more"
    assert chromium.faults() == []


def test_the_view_is_changed_and_starts_anew_with_each_case(chromium, study):
    kind, path, _ = study
    begin(chromium, path)
    chromium.press("w")
    first = chromium.canvas()["mean"]
    x, y = chromium.place("#views canvas")
    chromium.drag((x, y), (x, y + 60))
    assert chromium.canvas()["mean"] < first - 5
    chromium.press("p")
    assert chromium.canvas()["mean"] == pytest.approx(first, abs=0.01)
    chromium.wheel((x, y), -300)
    assert chromium.canvas()["mean"] != pytest.approx(first, abs=0.01)
    chromium.press("f")
    if kind != "marking":
        assert chromium.canvas()["yellow"] > 20
        chromium.press("x")
        assert chromium.canvas()["yellow"] == 0
    chromium.faults()


def test_axe_finds_nothing_serious_in_a_study(chromium, study):
    _, path, _ = study
    chromium.open(path)
    chromium.wait("document.getElementById('start')?.open")
    assert chromium.axe() == []
    begin(chromium, path)
    assert chromium.axe() == []


def test_axe_finds_nothing_serious_in_an_analysis(chromium, tmp_path):
    key, paths = study_files(tmp_path, "rating", lambda c, r, rng: {"rating": int(rng.integers(7))})
    analyse(key, paths, tmp_path / "out")
    for width in (1440, 390):
        chromium.open(tmp_path / "out" / "analysis.html", width)
        assert chromium.js("return document.documentElement.scrollWidth") <= width
        assert chromium.axe() == []
    assert chromium.faults() == []
