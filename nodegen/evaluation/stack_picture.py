"""One picture of a stack with its nodules: whole slices, and boxes enlarged before and after."""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen.dataset.png import png
from nodegen.errors import SettingError
from nodegen.evaluation.fidelity.grey_levels import grey_levels_of_pair
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes
from nodegen.io.image import Mark
from nodegen.io.preview import around, eight_bit, resized

AROUND = 2.4  # an enlarged view shows this many times the box's larger side
SMALLEST_VIEW_PX = 96  # and at least so many pixels of the slice
CAPTION_PX = 22  # height of the line of words above each panel
INK, MARK = (235, 235, 235), (255, 210, 74)  # colour of words, and of boxes
TICK = 0.25  # of a box's side: length of the marks at its corners, which leave the nodule free
ENDS = (0.5, 99.5)  # percentiles of the view that are black and white, before and after alike


def _visible(before: np.ndarray, after: np.ndarray, box: Box) -> float:
    """How far a box's middle has changed, in standard deviations of what lies in it before."""
    x, y = (round(v) for v in box.centre)
    reach = max(box.side // 4, 1)
    middle = slice(y - reach, y + reach), slice(x - reach, x + reach)
    whole = slice(box.top, box.bottom), slice(box.left, box.right)
    deviation = float(before[whole].std()) or 1.0
    return float(after[middle].mean() - before[middle].mean()) / deviation


def before_after(
    before: np.ndarray, after: np.ndarray, boxes: list[Box], path: Path, *, rows: int, side: int
) -> None:
    """Write a picture: for each box a row of its slice with nodules, and the box before and after.

    Parameters
    ----------
    before, after : numpy.ndarray
        Two stacks `(slice, row, column)` of the same shape, brought to the same grey levels. Whole
        slices have the window of the untouched slice; enlarged, both have that of what is shown.
    boxes : list of Box
        Those whose nodules are seen best come first.
    path : pathlib.Path
        The PNG to write.
    rows, side : int
        The largest number of boxes to show, and the side of a panel in px.

    Raises
    ------
    SettingError
        Where the stacks' shapes differ, or there is no box to show.
    """
    if before.shape != after.shape:
        raise SettingError(
            f"The stack before is {before.shape} and the one after {after.shape} (slice, row, "
            "column); give two stacks of the same shape."
        )
    if not boxes:
        raise SettingError("The list of boxes is empty; give a stack with at least one box.")
    before, after = grey_levels_of_pair(before, after)
    boxes = sorted(boxes, key=lambda box: -_visible(before[box.slice], after[box.slice], box))
    lines = []
    for box in boxes[:rows]:
        old, new = before[box.slice], after[box.slice]
        whole, scale = _view(new, side, old, (0, 100))
        pen = ImageDraw.Draw(whole)
        for other in (one for one in boxes if one.slice == box.slice):
            corners = [v * scale for v in other.edges]
            pen.rectangle(corners, outline=MARK, width=1 + (other == box))
        sides = max(AROUND, SMALLEST_VIEW_PX / max(box.width, box.height))
        window = around(box, old.shape, sides)
        start = (window[1].start, window[0].start) * 2
        both = np.stack([old[window], new[window]])
        panels = [_panel(whole, f"slice {box.slice + 1}, after: synthetic nodules", side)]
        for levels, words in ((old, "before"), (new, "after")):
            view, scale = _view(levels[window], side, both, ENDS)
            _tick(view, *((v - s) * scale for v, s in zip(box.edges, start, strict=True)))
            panels.append(_panel(view, f"box {box.index + 1}, {words}", side))
        lines.append(np.hstack(panels))
    write_bytes(path, png(np.vstack(lines), Mark("Synthetic lung nodules")))


def _view(
    levels: np.ndarray, side: int, window: np.ndarray, percentiles: tuple[float, float]
) -> tuple[Image.Image, float]:
    """A view in the window of ``percentiles``, its larger side so many px, and its scale."""
    grey = eight_bit(levels, percentiles, of=window)
    return resized(Image.fromarray(grey).convert("RGB"), side)


def _panel(image: Image.Image, words: str, side: int) -> np.ndarray:
    """``image`` in the middle of a square of ``side`` px, under its caption."""
    panel = Image.new("RGB", (side, side + CAPTION_PX))
    panel.paste(image, ((side - image.width) // 2, CAPTION_PX + (side - image.height) // 2))
    ImageDraw.Draw(panel).text((4, 3), words, fill=INK, font=ImageFont.load_default(14))
    return np.asarray(panel)


def _tick(view: Image.Image, left: float, top: float, right: float, bottom: float) -> None:
    """Mark a box's four corners."""
    pen = ImageDraw.Draw(view)
    for x, y in product((left, right), (top, bottom)):
        across, down = (x + (left + right - 2 * x) * TICK), (y + (top + bottom - 2 * y) * TICK)
        pen.line([across, y, x, y, x, down], fill=MARK, width=2)
