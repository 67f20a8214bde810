"""Find the lung fields of a radiograph."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import ModelError, StackError
from nodegen.io.files import write_bytes, write_text
from nodegen.settings import MODEL

LUNGS = MODEL / "lungs"
INDEX, FORMAT = "lungs.json", "nodegen-lungs-1"
EDGE_QUANTILE = 0.01  # of a lung's pixels lie beyond each edge of its frame, so that spikes do not
LEAST_SHARE = 0.01  # of the radiograph that each lung fills, or it counts as not found
RIGHT, LEFT = 1, 2  # labels: the patient's lungs; in the image the right one lies on the left


@dataclass(frozen=True)
class Edges:
    """The frame of one lung field, px: its outermost columns and rows but for a hundredth."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Lungs:
    """The lung fields of one radiograph.

    Attributes
    ----------
    labels : numpy.ndarray of uint8, shape (row, column)
        0 elsewhere, 1 the lung on the left of the image (the patient's right one), 2 the other.
    confidence : float
        Mean probability of the labels inside the lungs, 0..1.
    """

    labels: np.ndarray
    confidence: float

    @cached_property
    def edges(self) -> tuple[Edges, Edges]:
        """The frames of both lungs."""
        return _edges(self.labels == RIGHT), _edges(self.labels == LEFT)

    @property
    def width(self) -> float:
        """From the outer edge of one lung to that of the other, px."""
        right, left = self.edges
        return left.right - right.left


def find_lungs(pixels: np.ndarray, model: Path | None = None) -> Lungs:
    """Label the lung fields of a radiograph.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
        Upright, any grey scale, lungs dark or bright.
    model : pathlib.Path, optional
        Folder of the weights; None: those that nodegen ships.

    Returns
    -------
    Lungs
        Labels in the radiograph's own pixels.

    Raises
    ------
    StackError
        Where the pixels are no single image, or no two lungs are found in it.
    ModelError
        Where the weights are missing or altered.

    Examples
    --------
    >>> from nodegen.phantom.anatomy import draw_anatomy
    >>> from nodegen.phantom.render import radiograph
    >>> lungs = find_lungs(radiograph(draw_anatomy(np.random.default_rng(0))))
    >>> lungs.labels.shape, bool(0.2 < (lungs.labels > 0).mean() < 0.6)
    ((1024, 1024), True)
    """
    from nodegen.placement.network import labelled, mean_of_views, to_grid

    if pixels.ndim != 2:
        raise StackError(
            f"A radiograph of shape {pixels.shape} was given where (row, column) is wanted; give "
            "one slice."
        )
    grid, scale = to_grid(pixels)
    chances = mean_of_views(_network(model or LUNGS), grid)
    small = labelled(chances)
    if min((small == lung).mean() for lung in (RIGHT, LEFT)) < LEAST_SHARE:
        raise StackError(
            "No two lungs were found in the radiograph; give an upright chest radiograph from the "
            "front."
        )
    confidence = float(chances.max(0)[small > 0].mean())
    return Lungs(_enlarged(chances, small, scale, pixels.shape), confidence)


def _enlarged(
    chances: np.ndarray, small: np.ndarray, scale: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Labels in the radiograph's pixels: the grid's probabilities, interpolated."""
    from PIL import Image

    rows, columns = (max(1, round(length * scale)) for length in shape)
    labels = np.zeros(shape, np.uint8)
    for lung in (RIGHT, LEFT):
        # What was cleaned away is out, and holes that were filled are in.
        chance = np.where(small == lung, np.maximum(chances[lung], 0.55), chances[lung])
        chance = np.where(small == lung, chance, np.minimum(chance, 0.45))[:rows, :columns]
        large = Image.fromarray(np.ascontiguousarray(chance, dtype=np.float32)).resize(
            (shape[1], shape[0]), Image.Resampling.BILINEAR
        )
        labels[(np.asarray(large) > 0.5) & (labels == 0)] = lung
    return labels


def _edges(lung: np.ndarray) -> Edges:
    rows, columns = np.nonzero(lung)
    part = (EDGE_QUANTILE, 1 - EDGE_QUANTILE)
    (left, right), (top, bottom) = np.quantile(columns, part), np.quantile(rows, part)
    return Edges(float(left), float(top), float(right) + 1, float(bottom) + 1)


@lru_cache(maxsize=2)
def _network(folder: Path) -> Any:
    from safetensors.torch import load

    from nodegen.placement.network import LungNet

    path = folder / INDEX
    try:
        index = json.loads(path.read_bytes())
        if index["format"] != FORMAT:
            raise ValueError(f"its form is {index['format']!r}")
        data = (folder / index["file"]).read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The weights of the lungs in {folder} cannot be read ({error}); copy the model anew."
        ) from error
    if hashlib.sha256(data).hexdigest() != index["sha256"]:
        raise ModelError(
            f"The weights {folder / index['file']} are truncated or altered: their SHA-256 is not "
            f"the one in {INDEX}; copy the model anew."
        )
    network = LungNet()
    network.load_state_dict({name: value.float() for name, value in load(data).items()})
    return network.eval()


def save_network(network: Any, folder: Path, card: dict[str, Any]) -> Path:
    """Write the weights in half precision, named with their hash, and ``lungs.json``.

    Parameters
    ----------
    network : nodegen.placement.network.LungNet
    card : dict
        How they were trained.

    Returns
    -------
    pathlib.Path
        The weights.
    """
    from safetensors.torch import save

    tensors = {
        name: value.detach().half().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    data = save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"lungs-{digest[:12]}.safetensors"
    write_bytes(path, data)
    index = {"format": FORMAT, "file": path.name, "sha256": digest, "card": card}
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    return path
