"""The contact sheet: images of a set with their boxes, and nodules enlarged."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen.dataset.png import png
from nodegen.io.boxes import Box
from nodegen.io.preview import around, eight_bit, resized
from nodegen.io.radiograph import read_radiograph
from nodegen.io.store import Store

SHOWN = 24  # images, spread over the set
COLUMNS = 6
TILE_PX = 256
ENLARGED = 96  # height of the lower part of a tile, which shows its nodules, px
HEAD_PX = 24  # height of the line that says how many images are shown
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
    while len(tiles) % COLUMNS or not tiles:
        tiles.append(blank)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    head = Image.new("RGB", (COLUMNS * TILE_PX, HEAD_PX))
    said = f"{len(chosen)} of {len(records)} images; each nodule below, windowed by itself"
    ImageDraw.Draw(head).text((4, 4), said, fill=INK, font=ImageFont.load_default(14))
    return png(np.vstack([np.asarray(head), *rows]))


def _tile(output: Store, record: dict[str, Any]) -> np.ndarray:
    pixels = _pixels(output, record)
    tile = Image.new("RGB", (TILE_PX, TILE_PX + ENLARGED))
    small, scale = resized(Image.fromarray(pixels), TILE_PX, Image.Resampling.BOX)
    grey = np.asarray(small)
    shown = grey[grey > grey.min()] if (grey > grey.min()).any() else grey
    tile.paste(Image.fromarray(eight_bit(grey, (1, 99.5), of=shown)))
    pen, side = ImageDraw.Draw(tile), TILE_PX // 3
    for number, nodule in enumerate(record["nodules"]):
        pen.rectangle([value * scale for value in nodule["box"]], outline=INK)
        if number < TILE_PX // side:
            cut = pixels[around(Box(0, *nodule["given"]), pixels.shape, 2)]
            close, _ = resized(Image.fromarray(eight_bit(cut)), side, Image.Resampling.BICUBIC)
            tile.paste(close, (number * side, TILE_PX))
    pen.text((4, 4), record["name"], fill=INK, font=ImageFont.load_default(12))
    return np.asarray(tile)


def _pixels(output: Store, record: dict[str, Any]) -> np.ndarray:
    """The image, float32 (row, column), from whichever of its files is there."""
    for name in sorted(record["files"]):
        if name.startswith(("images/", "yolo/images/", "node21/")) or "/images" in name:
            with output.local(name) as path:
                return read_radiograph(path).pixels.astype(np.float32)
    return np.zeros((record["height"], record["width"]), np.float32)
