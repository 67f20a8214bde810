"""The contact sheet: images of a set with their boxes, and nodules enlarged."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen.dataset.images import png
from nodegen.io.preview import eight_bit, resized
from nodegen.io.radiograph import read_radiograph
from nodegen.io.store import Store

SHOWN = 24  # images, spread over the set
COLUMNS = 6
TILE_PX = 256
ENLARGED = 96  # side of the cut around a nodule, px, in the lower part of a tile
INK = (255, 176, 0)


def contact_sheet(output: Store, records: list[dict[str, Any]]) -> bytes:
    """A PNG: of each image the whole with its boxes, and under it its nodules enlarged.

    Parameters
    ----------
    output : Store
        The set.
    records : list of dict
        Of the images that were made.
    """
    step = max(len(records) / SHOWN, 1)
    chosen = [records[int(i * step)] for i in range(min(SHOWN, len(records)))]
    tiles = [_tile(output, record) for record in chosen]
    blank = np.zeros((TILE_PX + ENLARGED, TILE_PX, 3), np.uint8)
    while len(tiles) % COLUMNS:
        tiles.append(blank)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return png(np.vstack(rows) if rows else blank)


def _tile(output: Store, record: dict[str, Any]) -> np.ndarray:
    pixels = _grey(output, record)
    tile = Image.new("RGB", (TILE_PX, TILE_PX + ENLARGED))
    whole = Image.fromarray(pixels)
    small, scale = resized(whole, TILE_PX, Image.Resampling.BOX)
    tile.paste(small)
    pen = ImageDraw.Draw(tile)
    for number, nodule in enumerate(record["nodules"]):
        corners = [value * scale for value in nodule["box"]]
        pen.rectangle(corners, outline=INK)
        left, top, right, bottom = nodule["given"]
        x, y, half = (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top)
        cut = whole.crop((round(x - half), round(y - half), round(x + half), round(y + half)))
        if number < TILE_PX // ENLARGED + 1:
            side = TILE_PX // 3
            tile.paste(cut.resize((side, side), Image.Resampling.BICUBIC), (number * side, TILE_PX))
    pen.text((4, 4), record["name"], fill=INK, font=ImageFont.load_default(12))
    return np.asarray(tile)


def _grey(output: Store, record: dict[str, Any]) -> np.ndarray:
    """The image in 8 bit, from whichever of its files is there."""
    for name in sorted(record["files"]):
        if name.startswith(("images/", "yolo/images/", "node21/")) or "/images" in name:
            with output.local(name) as path:
                pixels = read_radiograph(path).pixels.astype(np.float32)
            return eight_bit(pixels, (1, 99.5), of=pixels[pixels > pixels.min()])
    return np.zeros((record["height"], record["width"]), np.uint8)
