"""The report: what it holds, and how it behaves in a browser."""

import json
import re
import shutil
import time

import numpy as np
import pytest

from nodegen.cli import main
from nodegen.evaluation.fidelity.judge import Pair
from nodegen.evaluation.report import Treated, write_report
from nodegen.evaluation.report.images import before_image, change_image, crop_of, cut
from nodegen.io.boxes import Box

METHODS = ("soft", "hard")
SEED = 9007199254740993  # more than a browser's numbers hold


def treated(count=6, methods=METHODS, side=300):
    rng = np.random.default_rng(0)
    before = rng.normal(1500, 60, (2, side, side)).clip(0, 4095).astype(np.uint16)
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
        header = {"seed": SEED, "settings": {"finish": False}, "model_sha256": "ab" * 32}
        yield Treated(method, "</script>stack", Pair(before, after, boxes, 0), header, recipes)


@pytest.fixture(scope="module", autouse=True)
def _few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodegen.evaluation.fidelity.detectability.TREES", 10)
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
    assert len(data["crops"]) == 6, "methods share the untouched crops"
    assert len(data["slices"]) == 2
    assert data["cases"][0]["recipe"]["noise"] == data["cases"][0]["seed"] == str(SEED)


def test_the_page_needs_nothing_from_elsewhere(page):
    text = page.read_text()
    links = re.findall(r"""(?:src|href|action)=["']([^"']+)""", text)
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in text
    assert "url(" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    assert "fetch(" not in text


def test_before_and_change_add_up_to_after():
    rng = np.random.default_rng(0)
    before = rng.normal(1500, 100, (100, 100)).astype(np.float32)
    image, low, high = before_image(before)
    assert image.startswith("data:image/webp;base64,")
    assert (low, high) == (before.min(), before.max())
    _, step = change_image(np.linspace(-254, 127, 100).reshape(10, 10))
    assert step == 2


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        (Box(0, 0, 0, 20, 20, 0), (300, 300)),
        (Box(0, 280, 290, 300, 300, 0), (300, 300)),
        (Box(0, 10, 10, 250, 90, 0), (300, 260)),
        (Box(0, 0, 0, 20, 20, 0), (30, 40)),
    ],
)
def test_crops_lie_inside_their_slice_and_hold_their_box(box, shape):
    crop = crop_of(box, shape)
    assert 0 <= crop.left <= box.left
    assert box.right <= crop.left + crop.width <= shape[1]
    assert 0 <= crop.top <= box.top
    assert box.bottom <= crop.top + crop.height <= shape[0]
    shown = cut(np.zeros(shape), crop)
    assert max(shown.shape) <= 224
    assert shown.shape[1] == pytest.approx(crop.width / crop.scale, abs=1)


def test_no_boxes_make_a_page(tmp_path):
    write_report(tmp_path / "report.html", treated(count=0))
    assert data_of((tmp_path / "report.html").read_text())["cases"] == []


def test_a_hundred_boxes_take_at_most_15_mb(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, treated(count=100, methods=("one",), side=400))
    assert path.stat().st_size < 15e6


def test_generate_writes_a_report(make_input, tmp_path, capfd):
    report = tmp_path / "deep" / "report.html"
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    assert main(["generate", *arguments, "--method", "paste", "--report", str(report)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[-1] == f"report: {report}"
    (case,) = data_of(report.read_text())["cases"]
    assert case["recipe"]["signal"] in ("hyposignal", "hypersignal")
    assert case["measures"]["contrast"] > 0


# --- in a browser ---------------------------------------------------------------------------------

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs Chromium and chromedriver (Debian: chromium, chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1440,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.get("about:blank")
    browser.get_log("performance")  # the start page's own requests are not the report's
    browser.get(page.as_uri())
    wait(browser, "return document.getElementById('detail').dataset.case === '0'")
    yield browser
    browser.quit()


def wait(browser, condition, seconds=20):
    end = time.monotonic() + seconds
    while not browser.execute_script(condition):
        assert time.monotonic() < end, f"never came true: {condition}"
        time.sleep(0.05)


def pick(browser, name, value):
    browser.execute_script(
        "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change'));",
        name,
        value,
    )


def tick(browser, name):
    browser.execute_script("document.getElementById(arguments[0]).click()", name)


def titles(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('#list button')].map((b) => b.textContent)"
    )


def pixel(browser, view):
    """Mean grey value of a view's canvas."""
    return browser.execute_script(
        "const c = document.querySelector(`#detail canvas[data-view=${arguments[0]}]`);"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "return d.reduce((a, b, i) => a + (i % 4 < 3 ? b : 0), 0) / (0.75 * d.length);",
        view,
    )


def test_filters_and_sorting(browser):
    assert len(titles(browser)) == 12
    pick(browser, "method", "hard")
    assert len(titles(browser)) == 6
    pick(browser, "signal", "hypersignal")
    assert len(titles(browser)) == 2
    pick(browser, "signal", "")
    pick(browser, "sort", "contrast")
    tick(browser, "falling")
    shown = [float(re.search(r"contrast (-?[\d.]+)", title)[1]) for title in titles(browser)]
    assert shown == sorted(shown, reverse=True)
    assert len(set(shown)) > 1
    tick(browser, "falling")
    pick(browser, "sort", "")
    pick(browser, "method", "")
    assert len(titles(browser)) == 12


def press(browser, key):
    browser.execute_script(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0]}))", key
    )


def test_arrows_go_from_box_to_box(browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("document.querySelector('#list button').click()")
    wait(browser, "return document.getElementById('detail').dataset.case === '0'")
    body = ActionChains(browser)
    body.send_keys(Keys.ARROW_RIGHT).perform()
    wait(browser, "return document.getElementById('detail').dataset.case === '1'")
    body.send_keys(Keys.ARROW_LEFT).perform()
    wait(browser, "return document.getElementById('detail').dataset.case === '0'")


def test_the_slider_moves_between_before_and_after(browser):
    clip = "return document.querySelector('#compare [data-view=after]').style.clipPath"
    pick(browser, "slider", "20")
    left = browser.execute_script(clip)
    pick(browser, "slider", "80")
    assert (left, browser.execute_script(clip)) == (
        "inset(0px 0px 0px 20%)",
        "inset(0px 0px 0px 80%)",
    )
    divider = "return document.querySelector('#compare .divider').style.left"
    assert browser.execute_script(divider) == "80%"


def test_the_window_changes_the_pixels(browser):
    first = pixel(browser, "before")
    pick(browser, "preset", "soft")
    wait(browser, "return document.getElementById('width').value === '2045'")
    time.sleep(0.2)
    dark = pixel(browser, "before")
    assert dark < first - 20
    tick(browser, "inverse")
    time.sleep(0.2)
    assert pixel(browser, "before") == pytest.approx(255 - dark, abs=2)
    tick(browser, "inverse")
    pick(browser, "level", "1500")
    time.sleep(0.2)
    assert pixel(browser, "before") > dark
    pick(browser, "preset", "crop")


def test_zoom_and_outline(browser):
    pick(browser, "zoom", "3")
    transform = "return document.querySelector('#compare canvas').style.transform"
    assert "scale(3)" in browser.execute_script(transform)
    tick(browser, "outline")
    outline = "return document.querySelector('#compare .outline').hidden"
    assert browser.execute_script(outline) is False
    tick(browser, "outline")
    pick(browser, "zoom", "1")


def test_slices_lead_to_their_boxes(browser):
    browser.execute_script("document.querySelectorAll('#overview a')[4].click()")
    wait(browser, "return document.getElementById('title').textContent.includes('slice 1')")


def test_the_same_box_by_another_method(browser):
    shown = "return document.getElementById('title').textContent"
    browser.execute_script("document.querySelector('#list button').click()")
    wait(browser, "return document.querySelectorAll('#others button').length === 2")
    browser.execute_script("document.querySelectorAll('#others button')[1].click()")
    wait(browser, f"{shown}.includes('box 0: hard')")
    press(browser, "ArrowDown")
    wait(browser, f"{shown}.includes('box 0: soft')")


def test_what_is_shown_is_printed(browser):
    printed = "return document.querySelectorAll('#print .case').length"
    wait(
        browser, "return cases.every((c) => ready.has(c.change) && ready.has(crops[c.crop].image))"
    )
    for method, count in (("soft", 6), ("", 12)):
        pick(browser, "method", method)
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        assert browser.execute_script(printed) == count
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(printed) == 0


@pytest.mark.parametrize("width", [1440, 800, 390])
def test_no_width_is_overflowed(browser, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_whoever_does_not_see_is_told(browser):
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('img, canvas, input, select, button, svg[role]')]"
        ".filter((e) => !(e.alt || e.ariaLabel || e.labels?.length || e.textContent.trim()"
        " || e.ariaHidden === 'true' || e.closest('[aria-hidden=true]'))).map((e) => e.outerHTML)"
    )
    assert unnamed == []


def test_nothing_is_asked_from_outside_and_the_console_is_quiet(browser):
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        entry["params"]["request"]["url"]
        for entry in asked
        if entry["method"] == "Network.requestWillBeSent"
    ]
    assert urls
    assert all(url.startswith(("file:", "data:")) for url in urls), urls
