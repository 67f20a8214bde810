"""The report: what it holds, and how it behaves in a browser by mouse, keys and fingers."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from radiographs import phantoms

from nodegen.cli import main
from nodegen.errors import StackError
from nodegen.evaluation.fidelity.judge import StackPair
from nodegen.evaluation.fidelity.nodule_measures import JUDGED
from nodegen.evaluation.report.report_page import (
    Treated,
    nodule_outline,
    outlines,
    write_report,
)
from nodegen.evaluation.viewer.html_page import pack, slope_of, stored
from nodegen.io.boxes import Box, write_boxes
from nodegen.io.preview import around
from nodegen.lungs.fields import Lungs

METHODS = ("soft", "hard")
SEED = 9007199254740993  # more than a browser's numbers hold
SPACING = (0.2, 0.25)  # mm


def treated(count=6, methods=METHODS, side=300):
    rng = np.random.default_rng(0)
    # The last slice has no box.
    before = rng.normal(1500, 60, (3, side, side)).clip(0, 4095).astype(np.uint16)
    rows, columns = np.indices((side, side))
    for number, method in enumerate(methods):
        after = before.astype(np.float32)
        boxes, recipes = [], []
        for i in range(count):
            x, y = 50 + 60 * (i % 4), 60 + 80 * (i // 4 % 3)
            boxes.append(Box(i % 2, x, y, x + 40, y + 40, i))
            distance = np.hypot(rows - y - 20, columns - x - 20)
            height = 100 + 30 * i + 200 * number
            after[i % 2] += height * np.clip(1 - (distance / 20) ** 2, 0, None)
            signal = "hyposignal" if i % 3 else "hypersignal"
            recipes.append({"index": i, "signal": signal, "n0": 6, "noise": SEED})
        header = {
            "seed": SEED,
            "settings": {"noise_and_blur": False},
            "model_sha256": "ab" * 32,
            "run": f"{number:016x}",
        }
        after = np.rint(after).astype(np.uint16)
        pair = StackPair(before, after, boxes, SPACING)
        yield Treated(method, "</script><!--stack", pair, header, recipes)


@pytest.fixture(scope="module", autouse=True)
def _few_draws_and_lungs_of_the_second_slice():
    def found(pixels):
        if pixels[0, 0] == first[0, 0]:
            raise StackError("No lungs.")
        rows, columns = np.indices(pixels.shape)
        sides = np.where(columns < 150, 1, 2) * (np.hypot(rows - 150, columns - 150) < 100)
        return Lungs(sides.astype(np.uint8), 1.0)

    first = next(treated()).pair.before[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodegen.evaluation.fidelity.before_after.TREES", 10)
        patch.setattr("nodegen.evaluation.fidelity.comparison.RESAMPLES", 20)
        patch.setattr("nodegen.evaluation.fidelity.ground.find_lungs", found)
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, treated())
    return path


def data_of(page):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def test_the_page_holds_every_box_of_every_method(page):
    data = data_of(page.read_text())
    assert len(data["cases"]) == 6 * len(METHODS)
    assert len(data["slices"]) == 3, "methods share the untouched slices"
    assert len({case["change"] for case in data["cases"]}) == 2 * len(METHODS)
    assert data["cases"][0]["recipe"]["noise"] == data["cases"][0]["seed"] == str(SEED)
    assert all(slice_["spacing"] == list(SPACING) for slice_ in data["slices"].values())


def test_the_page_needs_nothing_from_elsewhere(page):
    text = re.sub(r"<svg.*?</svg>", "", page.read_text(), flags=re.S)
    links = re.findall(r"""(?:src|href|action)=["']([^"']+)""", text)
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in text
    assert "url(" not in text


def test_seeds_and_hashes_stand_in_the_details_alone(page):
    head, details = page.read_text().split('<section id="details">')
    assert str(SEED) in re.sub(r"<script.*?</script>", "", details, flags=re.S)
    assert str(SEED) not in head


@pytest.mark.parametrize(
    ("values", "slope"),
    [(np.array([[0, 4095], [65535, 1]]), 1), (np.array([[0.25, 4095], [1000.5, 1]]), 1 / 16)],
)
def test_stored_values_keep_their_depth(values, slope):
    assert slope_of(values) == slope
    assert stored(values, slope).dtype == np.uint16
    assert stored(values, slope) * slope == pytest.approx(values)


def test_untouched_pixels_take_no_room():
    assert len(pack(np.zeros((1024, 1024), dtype=np.uint16))) < 4000


def test_outlines_follow_the_pixels_edges():
    mask = np.zeros((20, 30), dtype=bool)
    mask[5:9, 10:20] = True
    (found,) = outlines(mask, origin=(100, 200))
    x, y = np.array(found).T
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((110, 120, 205, 209), abs=0.5)


def test_a_nodules_outline_lies_in_its_box():
    (one, *_) = treated(count=1)
    (outline,) = nodule_outline(one.pair.before[0], one.pair.after[0], one.pair.boxes[0])
    x, y = np.array(outline).T
    assert 50 <= x.min() < 58 < 82 < x.max() <= 90
    assert 60 <= y.min() < 68 < 92 < y.max() <= 100


@pytest.mark.parametrize(
    ("box", "shape"),
    [(Box(0, 0, 0, 20, 20, 0), (300, 300)), (Box(0, 280, 290, 300, 300, 0), (300, 300))],
)
def test_what_is_shown_of_a_box_lies_inside_its_slice(box, shape):
    rows, columns = around(box, shape, 2.0)
    assert 0 <= rows.start <= box.top < box.bottom <= rows.stop <= shape[0]
    assert 0 <= columns.start <= box.left < box.right <= columns.stop <= shape[1]


def test_no_boxes_make_a_page(tmp_path):
    write_report(tmp_path / "report.html", treated(count=0))
    assert data_of((tmp_path / "report.html").read_text())["cases"] == []


def test_few_boxes_get_no_verdict(tmp_path, page):
    assert page.read_text().count("No verdict: 6 boxes are too few") == 2
    write_report(tmp_path / "report.html", treated(count=12, methods=("one",), side=320))
    said = (tmp_path / "report.html").read_text()
    assert "boxes lie in too few radiographs" in said
    assert "medians are within the real range in" in said


def test_a_large_set_lies_in_a_folder_beside_the_page(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    monkeypatch.setattr("nodegen.evaluation.viewer.html_page.ONE_FILE_BYTES", 0)
    write_report(path, treated(count=2, methods=("one",)))
    beside = sorted(p.name for p in (tmp_path / "report_files").iterdir())
    assert beside == [f"p{number}.js" for number in range(6)]
    assert data_of(path.read_text())["folder"] == "report_files"
    monkeypatch.setattr("nodegen.evaluation.viewer.html_page.ONE_FILE_BYTES", 10**9)
    write_report(path, treated(count=2, methods=("one",)))
    assert not (tmp_path / "report_files").exists(), "a smaller page needs it no more"


def test_generate_writes_a_report(make_input, tmp_path, capfd):
    report = tmp_path / "deep" / "report.html"
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    assert main(["generate", *arguments, "--method", "paste", "--report", str(report)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[-1] == f"report: {report}"
    (case,) = data_of(report.read_text())["cases"]
    assert case["recipe"]["signal"] in ("hyposignal", "hypersignal")


def test_generate_writes_a_report_of_a_png(tmp_path, capfd):
    """Its output has another name than the input."""
    (tmp_path / "in").mkdir()
    Image.fromarray(phantoms()[0]).save(tmp_path / "in" / "a.png")
    write_boxes(tmp_path / "in" / "nodules.json", [Box(0, 120, 200, 150, 232)])
    report = tmp_path / "report.html"
    arguments = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert main(["generate", *arguments, "--method", "paste", "--report", str(report)]) == 0
    assert len(data_of(report.read_text())["cases"]) == 1


# --- in a browser ---------------------------------------------------------------------------------

WIDTHS = (1440, 1024, 390)
FILM = "#views canvas"


@pytest.fixture
def fresh(chromium, page):
    """The page, just opened, with its first film drawn."""
    chromium.open(page)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    chromium.settle()
    return chromium


def words(browser, selector):
    return browser.js("return document.querySelector(arguments[0]).textContent", selector)


def caption(browser):
    return words(browser, "#views figcaption")


def window(browser):
    found = re.search(r"level (\d+), width (\d+)", words(browser, "#where"))
    return int(found[1]), int(found[2])


def zoom(browser, pane=1):
    shown = words(browser, f"#views figure:nth-child({pane}) .scale")
    return int(re.search(r"(\d+) %", shown)[1])


def pressed(browser, selector):
    return browser.js(
        "return document.querySelector(arguments[0]).getAttribute('aria-pressed')", selector
    ) == "true"  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_on_after_with_the_box_shown(chromium, page, width):
    chromium.open(page, width, touch=width < 500)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    chromium.settle()
    assert caption(chromium) == "after, soft"
    assert pressed(chromium, "[data-outline=box]")
    shown = chromium.canvas()
    assert shown["yellow"] > 50
    assert shown["mean"] > 20
    assert chromium.js("return document.documentElement.scrollWidth") <= width
    assert chromium.faults() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_serious(chromium, page, width):
    chromium.open(page, width)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    chromium.js("for (const d of document.querySelectorAll('details')) d.open = true")
    assert chromium.axe() == []


def test_pixels_arrive_at_full_depth(fresh, page):
    (one, *_) = treated()
    data = data_of(page.read_text())
    case = data["cases"][0]
    where = data["slices"][case["where"]]
    for key, wanted in (
        (where["pixels"], one.pair.before[0]),
        (case["change"], one.pair.after[0] - one.pair.before[0]),
    ):
        found = fresh.promised(
            "const { Store } = await import('nodegen/pixels');"
            "return [...await new Store().get(arguments[0], arguments[1], arguments[2])];",
            key,
            where["width"],
            where["height"],
        )
        assert np.array_equal(np.reshape(found, wanted.shape), wanted)


def test_values_under_the_pointer(fresh):
    (one, *_) = treated()
    at = fresh.place(FILM, 0.52, 0.47)
    fresh.mouse("mouseMoved", *at)
    fresh.settle()
    found = re.match(r"x (\d+), y (\d+): before (\d+), after (\d+) ", words(fresh, "#values"))
    x, y, before, after = map(int, found.groups())
    assert (before, after) == (one.pair.before[0, y, x], one.pair.after[0, y, x])


def test_modes_by_key_and_by_button(fresh):
    for key, selector, said in (
        ("b", "[data-mode=before]", "before"),
        ("d", "[data-mode=change]", "change, soft"),
        ("s", "[data-mode=swipe]", "before | after, soft"),
        ("a", "[data-mode=after]", "after, soft"),
    ):
        fresh.press(key)
        assert caption(fresh) == said
        fresh.press("a")
        fresh.click(selector)
        assert caption(fresh) == said
        assert pressed(fresh, selector)
    fresh.js("document.activeElement.blur()")
    for said in ("before", "after, soft"):
        fresh.press(" ")
        assert caption(fresh) == said


def test_before_and_after_differ_where_the_nodule_is(fresh):
    fresh.press("z", "x", "2")
    after = fresh.canvas()["mean"]
    fresh.press("b")
    assert fresh.canvas()["mean"] < after - 2


def test_it_flickers_slowly_and_stops(fresh):
    fresh.press("f")
    assert pressed(fresh, "[data-act=flicker]")
    fresh.wait("document.querySelector('#views figcaption').textContent === 'before'")
    fresh.wait("document.querySelector('#views figcaption').textContent === 'after, soft'")
    fresh.press("f")
    assert not pressed(fresh, "[data-act=flicker]")
    assert (
        fresh.js("return (await0 => document.querySelector('#views figcaption').textContent)()")
        == "after, soft"
    )


def test_the_line_of_the_swipe_is_dragged(fresh):
    fresh.press("s", "2", "z", "x")
    whole = fresh.canvas()["mean"]
    fresh.drag(fresh.place(FILM, 0.5, 0.3), fresh.place(FILM, 0.98, 0.3))
    nearly_before = fresh.canvas()["mean"]
    assert nearly_before < whole - 0.5, "the nodule now lies left of the line"
    fresh.press(*["["] * 19)
    assert fresh.canvas()["mean"] > nearly_before + 1


def test_methods_stand_side_by_side_and_are_locked(fresh):
    fresh.press("y")
    fresh.wait("document.querySelectorAll('#views figure').length === 3")
    said = fresh.js(
        "return [...document.querySelectorAll('figcaption')].slice(0, 3).map((c) => c.textContent)"
    )
    assert said == ["before", "after, soft", "after, hard"]
    fresh.press("+", "+")
    assert zoom(fresh, 1) == zoom(fresh, 2) == zoom(fresh, 3)
    fresh.press("n")
    fresh.wait("document.getElementById('place').textContent.startsWith('hard')")
    fresh.press("y")
    fresh.wait("document.querySelectorAll('#views figure').length === 1")
    assert caption(fresh) == "after, hard"


def test_window_by_dragging_presets_and_numbers(fresh):
    level, width = window(fresh)
    start = fresh.place(FILM)
    fresh.drag(start, (start[0] + 20, start[1] + 10))
    assert window(fresh) == (level + 40, width + 80)
    fresh.press("3")
    assert window(fresh) == (2048, 4095)
    fresh.press("4")
    assert window(fresh) == (3071, 2048)
    fresh.js("const e = document.getElementById('level'); e.value = 1500; e.oninput()")
    fresh.settle()
    assert window(fresh)[0] == 1500
    fresh.press("1")
    assert window(fresh) == pytest.approx((level, width), abs=1)


def test_inversion(fresh):
    fresh.press("x", "3")
    plain = fresh.canvas()["mean"]
    fresh.press("i")
    assert pressed(fresh, "[data-act=inverse]")
    assert fresh.canvas()["mean"] > plain + 20


def test_zoom_pan_and_fit(fresh):
    fit = zoom(fresh)
    at = fresh.place(FILM, 0.4, 0.4)
    fresh.wheel(at, -200)
    assert zoom(fresh) > fit
    fresh.press("0")
    assert zoom(fresh) == fit
    fresh.press("+")
    assert zoom(fresh) == round(fit * 1.25)
    fresh.press("z")
    assert zoom(fresh) > 2 * fit
    before = words(fresh, "#values"), fresh.canvas()["yellow"]
    fresh.press("v")
    fresh.drag(at, (at[0] + 3000, at[1]))
    assert fresh.canvas()["yellow"] < before[1], "the box has left the pane"
    fresh.click("[data-act=focus]")
    assert fresh.canvas()["yellow"] == before[1]
    fresh.press("ArrowLeft", *["ArrowLeft"] * 20, shift=True)
    assert fresh.canvas()["yellow"] < before[1]
    fresh.click("[data-act=fit]")
    fresh.drag(at, (at[0], at[1] - 60), button="right")
    assert zoom(fresh) > fit


def test_the_wheel_and_arrows_scroll_slices_and_boxes(fresh):
    at = fresh.place(FILM)
    fresh.wheel(at, 100, shift=True)
    fresh.wait("document.getElementById('title').textContent.includes('slice 2')")
    fresh.wheel(at, -100, shift=True)
    fresh.wait("document.getElementById('title').textContent.includes('slice 1')")
    for key, said in (
        ("ArrowDown", "slice 2"), ("ArrowUp", "slice 1"), ("ArrowRight", "box 2"),
        ("ArrowLeft", "box 1"), ("PageDown", "slice 2"),
    ):  # fmt: skip
        fresh.press(key)
        fresh.wait(f"document.getElementById('title').textContent.includes('{said}')")


def test_slices_without_boxes_are_scrolled_through_as_well(fresh):
    fresh.press("ArrowDown", "ArrowDown")
    fresh.wait("document.getElementById('title').textContent.endsWith('slice 3')")
    fresh.settle()
    assert "no box" in words(fresh, "#place")
    assert words(fresh, "#where").startswith("slice 3 of 3")
    assert caption(fresh) == "after, soft"
    assert fresh.canvas()["mean"] > 20
    assert fresh.canvas()["yellow"] == 0
    assert fresh.js("return document.querySelectorAll('#figures .measure').length") == 0
    fresh.press("g", "z")
    assert fresh.js("return document.getElementById('marked-count').value").startswith("0 of 12")
    for key, said in (("b", "before"), ("d", "change, soft"), ("a", "after, soft")):
        fresh.press(key)
        assert caption(fresh) == said
    fresh.press("y")
    fresh.wait("document.querySelectorAll('#views figure').length === 3")
    fresh.press("y", "n")
    fresh.wait("document.querySelector('#views figcaption').textContent === 'after, hard'")
    fresh.press("ArrowDown")
    assert words(fresh, "#where").startswith("slice 3 of 3"), "there is no slice after the last"
    fresh.press("ArrowLeft")
    fresh.wait("document.getElementById('title').textContent.includes('slice 2, box 6')")


def test_slices_and_ruler_by_finger(chromium, page):
    chromium.open(page, 390, touch=True)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    for number, said in ((3, "slice 3"), (2, "slice 2, box 2")):
        chromium.js(
            "const e = document.getElementById('slice'); e.value = arguments[0];"
            "e.dispatchEvent(new Event('input'))", number,
        )  # fmt: skip
        chromium.wait(f"document.getElementById('title').textContent.endsWith('{said}')")
    chromium.click("[data-tool=ruler]")
    x, y = chromium.place(FILM)
    chromium.fingers([(x - 40, y)], [(x, y)], [(x + 40, y)])
    assert words(chromium, "#values").startswith("ruler ")
    assert chromium.js("return document.getElementById('slice').offsetHeight") >= 24, "a finger's"
    assert chromium.faults() == []


def test_the_ruler_by_mouse_and_by_keys(fresh):
    fresh.press("r")
    start = fresh.place(FILM, 0.4, 0.5)
    fresh.drag(start, (start[0] + 90, start[1]))
    mm, px = re.match(r"ruler ([\d.]+) mm, ([\d.]+) px", words(fresh, "#values")).groups()
    assert float(px) == pytest.approx(90 / zoom(fresh) * 100, rel=0.01)
    assert float(mm) == pytest.approx(float(px) * SPACING[0], abs=0.06)
    fresh.press("c", "Enter", *["ArrowDown"] * 3)
    fresh.press("ArrowDown", shift=True)
    fresh.press("Enter")
    assert words(fresh, "#values") == "ruler 3.3 mm, 13.0 px"
    fresh.press("Escape")


def test_outlines_by_key(fresh):
    fresh.press("z")
    assert fresh.canvas()["yellow"] > 100
    fresh.press("x")
    assert fresh.canvas()["yellow"] == 0
    assert fresh.canvas()["teal"] == 0
    fresh.press("o")
    assert fresh.canvas()["teal"] > 100
    known = "!document.querySelector('[data-outline=lungs]').disabled"
    assert not fresh.js(f"return {known}"), "the first slice's lungs are not known"
    fresh.press("ArrowDown", "o", "0")
    fresh.wait(known)
    assert fresh.canvas()["blue"] == 0
    fresh.press("l")
    assert fresh.canvas()["blue"] > 100


def test_fingers_change_the_window_zoom_and_move(chromium, page):
    chromium.open(page, 390, touch=True)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    chromium.settle()
    x, y = chromium.place(FILM)
    level, width = window(chromium)
    chromium.fingers([(x, y)], [(x + 20, y)], [(x + 30, y)])
    assert window(chromium) == (level, width + 120)
    fit = zoom(chromium)
    chromium.fingers(
        [(x - 20, y), (x + 20, y)], [(x - 40, y), (x + 40, y)], [(x - 60, y), (x + 60, y)]
    )
    assert zoom(chromium) == pytest.approx(3 * fit, rel=0.03)
    assert window(chromium) == (level, width + 120), "two fingers leave the window"
    assert chromium.faults() == []


def test_marks_are_kept_and_exported(fresh):
    fresh.press("g")
    assert pressed(fresh, "[data-mark=good]")
    fresh.js("document.getElementById('comment').focus()")
    fresh.press(*"soft, g")
    fresh.js("document.activeElement.blur()")
    fresh.press("ArrowRight")
    fresh.wait("document.getElementById('views').dataset.case === '1'")
    fresh.click("[data-mark=bad]")
    assert fresh.js("return document.getElementById('marked-count').value").startswith("2 of 12")
    fresh.reload()
    fresh.wait("document.getElementById('views')?.dataset.case === '0'")
    assert pressed(fresh, "[data-mark=good]")
    saved = json.loads(fresh.downloads("[data-act=json]"))["marks"]
    assert [(m["index"], m["mark"], m["comment"]) for m in saved] == [
        (0, "good", "soft, g"),
        (1, "bad", ""),
    ]
    assert saved[0]["seed"] == str(SEED)
    rows = list(csv.DictReader(io.StringIO(fresh.downloads("[data-act=csv]"))))
    assert [row["comment"] for row in rows] == ["soft, g", ""]
    fresh.press("g")
    assert not pressed(fresh, "[data-mark=good]"), "the same mark once more takes it away"


def test_filters_and_sorting(fresh):
    def pick(name, value):
        fresh.js(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.onchange()",
            name, value,
        )  # fmt: skip

    def titles():
        return fresh.js(
            "return [...document.querySelectorAll('#list button')].map((b) => b.textContent)"
        )

    assert len(titles()) == 12
    pick("method", "hard")
    assert len(titles()) == 6
    pick("signal", "hypersignal")
    assert len(titles()) == 2
    pick("signal", "")
    pick("sort", "contrast")
    fresh.js("document.getElementById('falling').click()")
    shown = [float(re.search(r"contrast (-?[\d.]+)", title)[1]) for title in titles()]
    assert shown == sorted(shown, reverse=True)
    assert len(set(shown)) > 1
    fresh.press("n")
    fresh.wait("document.getElementById('place').textContent.startsWith('soft')")
    assert len(titles()) == 12, "whoever asks for another method gets all of them"


def test_each_measure_is_explained_where_it_stands(fresh):
    said = fresh.js(
        "return [...document.querySelectorAll('#figures .measure')].map((m) => m.textContent)"
    )
    assert len(said) == len(JUDGED)
    assert "Real nodules: mostly" in said[0]
    assert re.search(r"(Below|Within|Above) the real range\.", said[0])
    plots = fresh.js("return document.querySelectorAll('#figures svg[aria-label]').length")
    assert plots == len(said)


NARROW = pytest.mark.parametrize("width", [1440, 390])
VIEW = "const { view } = await import('nodegen/state'); return [view.x, view.y, view.scale];"


@pytest.fixture
def at_width(chromium, page):
    def open_(width):
        chromium.open(page, width)
        chromium.wait("document.getElementById('views')?.dataset.case === '0'")
        chromium.settle()
        return chromium

    return open_


def goes_to(browser, key, case):
    browser.press(key)
    browser.wait(f"document.getElementById('views').dataset.case === '{case}'")
    browser.settle()


def centre(page, case):
    left, top, right, bottom = data_of(page.read_text())["cases"][case]["box"]
    return [(left + right) / 2, (top + bottom) / 2]


@NARROW
def test_a_close_up_follows_the_box_and_keeps_its_zoom(at_width, page, width):
    browser = at_width(width)
    browser.press("z")
    *at, scale = browser.promised(VIEW)
    assert at == centre(page, 0)
    for key, case in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowDown", 1), ("ArrowUp", 0)):
        goes_to(browser, key, case)
        assert browser.promised(VIEW) == [*centre(page, case), scale]
        assert browser.canvas()["yellow"] > 50, "the box is on the screen"
    browser.press("-", "-")
    *_, wider = browser.promised(VIEW)
    goes_to(browser, "ArrowDown", 1)
    assert browser.promised(VIEW) == [*centre(page, 1), wider]
    browser.press("0")
    fit = browser.promised(VIEW)
    goes_to(browser, "ArrowUp", 0)
    assert browser.promised(VIEW) == fit


@NARROW
def test_ruler_and_region_belong_to_their_box(at_width, width):
    browser = at_width(width)
    browser.press("r")
    x, y = browser.place(FILM)
    browser.drag((x, y), (x + 40, y))
    ruler = words(browser, "#values")
    assert ruler.startswith("ruler ")
    goes_to(browser, "ArrowRight", 1)
    assert "ruler" not in words(browser, "#values")
    goes_to(browser, "ArrowLeft", 0)
    assert words(browser, "#values") == ruler


@NARROW
def test_slices_and_boxes_are_counted_from_one_everywhere(at_width, width):
    browser = at_width(width)
    assert words(browser, "#title").endswith("slice 1, box 1")
    assert words(browser, "#where").startswith("slice 1 of 3")
    assert "slice 1box 1" in words(browser, "#list li")
    assert browser.js("return document.getElementById('slice').value") == "1"


@NARROW
def test_all_tools_are_on_the_screen(at_width, width):
    browser = at_width(width)
    browser.js("document.getElementById('desk').scrollIntoView()")
    assert browser.outside() == []
    assert browser.js("return document.querySelector('#views canvas').clientHeight") >= 250
    assert [words(browser, f"#views .patient-{side}") for side in ("right", "left")] == ["R", "L"]
    at = "return document.querySelector('#views .patient-right').getBoundingClientRect().left"
    middle = browser.js("return document.querySelector('#views').clientWidth") / 2
    assert browser.js(at) < middle
    # A mirrored radiograph, by the direction that its file says.
    browser.js("document.querySelector('#views figure').classList.add('mirrored')")
    assert browser.js(at) > middle
    browser.js("document.querySelector('#views figure').classList.remove('mirrored')")


@NARROW
def test_before_and_after_stand_side_by_side_and_are_linked(chromium, tmp_path, width):
    path = tmp_path / "one.html"
    write_report(path, treated(methods=("singan",)))
    chromium.open(path, width)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    chromium.click("[data-several=side]")
    chromium.wait("document.querySelectorAll('#views figure').length === 2")
    chromium.settle()
    names = (
        "return [...document.querySelectorAll('figcaption')].slice(0, 2).map((c) => c.textContent)"
    )
    assert chromium.js(names) == ["before", "after, nodegen (SinGAN)"]
    chromium.press("2", "z", "x")
    assert chromium.canvas(0)["mean"] < chromium.canvas(1)["mean"] - 2
    chromium.wheel(chromium.place("#views figure:nth-child(2) canvas"), -300)
    assert zoom(chromium, 1) == zoom(chromium, 2)
    assert chromium.js("return document.querySelector('[data-several=methods]').disabled")
    chromium.press("m")
    chromium.wait("document.querySelectorAll('#views figure').length === 1")
    assert chromium.faults() == []


def test_statistics_of_a_region(fresh):
    (one, *_) = treated()
    fresh.press("e", "c", "Enter", *["ArrowRight"] * 6, *["ArrowDown"] * 4, "Enter")
    found = words(fresh, "#values")
    rows, columns = np.indices(one.pair.before[0].shape) + 0.5
    x, y = 70 + 3, 80 + 2
    inside = ((columns - x) / 3) ** 2 + ((rows - y) / 2) ** 2 <= 1
    texts = []
    for name, values in (
        ("after", one.pair.after[0][inside]),
        ("before", one.pair.before[0][inside]),
    ):
        texts.append(
            f"{name}: mean {values.mean():.1f}, SD {values.std():.1f}, "
            f"min {values.min()}, max {values.max()}"
        )
    area = inside.sum() * SPACING[0] * SPACING[1]
    assert found == f"region {'; '.join(texts)}; {inside.sum()} px, {area:.1f} mm²"
    fresh.press("Escape")


def test_the_loupe_enlarges_under_the_pointer(fresh):
    fresh.press("x", "u")
    plain = fresh.canvas()["mean"]
    x, y = fresh.place(FILM)
    centre_x, centre_y, scale = fresh.promised(VIEW)
    fresh.mouse("mouseMoved", x=x + (70 - centre_x) * scale, y=y + (80 - centre_y) * scale)
    fresh.settle()
    assert fresh.canvas()["mean"] > plain + 0.2, "the nodule is larger"
    fresh.press("w")
    assert fresh.canvas()["mean"] == plain


def test_a_verdict_stands_at_the_top(fresh, page):
    data = data_of(page.read_text())
    measures, case = data["measures"], data["cases"][0]
    known = {n: m["reference"] for n, m in measures.items() if m["reference"]}
    known = {n: r for n, r in known.items() if case["measures"][n] is not None}
    outside = [
        measures[n]["title"].lower()
        for n, r in known.items()
        if not r["low"] <= case["measures"][n] <= r["high"]
    ]
    wanted = f"Within the real range in {len(known) - len(outside)} of {len(known)} measures"
    assert outside
    assert words(fresh, "#verdict") == f"{wanted}; outside: {', '.join(outside)}."
    whole = fresh.js("return [...document.querySelectorAll('p.verdict')].map((p) => p.textContent)")
    assert [sentence.split(":")[0] for sentence in whole] == list(METHODS)
    assert all(
        sentence.endswith("6 boxes are too few; 10 or more are needed.") for sentence in whole
    )


def test_figures_and_their_distance_are_apart(fresh):
    cells = fresh.js(
        "return [...document.querySelectorAll('.verdicts td')].map((td) => td.textContent)"
    )
    assert any("distance" in cell for cell in cells)
    assert not any(re.search(r"\ddistance", cell) for cell in cells)


def test_the_page_says_that_its_nodules_are_synthetic(fresh):
    assert fresh.js("return document.title").startswith("nodegen report, synthetic nodules: ")
    assert re.match(r"12 synthetic nodules, soft, hard, nodegen \S+, run [0-9a-f]{16}\.",
                    words(fresh, "header p"))  # fmt: skip


@NARROW
def test_marks_of_two_tabs_are_all_kept(at_width, page, width):
    browser = at_width(width)
    with browser.tab(page, width) as to:
        browser.wait("document.getElementById('views')?.dataset.case === '0'")
        goes_to(browser, "ArrowRight", 1)
        to(0)
        browser.press("g")
        to(1)
        browser.press("j")
        assert words(browser, "#marked-count").startswith("2 of 12")
        to(0)
        browser.wait("document.getElementById('marked-count').value.startsWith('2 of 12')")


def test_marks_are_saved_and_loaded_again(fresh, page, tmp_path):
    fresh.press("g")
    path = tmp_path / "marks.json"
    path.write_text(fresh.downloads("[data-act=json]"))
    fresh.open(page)
    fresh.wait("document.getElementById('views')?.dataset.case === '0'")
    assert not pressed(fresh, "[data-mark=good]")
    fresh.upload("[data-act=load]", path)
    fresh.wait("document.getElementById('marked-count').value.startsWith('1 of 12')")
    assert pressed(fresh, "[data-mark=good]")
    path.write_text('{"report": "other"}')
    fresh.upload("[data-act=load]", path)
    fresh.wait("document.getElementById('marked-count').value.includes('no marks of this report')")


def test_full_screen(fresh):
    fresh.press("Enter")
    fresh.wait("document.fullscreenElement?.id === 'desk'")
    fresh.press("Enter")
    fresh.wait("!document.fullscreenElement")


def test_the_keys_are_told(fresh):
    fresh.press("?")
    assert fresh.js("return document.getElementById('help').open")
    fresh.press("b")
    assert caption(fresh) == "after, soft", "keys wait until the help is closed"
    fresh.press("Escape")


def test_what_is_listed_is_printed(fresh):
    fresh.js("dispatchEvent(new Event('beforeprint'))")
    assert fresh.js("return document.querySelectorAll('#print img').length") == 12
    fresh.js("dispatchEvent(new Event('afterprint'))")
    assert fresh.js("return document.querySelectorAll('#print img').length") == 0


def test_a_page_with_its_pixels_in_a_folder_opens_from_the_disk(chromium, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    monkeypatch.setattr("nodegen.evaluation.viewer.html_page.ONE_FILE_BYTES", 0)
    write_report(path, treated(count=2, methods=("one",)))
    chromium.open(path)
    chromium.wait("document.getElementById('views')?.dataset.case === '0'")
    assert caption(chromium) == "after, one"
    assert chromium.faults() == []
    for file in (tmp_path / "report_files").iterdir():
        file.unlink()
    chromium.reload()
    chromium.wait("document.getElementById('fault')?.hidden === false")
    assert "missing; keep it beside the page" in words(chromium, "#fault")
    chromium.faults()  # the browser tells of the missing file, too


def test_nothing_was_said_on_the_console_and_nothing_asked_from_outside(chromium):
    assert chromium.faults() == []
