"""Find the lung fields of a radiograph, in its own pixels."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from nodegen.errors import StackError
from nodegen.lungs.frame import Edges, Frame
from nodegen.lungs.region import LEFT, RIGHT, implausible, labelled, to_grid


@dataclass(frozen=True)
class Lungs:
    """The lung fields of one radiograph."""

    # uint8, (row, column): 0 elsewhere, 1 the patient's right lung (left in the image), 2 the left
    labels: np.ndarray
    confidence: float  # mean probability of the labels inside the lungs, 0..1

    @cached_property
    def frame(self) -> Frame:
        """The edges of both lungs, px."""
        return Frame(Edges.of(self.labels == RIGHT), Edges.of(self.labels == LEFT))


def find_lungs(pixels: np.ndarray, model: Path | None = None) -> Lungs:
    """Label the lung fields of a radiograph, in its own pixels.

    Parameters
    ----------
    pixels : ndarray, shape (row, column)
        Upright, any grey scale, lungs dark or bright.
    model : Path, optional
        Folder of the weights; None: those that nodegen ships.

    Raises
    ------
    StackError
        Where the pixels are no single image, or hold no plausible pair of lungs
        (:func:`nodegen.lungs.region.implausible`).
    ModelError
        Where the weights are missing or altered.

    Examples
    --------
    >>> from nodegen.io.stack import read_stack
    >>> from nodegen.settings import SAMPLE
    >>> lungs = find_lungs(read_stack(SAMPLE).pixels[0])
    >>> lungs.labels.shape, bool(0.2 < (lungs.labels > 0).mean() < 0.6)
    ((1024, 1024), True)
    """
    from nodegen.lungs.network import LUNGS, mean_of_views, open_network  # imports torch

    if pixels.ndim != 2:
        raise StackError(
            f"A radiograph of shape {pixels.shape} was given where (row, column) is wanted; give "
            "one slice."
        )
    grid, scale = to_grid(pixels)
    chances = mean_of_views(open_network(model or LUNGS), grid)
    small = labelled(chances)
    if why := implausible(grid, chances, small, pixels.size * scale**2):
        raise StackError(
            f"No plausible pair of lungs was found in the radiograph: {why}; give an upright chest "
            "radiograph from the front."
        )
    confidence = float(chances.max(0)[small > 0].mean())
    return Lungs(_enlarged(chances, small, scale, pixels.shape), confidence)


def _enlarged(
    chances: np.ndarray, small: np.ndarray, scale: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Labels in the radiograph's pixels: the grid's probabilities, interpolated."""
    rows, columns = (max(1, round(length * scale)) for length in shape)
    large = []
    for lung in (RIGHT, LEFT):
        # What was cleaned away is out, and holes that were filled are in.
        chance = np.where(small == lung, np.maximum(chances[lung], 0.55), chances[lung])
        chance = np.where(small == lung, chance, np.minimum(chance, 0.45))[:rows, :columns]
        image = Image.fromarray(np.ascontiguousarray(chance, dtype=np.float32))
        large.append(
            np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)) > 0.5
        )
    return np.where(large[0], np.uint8(RIGHT), np.uint8(LEFT) * large[1])
