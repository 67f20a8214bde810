"""Chromium as a person uses it: pages opened from the disk, real mouse, keys and fingers."""

import json
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
AXE = Path(__file__).resolve().parent.parent / "node_modules" / "axe-core" / "axe.min.js"
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Chromium:
    """One browser; each page is opened in its one window."""

    def __init__(self, profile):
        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if not (chromium and driver):
            pytest.skip("needs Chromium and chromedriver (Debian: chromium, chromium-driver)")
        webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1440,1000"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.get("about:blank")
        self.asked = []
        self.said = []
        self.driver.get_log("performance")  # the start page's own requests are not the page's

    def quit(self):
        self.driver.quit()

    def open(self, page, width=1440, touch=False, keep=False):
        """Open a page in a window so wide, with nothing kept from the pages before."""
        if self.driver.current_url.startswith("file:") and not keep:  # all of them share one store
            self.js("onbeforeunload = null; localStorage.clear(); sessionStorage.clear()")
        height = 1000 if width > 500 else 844
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics)
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=touch, maxTouchPoints=2)
        self.driver.get(page.as_uri())

    def reload(self):
        self.driver.refresh()

    @contextmanager
    def tab(self, page, width=1440):
        """The same page in a second tab; yields how to change between the two."""
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        second = self.driver.current_window_handle
        self.open(page, width, keep=True)
        try:
            yield lambda number: self.driver.switch_to.window((first, second)[number])
        finally:
            self.driver.switch_to.window(second)
            self.driver.close()
            self.driver.switch_to.window(first)

    def upload(self, selector, path):
        """Click a button that asks for a file, and give it one."""
        self.js("HTMLInputElement.prototype.click = function () {};")
        self.click(selector)
        self.driver.find_element("id", "chosen").send_keys(str(path))
        self.js("delete HTMLInputElement.prototype.click")

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def promised(self, code, *arguments):
        """The value of a promise that a piece of code returns."""
        last = "const done = arguments[arguments.length - 1];"
        wrapped = f"{last} (async () => {{ {code} }})().then(done);"
        return self.driver.execute_async_script(wrapped, *arguments)

    def wait(self, condition, *arguments, seconds=20):
        end = time.monotonic() + seconds
        while not self.js(f"return {condition}", *arguments):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def settle(self):
        """Wait until what was asked to be drawn is drawn."""
        self.promised(
            "await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)
        self.settle()

    def press(self, *keys, shift=False):
        """Real keys, to whatever has the focus."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            text |= {"text": "\r"} if key == "Enter" else {}
            code = KEYS.get(key) or {"Enter": 13, "Backspace": 8, "Escape": 27}.get(key)
            code = code or ord(key.upper()[0])
            event = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 * shift}
            self.cdp("Input.dispatchKeyEvent", type="keyDown", **event, **text)
            self.cdp("Input.dispatchKeyEvent", type="keyUp", **event)
        self.settle()

    def place(self, selector, x=0.5, y=0.5):
        """A point of the page, as shares of an element that is scrolled into view."""
        left, top, width, height = self.js(
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'nearest'});"
            "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height];",
            selector,
        )
        return left + x * width, top + y * height

    def mouse(self, kind, x, y, **more):
        self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, start, end, button="left"):
        held = {"left": 1, "right": 2, "middle": 4}[button]
        self.mouse("mousePressed", *start, button=button, buttons=held, clickCount=1)
        for share in (0.5, 1):
            at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
            self.mouse("mouseMoved", *at, button=button, buttons=held)
        self.mouse("mouseReleased", *end, button=button, buttons=0, clickCount=1)
        self.settle()

    def wheel(self, place, by, ctrl=False, shift=False):
        modifiers = 2 * ctrl + 8 * shift
        self.mouse("mouseWheel", *place, deltaX=0, deltaY=by, modifiers=modifiers)
        self.settle()

    def fingers(self, *path):
        """Put fingers down at the first places, move them along, and take them up."""
        for kind, places in zip(
            ("touchStart", *["touchMove"] * (len(path) - 1)), path, strict=True
        ):
            points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
            self.cdp("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        self.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def downloads(self, selector):
        """What a button would save: its text."""
        self.js(
            "window.saved = null; const make = URL.createObjectURL;"
            "URL.createObjectURL = (blob) => { blob.text().then((t) => { window.saved = t; });"
            "  URL.createObjectURL = make; return '#'; };"
            "HTMLAnchorElement.prototype.click = function () {};"
            "document.querySelector(arguments[0]).click();"
            "delete HTMLAnchorElement.prototype.click;",
            selector,
        )
        self.wait("window.saved !== null")
        return self.js("return window.saved")

    def canvas(self, number=0):
        """A pane's colours: bytes of red, green, blue, alpha, with its width."""
        return self.js(
            "const c = document.querySelectorAll('#views canvas')[arguments[0]];"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "let grey = 0, yellow = 0, teal = 0, blue = 0; for (let i = 0; i < d.length; i += 4) {"
            "  grey += d[i] + d[i + 1] + d[i + 2];"
            "  if (d[i] > 240 && d[i + 1] > 190 && d[i + 2] < 110) yellow++;"
            "  if (d[i] < 140 && d[i + 1] > 200 && d[i + 2] > 170) teal++;"
            "  if (d[i] < 160 && d[i + 1] < 200 && d[i + 2] > 240) blue++; }"
            "return {mean: grey / (0.75 * d.length), yellow, teal, blue};",
            number,
        )

    def outside(self):
        """Buttons and lists of the tools that are not wholly on the screen, by their titles."""
        return self.js(
            "const tools = document.querySelectorAll("
            "  '[role=toolbar] :is(button, select), #answer button');"
            "return [...tools].filter((t) => t.checkVisibility()).filter((t) => {"
            "  const { left, right, top, bottom } = t.getBoundingClientRect();"
            "  return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;"
            "}).map((t) => t.title);"
        )

    def faults(self):
        """Console messages of any kind, and requests to anywhere but the disk."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        # `canvas` above reads pixels back, which no page does; Chromium remarks on that.
        said = [message for message in said if "willReadFrequently" not in message]
        asked = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        urls = [
            entry["params"]["request"]["url"]
            for entry in asked
            if entry["method"] == "Network.requestWillBeSent"
        ]
        return said + [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]

    def axe(self):
        """Serious faults that axe-core finds, contrast included."""
        if not AXE.is_file():
            pytest.skip("needs axe-core (npm install)")
        self.js(AXE.read_text())
        return self.promised(
            "const found = await axe.run(document, {resultTypes: ['violations']});"
            "return found.violations.filter((v) => ['serious', 'critical'].includes(v.impact))"
            ".map((v) => [v.id, ...v.nodes.map((n) => n.html + n.any.map((a) => a.message))]);"
        )
