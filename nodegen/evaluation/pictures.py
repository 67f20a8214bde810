"""Pictures to look at: a stack before and after, and real nodules beside synthetic ones."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.optimize import linear_sum_assignment

from nodegen.dataset.png import png
from nodegen.errors import EvaluationError, SettingError
from nodegen.evaluation.boxed_images import BoxedImage
from nodegen.evaluation.fidelity.grey_levels import grey_levels_of_pair, to_grey_levels
from nodegen.evaluation.fidelity.nodule_measures import side_of
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes
from nodegen.io.image import Mark
from nodegen.io.preview import around, eight_bit, resized

# --- a stack before and after ---------------------------------------------------------------------

AROUND = 2.4  # an enlarged view shows this many times the box's larger side
SMALLEST_VIEW_PX = 96  # and at least so many pixels of the slice
CAPTION_PX = 22  # height of the line of words above each panel
INK, MARK = (235, 235, 235), (255, 210, 74)  # colour of words, and of boxes
TICK = 0.25  # of a box's side: length of the marks at its corners, which leave the nodule free
ENDS = (0.5, 99.5)  # percentiles of the view that are black and white, before and after alike


def _visible(before: np.ndarray, after: np.ndarray, box: Box) -> float:
    """How far a box's middle has changed, in standard deviations of what lies in it before."""
    middle, whole = (around(box, before.shape, sides) for sides in (0.5, 1))
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


# --- a contact sheet: real and synthetic nodules of like size, side by side -----------------------

SHEET_AROUND = 3.0  # a view shows this many times the box's larger side
TILE_PX = 150  # side of a view
GAP_PX = 2  # between the two of a pair
MARGIN_PX = 12  # between pairs
PAIRS_ACROSS = 6
SHEET_ENDS = (1, 99)  # the same of a view
LEAST_WINDOW = 1200  # grey levels: a quiet place is not stretched until it is all noise

SheetView = tuple[float, Image.Image]  # of a nodule: the side of its box, px; how it is shown


def view(image: np.ndarray, box: Box) -> SheetView:
    """A box of an image (row, column; 0..4095), enlarged and windowed to what is shown."""
    part = image[around(box, image.shape, SHEET_AROUND)]
    grey = eight_bit(part, SHEET_ENDS, least_width=LEAST_WINDOW)
    tile = Image.new("L", (TILE_PX, TILE_PX))
    tile.paste(resized(Image.fromarray(grey), TILE_PX, Image.Resampling.BICUBIC)[0])
    return side_of(box), tile


def pairs_of_like_size(
    real: Sequence[SheetView], synthetic: Sequence[SheetView], count: int, seed: int = 0
) -> list[tuple[SheetView, SheetView]]:
    """Choose ``count`` real nodules and, for each, a synthetic one of its own of nearest size."""
    if not real or not synthetic:
        raise EvaluationError(
            f"There are {len(real)} real and {len(synthetic)} synthetic nodules, where one of each "
            "is needed at least; give radiographs and stacks with boxes."
        )
    chosen = np.random.default_rng(seed).permutation(len(real))[: min(count, len(synthetic))]
    sizes = np.log([[side for side, _ in synthetic]]), np.log([[real[i][0]] for i in chosen])
    first, second = linear_sum_assignment(np.abs(sizes[0] - sizes[1]))
    return [(real[chosen[i]], synthetic[j]) for i, j in zip(first, second, strict=True)]


def write_sheet(
    path: Path,
    real: Iterable[BoxedImage],
    synthetic: Iterable[BoxedImage],
    count: int,
    seed: int = 0,
) -> None:
    """Write a contact sheet: in each pair the real nodule is on the left; each view is named.

    Parameters
    ----------
    path : Path
        The PNG to write.
    real, synthetic : iterable of BoxedImage
        Radiographs with the boxes to show, of any grey levels.
    count, seed : int
        The largest number of pairs, and the seed of the choice among the real nodules.

    Raises
    ------
    EvaluationError
        Where there is no box of a kind.
    """
    left, right = (
        [view(to_grey_levels(image.pixels), box) for image in images for box in image.boxes]
        for images in (real, synthetic)
    )
    pairs = pairs_of_like_size(left, right, count, seed)
    across, down = 2 * TILE_PX + GAP_PX + MARGIN_PX, TILE_PX + MARGIN_PX
    columns, rows = min(len(pairs), PAIRS_ACROSS), -(-len(pairs) // PAIRS_ACROSS)
    sheet = Image.new("L", (columns * across + MARGIN_PX, rows * down + MARGIN_PX), 90)
    pen = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, PAIRS_ACROSS)
        for side, (kind, (_, tile)) in enumerate(zip(("real", "synthetic"), pair, strict=True)):
            x = MARGIN_PX + column * across + side * (TILE_PX + GAP_PX)
            y = MARGIN_PX + row * down
            sheet.paste(tile, (x, y))
            pen.text((x + 4, y + 2), kind, fill=255, stroke_width=2, stroke_fill=0)
    mark = Mark("Synthetic lung nodules beside real ones")
    write_bytes(path, png(np.asarray(sheet), mark))
