"""One picture of a stack with its nodules: whole slices, and boxes enlarged before and after."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen import __version__
from nodegen.dataset.png import png
from nodegen.errors import SettingError
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes
from nodegen.io.image import Mark
from nodegen.io.preview import around, eight_bit, resized
from nodegen.synthesis.context import rescale

AROUND = 2.4  # an enlarged view shows this many times the box's larger side
SMALLEST_VIEW_PX = 96  # and at least so many pixels of the slice
CAPTION_PX = 22  # height of the line of words above each panel
INK, MARK = (235, 235, 235), (255, 210, 74)  # colour of words, and of boxes
TICK = 0.25  # of a box's side: length of the marks at its corners, which leave the nodule free
ENDS = (0.5, 99.5)  # percentiles of the view that are black and white, before and after alike


def _grey(unit: np.ndarray, window: np.ndarray, percentiles: tuple[float, float]) -> Image.Image:
    return Image.fromarray(eight_bit(unit, percentiles, of=window)).convert("RGB")


def _panel(image: Image.Image, words: str, side: int) -> Image.Image:
    """`image` in the middle of a square of `side` px, under its caption."""
    panel = Image.new("RGB", (side, side + CAPTION_PX))
    left, top = (side - image.width) // 2, CAPTION_PX + (side - image.height) // 2
    panel.paste(image, (left, top))
    ImageDraw.Draw(panel).text((4, 3), words, fill=INK, font=ImageFont.load_default(14))
    return panel


def visible(before: np.ndarray, after: np.ndarray, box: Box) -> float:
    """How far a box's middle has changed, in standard deviations of what lies in it before.

    Parameters
    ----------
    before, after : numpy.ndarray
        Its slice, `(row, column)`, each from 0 to 1 of its own grey scale.
    box : Box
        Its place.
    """
    x, y = (round(v) for v in box.centre)
    reach = max(box.side // 4, 1)
    middle = slice(y - reach, y + reach), slice(x - reach, x + reach)
    whole = slice(box.top, box.bottom), slice(box.left, box.right)
    spread = float(before[whole].std()) or 1.0
    return float((after[middle] - before[middle]).mean()) / spread


def _unit(stack: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """A slice in 0..1 of the grey scale of another."""
    return rescale(stack, float(scale.min()), float(scale.max()), 1.0)


def before_after(
    before: np.ndarray, after: np.ndarray, boxes: list[Box], path: Path, *, rows: int, side: int
) -> None:
    """Write a picture: for each box a row of its slice with nodules, and the box before and after.

    Parameters
    ----------
    before, after : numpy.ndarray
        Two stacks `(slice, row, column)` of the same shape. Grey levels run from the untouched
        slice's minimum to its maximum; where the pixel types differ, each slice has its own scale.
        Enlarged, both have the window of what is shown.
    boxes : list of Box
        Those whose nodules are seen best come first.
    path : pathlib.Path
        The PNG to write.
    rows : int
        The largest number of boxes to show, at least 1.
    side : int
        Side of a panel in px.

    Raises
    ------
    SettingError
        If the stacks' shapes differ, there is no box to show, or no room to show it in.
    OutputError
        If the picture cannot be written.
    """
    if before.shape != after.shape:
        raise SettingError(
            f"The stack before is {before.shape} and the one after {after.shape} (slice, row, "
            "column); give two stacks of the same shape."
        )
    if rows < 1 or side < 1:
        raise SettingError(f"rows is {rows} and side is {side} px; give at least 1 for both.")
    if not boxes:
        raise SettingError("The list of boxes is empty; give a stack with at least one box.")
    slices = {}
    for number in {box.slice for box in boxes}:
        old, new = before[number], after[number]
        slices[number] = _unit(old, old), _unit(new, old if old.dtype == new.dtype else new)
    order = sorted(boxes, key=lambda box: -visible(*slices[box.slice], box))
    lines = []
    for box in order[:rows]:
        old, new = slices[box.slice]
        whole, scale = resized(_grey(new, np.array([0, 1]), (0, 100)), side)
        pen = ImageDraw.Draw(whole)
        for other in boxes:
            if other.slice == box.slice:
                corners = [v * scale for v in _corners(other)]
                pen.rectangle(corners, outline=MARK, width=1 + (other == box))
        sides = max(AROUND, SMALLEST_VIEW_PX / max(box.width, box.height))
        rows_, columns = window = around(box, old.shape, sides)
        start = (columns.start, rows_.start) * 2
        both = np.stack([old[window], new[window]])
        panels = [_panel(whole, f"slice {box.slice + 1}, after: synthetic nodules", side)]
        for unit, words in ((old, "before"), (new, "after")):
            view, scale = resized(_grey(unit[window], both, ENDS), side)
            _tick(view, [(v - s) * scale for v, s in zip(_corners(box), start, strict=True)])
            panels.append(_panel(view, f"box {box.index + 1}, {words}", side))
        lines.append(np.hstack([np.asarray(panel) for panel in panels]))
    write_bytes(path, png(np.vstack(lines), Mark("Synthetic lung nodules", __version__)))


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


def _tick(view: Image.Image, corners: list[float]) -> None:
    """Mark a box's four corners."""
    pen = ImageDraw.Draw(view)
    left, top, right, bottom = corners
    for x, towards_x in ((left, 1), (right, -1)):
        for y, towards_y in ((top, 1), (bottom, -1)):
            length_x, length_y = TICK * (right - left), TICK * (bottom - top)
            pen.line([x, y, x + towards_x * length_x, y], fill=MARK, width=2)
            pen.line([x, y, x, y + towards_y * length_y], fill=MARK, width=2)
