"""Contact sheet: synthetic and real nodules side by side, to be looked at."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen.io.files import write_bytes
from nodegen.io.library import Nodule
from research.nodule_model.features import level, projected
from research.nodule_model.model import NoduleModel
from research.nodule_model.synthesise import synthesise

SIDE = 8  # nodules in a row and in a column, on each half
TILE_PX, GAP_PX, CAPTION_PX, TITLE_PX = 80, 8, 14, 28


def contact_sheet(model: NoduleModel, real: Sequence[Nodule], path: Path, seed: int = 0) -> None:
    """Write a PNG: nodules drawn from the model on the left, real ones on the right.

    Each is as large as its tile and has its diameter in mm above it; both halves are random.
    """
    count = SIDE * SIDE
    projections = (projected(one.volume_hu, one.mask) for one in synthesise(model, count, seed))
    drawn = [nodule for nodule in projections if nodule]
    chosen = np.random.default_rng(seed).permutation(len(real))[:count]
    halves = [
        _half(drawn, "synthetic"),
        _half([real[index] for index in chosen], "real"),
    ]
    sheet = np.hstack([np.asarray(half) for half in halves])
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, format="PNG", optimize=True)
    write_bytes(path, stream.getvalue())


def _half(nodules: Sequence[Nodule], title: str) -> Image.Image:
    across, down = TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX
    half = Image.new("L", (SIDE * across + 2 * GAP_PX, SIDE * down + TITLE_PX), 40)
    pen = ImageDraw.Draw(half)
    pen.text((GAP_PX, 4), title, fill=255, font=ImageFont.load_default(16))
    for place, nodule in enumerate(nodules):
        row, column = divmod(place, SIDE)
        left, top = GAP_PX + column * across, TITLE_PX + row * down
        pen.text((left, top), f"{nodule.diameter_mm} mm", fill=200, font=ImageFont.load_default(11))
        half.paste(_tile(nodule), (left, top + CAPTION_PX))
    return half


def _tile(nodule: Nodule) -> Image.Image:
    image = Image.fromarray((255 * level(nodule)).astype(np.uint8))
    scale = TILE_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    tile = Image.new("L", (TILE_PX, TILE_PX))
    image = image.resize(size, Image.Resampling.BICUBIC)
    tile.paste(image, ((TILE_PX - size[0]) // 2, (TILE_PX - size[1]) // 2))
    return tile
