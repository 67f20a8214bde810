"""One picture of a stack before and after: whole slices, and their boxes enlarged."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen.constants import CHALLENGE_MAX
from nodegen.errors import SettingError
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes
from nodegen.steps.grey import rescale

AROUND = 2.0  # an enlarged view shows this many times the box's larger side
SMALLEST_VIEW_PX = 96  # and at least so many pixels of the slice
CAPTION_PX = 22  # height of the line of words above each panel
INK = 235  # grey level of words and outlines


def _grey(pixels: np.ndarray, low: float, high: float) -> Image.Image:
    scaled = rescale(pixels, low, high, CHALLENGE_MAX)
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _panel(image: Image.Image, words: str, side: int) -> Image.Image:
    """`image` scaled into a square of `side` px, under its caption."""
    panel = Image.new("L", (side, side + CAPTION_PX))
    image = image.resize(
        (max(1, round(side * image.width / max(image.size))),
         max(1, round(side * image.height / max(image.size)))),
        Image.Resampling.LANCZOS,
    )  # fmt: skip
    panel.paste(image, (0, CAPTION_PX))
    ImageDraw.Draw(panel).text((4, 3), words, fill=INK, font=ImageFont.load_default(14))
    return panel


def before_after(
    before: np.ndarray, after: np.ndarray, boxes: list[Box], path: Path, *, rows: int, side: int
) -> None:
    """Write a picture: for each box a row of slice before, slice after, and both enlarged.

    Parameters
    ----------
    before, after : numpy.ndarray
        Two stacks `(slice, row, column)` of the same shape. Grey levels run from the untouched
        slice's minimum to its maximum; where the pixel types differ, each slice has its own scale.
    boxes : list of Box
        The first box of each slice comes first, then the second ones.
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
    seen: dict[int, int] = {}
    turns = []
    for box in boxes:
        seen[box.slice] = turn = seen.get(box.slice, -1) + 1
        turns.append((turn, box.slice, box.index, box))
    lines = []
    for *_, box in sorted(turns, key=lambda turn: turn[:3])[:rows]:
        old, new = before[box.slice], after[box.slice]
        scale = old if old.dtype == new.dtype else new
        views = (
            _grey(old, float(old.min()), float(old.max())),
            _grey(new, float(scale.min()), float(scale.max())),
        )
        x, y = box.centre
        half = max(AROUND * max(box.width, box.height), SMALLEST_VIEW_PX) / 2
        window = round(x - half), round(y - half), round(x + half), round(y + half)
        panels = []
        for view, words in zip(views, ("before", "after"), strict=True):
            marked = view.copy()
            pen = ImageDraw.Draw(marked)
            pen.rectangle(window, outline=0, width=6)  # dark around it: it shows on bright, too
            pen.rectangle(window, outline=INK, width=3)
            panels.append(_panel(marked, f"slice {box.slice}, {words}", side))
        panels += [
            _panel(view.crop(window), f"box {box.index}, {words}", side)
            for view, words in zip(views, ("before", "after"), strict=True)
        ]
        lines.append(np.hstack([np.asarray(panel) for panel in panels]))
    made = io.BytesIO()
    Image.fromarray(np.vstack(lines)).save(made, format="PNG", optimize=True)
    write_bytes(path, made.getvalue())
