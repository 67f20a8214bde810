"""Draw the README's figures: ``docs/panels.png``, and ``docs/froc.png`` from ``docs/froc.json``.

From the repository's root: ``python docs/scripts/figures.py``. ``froc.json`` holds for each method
``false_positives`` (an image) and as many values of ``sensitivity``, ``low`` and ``high`` (95 %).
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen import Box, Renderer, Settings
from nodegen.io.stack import find_image, read_stack

DOCS = Path("docs")
SAMPLE = Path("test/sample/input")
# Box in the sample, and seed: in the lung's base, and beside a rib. Seeds of ordinary visibility:
# contrast to noise 1.8 and 1.6, where the median asked for is 1.6.
PLACES = ((Box(1, 226, 687, 294, 753), 6), (Box(1, 160, 470, 220, 532), 6))
VIEW_PX, ENLARGED_PX, PANEL_PX, GAP_PX = 300, 110, 300, 6  # sides of the view, of what is enlarged

CAPTIONS = "untouched", "NODE21's baseline", "nodegen", "nodegen, enlarged"
CAPTION_PX = 30


def crop(image: np.ndarray, box: Box, side: int, window: tuple[float, float]) -> np.ndarray:
    """Cut a square of ``side`` px around a box, in 8 bit at panel size."""
    x, y = (int(np.clip(v, side // 2, 1024 - side // 2)) for v in box.centre)
    part = image[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2]
    grey = np.clip((part - window[0]) / (window[1] - window[0]), 0, 1) * 255
    panel = Image.fromarray(grey.astype(np.uint8)).resize((PANEL_PX, PANEL_PX), 3)
    return np.asarray(panel)


def panels() -> Image.Image:
    """A row for each place: untouched, baseline, nodegen, and nodegen enlarged."""
    stack = read_stack(find_image(SAMPLE)).pixels
    plain = {"noise_and_blur": False, "device": "cpu"}
    methods = (
        Renderer(Settings(method="poisson", contrast="paper", **plain)),
        Renderer(Settings(**plain)),
    )
    rows = []
    for box, seed in PLACES:
        drawn = [method.apply(stack, [box], seed=seed).image for method in methods]
        images = [image[box.slice].astype(float) for image in (stack, *drawn)]
        x, y = (round(v) for v in box.centre)
        reach = VIEW_PX // 2
        view = images[2][max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach]
        window = tuple(np.percentile(view[view > 0], (0.5, 99.5)))
        row = [crop(image, box, VIEW_PX, window) for image in images]
        row.append(crop(images[2], box, ENLARGED_PX, window))
        gap = np.full((PANEL_PX, GAP_PX), 255, np.uint8)
        rows.append(np.hstack([part for panel in row for part in (panel, gap)][:-1]))
    gap = np.full((GAP_PX, rows[0].shape[1]), 255, np.uint8)
    head = Image.new("L", (rows[0].shape[1], CAPTION_PX), 255)
    for number, words in enumerate(CAPTIONS):
        where = number * (PANEL_PX + GAP_PX) + PANEL_PX // 2, CAPTION_PX // 2
        font = ImageFont.load_default(18)
        ImageDraw.Draw(head).text(where, words, fill=0, font=font, anchor="mm")
    rows.insert(0, np.asarray(head))
    return Image.fromarray(np.vstack([part for row in rows for part in (row, gap)][:-1]))


def froc(path: Path, output: Path) -> None:
    """Plot sensitivity over false positives an image, each method with its band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, curve in json.loads(path.read_text()).items():
        (line,) = axes.plot(curve["false_positives"], curve["sensitivity"], marker=".", label=name)
        band = curve["low"], curve["high"]
        axes.fill_between(curve["false_positives"], *band, color=line.get_color(), alpha=0.15)
    axes.set_xscale("log", base=2)
    axes.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8], ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.set(
        xlabel="false positives an image", ylabel="sensitivity on real nodules", ylim=(0, None)
    )
    axes.legend(loc="upper left", frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    panels().save(DOCS / "panels.png", optimize=True)
    if (DOCS / "froc.json").is_file():
        froc(DOCS / "froc.json", DOCS / "froc.png")
