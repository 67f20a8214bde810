"""A contact sheet: real and synthetic nodules of like size, side by side, to be looked at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.optimize import linear_sum_assignment

from nodegen.dataset.png import png
from nodegen.errors import EvaluationError
from nodegen.evaluation.fidelity.nodule_measures import side_of
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes
from nodegen.io.image import Mark
from nodegen.io.preview import around, eight_bit, resized

AROUND = 3.0  # a view shows so many times the box's larger side
TILE_PX = 150  # side of a view
GAP_PX = 2  # between the two of a pair
MARGIN_PX = 12  # between pairs
PAIRS_ACROSS = 6
WINDOW_PERCENTILES = (1, 99)  # of what is shown: its window
LEAST_WINDOW = 1200  # grey levels: a quiet place is not stretched until it is all noise
KINDS = ("real", "synthetic")  # of a pair, from the left; each view says which it is

SheetView = tuple[float, Image.Image]  # of a nodule: the side of its box, px; how it is shown


def view(image: np.ndarray, box: Box) -> SheetView:
    """Enlarge a box of an image (row, column; 0..4095), windowed to what is shown."""
    part = image[around(box, image.shape, AROUND)]
    grey = eight_bit(part, WINDOW_PERCENTILES, least_width=LEAST_WINDOW)
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


def write_sheet(path: Path, pairs: Sequence[tuple[SheetView, SheetView]]) -> None:
    """Write the sheet, a PNG: in each pair the real nodule is on the left; each view is named."""
    across, down = 2 * TILE_PX + GAP_PX + MARGIN_PX, TILE_PX + MARGIN_PX
    columns, rows = min(len(pairs), PAIRS_ACROSS), -(-len(pairs) // PAIRS_ACROSS)
    sheet = Image.new("L", (columns * across + MARGIN_PX, rows * down + MARGIN_PX), 90)
    pen = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        top = MARGIN_PX + number // PAIRS_ACROSS * down
        left = MARGIN_PX + number % PAIRS_ACROSS * across
        for kind, (_, tile) in zip(KINDS, pair, strict=True):
            sheet.paste(tile, (left, top))
            pen.text((left + 4, top + 2), kind, fill=255, stroke_width=2, stroke_fill=0)
            left += TILE_PX + GAP_PX
    mark = Mark("Synthetic lung nodules beside real ones")
    write_bytes(path, png(np.asarray(sheet), mark))
