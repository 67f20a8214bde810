"""Measures how fast a report of 20 whole radiographs opens, pans and changes its window.

    PYTHONPATH=. python test/measure_pages.py [FOLDER_OF_RADIOGRAPHS]

Not a test: it asserts nothing, and its figures are those of the machine it runs on. Without a
folder the radiographs are noise, which packs worse than any real one.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from chromium import Chromium

from nodegen.evaluation.fidelity.judge import StackPair
from nodegen.evaluation.report.report_page import Treated, write_report
from nodegen.io.boxes import Box
from nodegen.io.stack import read_stack

FILMS, SIDE = 20, 1024
FRAMES = 120
BOX = (300, 400, 360, 460)

COUNT = """
const act = new Function('i', arguments[1]);
const times = [];
for (let i = 0; i < arguments[0]; i++) {
  act(i);
  times.push(await new Promise((r) => requestAnimationFrame(r)));
}
const steps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
const rate = 1000 * (times.length - 1) / (times.at(-1) - times[0]);
return [rate, steps[Math.floor(steps.length * .95)]];
"""
ACTS = {
    "pan": "document.dispatchEvent(new KeyboardEvent('keydown', "
    "{key: i % 40 < 20 ? 'ArrowLeft' : 'ArrowRight', shiftKey: true}))",
    "window": "const e = document.getElementById('level'); e.value = 1500 + 10 * (i % 50);"
    "e.oninput()",
    "zoom": "document.dispatchEvent(new KeyboardEvent('keydown', {key: i % 20 < 10 ? '+' : '-'}))",
}


def films(folder):
    if folder is None:
        rng = np.random.default_rng(0)
        return rng.normal(2000, 150, (FILMS, SIDE, SIDE)).clip(0, 4095).astype(np.uint16)
    paths = sorted(Path(folder).glob("*.mha"))[:FILMS]
    return np.stack([read_stack(path).pixels[0] for path in paths])


def report(folder, path):
    before = films(folder)
    after = before.copy()
    left, top, right, bottom = BOX
    after[:, top:bottom, left:right] += 100
    boxes = [Box(i, *BOX, i) for i in range(len(before))]
    write_report(path, [Treated("one", "stack", StackPair(before, after, boxes))])
    return len(before)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "report.html"
        count = report(folder, path)
        print(f"{count} radiographs, {path.stat().st_size / 1e6:.1f} MB")
        browser = Chromium(Path(scratch) / "profile")
        try:
            for _ in range(3):
                start = time.monotonic()
                browser.open(path)
                browser.wait("document.getElementById('views')?.dataset.case === '0'")
                browser.settle()
                print(f"opened and drawn: {time.monotonic() - start:.2f} s")
            for scale in ("fit", "closer"):
                for name, act in ACTS.items():
                    rate, slow = browser.promised(COUNT, FRAMES, act)
                    print(f"{name}, {scale}: {rate:.0f} frames/s, 95 % within {slow:.0f} ms")
                browser.press("z")
            start = time.monotonic()
            browser.press("ArrowDown")
            browser.wait("document.getElementById('views').dataset.case === '1'")
            browser.settle()
            print(f"next slice: {time.monotonic() - start:.2f} s")
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
