"""The training image: a crop of a radiograph around several pasted nodules.

A generator replaces what it has never seen, so the crop must hold nodules like those to harmonise.
"""

from dataclasses import replace

import numpy as np

from nodegen.constants import CROP_PX
from nodegen.errors import TrainingError
from nodegen.io.boxes import Box
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import to_unit

SIDES_PX = (36, 48, 64, 88)  # NODE21's boxes have 32 / 57 / 109 px at p5 / p50 / p95
JITTER, FILL = 0.12, 0.8  # of the grid's pitch: a nodule's shift, and its largest side


def draw_boxes(rng: np.random.Generator, count: int, left: int, top: int) -> list[Box]:
    """Draw ``count`` boxes that do not overlap, in the crop whose corner is (left, top), px."""
    cells = int(np.ceil(np.sqrt(count)))
    pitch = CROP_PX / cells
    order = rng.permutation(cells * cells)[:count]
    sides = np.minimum(rng.permutation(np.resize(SIDES_PX, count)), int(pitch * FILL))
    boxes: list[Box] = []
    shifts = rng.uniform(-JITTER, JITTER, (count, 2))
    for cell, side, shift in zip(order, sides.tolist(), shifts, strict=True):
        corner = (np.array(divmod(cell, cells)) + 0.5 + shift) * pitch - side / 2
        y, x = corner.round().astype(int).tolist()
        x, y = x + left, y + top
        boxes.append(Box(0, x, y, x + side, y + side, len(boxes)))
    return boxes


def training_crop(
    image: np.ndarray, centre: tuple[int, int], count: int, seed: int, settings: Settings
) -> np.ndarray:
    """Cut a training image, float32 (256, 256) in 0..1, around nodules pasted into a radiograph.

    Parameters
    ----------
    image : ndarray, shape (row, column)
        The radiograph, in any grey scale; its minimum and maximum become 0 and 1.
    centre : (x, y)
        Of the crop, px; the crop is moved inside the image.
    count, seed : int
        Number of nodules, and what they depend on.
    settings : Settings
        Contrast or subtlety, and library.

    Raises
    ------
    TrainingError
        Where the image is smaller than the crop or has no contrast.
    """
    rows, columns = image.shape
    if min(rows, columns) < CROP_PX:
        raise TrainingError(
            f"The image has {columns} x {rows} px, and a training crop needs at least "
            f"{CROP_PX} x {CROP_PX}; use a larger radiograph."
        )
    if image.min() == image.max():
        raise TrainingError("The image has a single grey level; use a radiograph with contrast.")
    left = int(np.clip(centre[0] - CROP_PX // 2, 0, columns - CROP_PX))
    top = int(np.clip(centre[1] - CROP_PX // 2, 0, rows - CROP_PX))
    boxes = draw_boxes(np.random.default_rng(seed), count, left, top)
    paste = replace(settings, method="paste", intensity="input", noise_and_blur=False)
    made = Renderer(paste).apply(to_unit(image), boxes, seed=seed).image
    return np.clip(made[top : top + CROP_PX, left : left + CROP_PX], 0, 1).astype(np.float32)
