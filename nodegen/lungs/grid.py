"""The grid of 256 × 256 px on which the network looks at a radiograph."""

import numpy as np
from scipy import ndimage

GRID_PX = 256  # side of the network's input; a radiograph's longer side fills it
CLASSES = 3  # elsewhere, the patient's right lung, the left one
RIGHT, LEFT = 1, 2  # labels: the patient's lungs; in the image the right one lies on the left
# Of a lung's outline what is thinner than this is no lung: a disc of 9 px across.
DISC = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4.2
RANGE_PERCENTILES = (1.0, 99.0)  # of the pixels that are no padding; they become -1 and 1


def to_grid(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Bring a radiograph to the network's grid, its upper left corner kept, the rest padded.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
        Any grey scale.

    Returns
    -------
    grid : numpy.ndarray of float32, shape (256, 256)
        In -1..1, padding at -1.
    scale : float
        px of the grid for each px of the radiograph.
    """
    scale = GRID_PX / max(pixels.shape)
    grid = np.full((GRID_PX, GRID_PX), -1, np.float32)
    small = _reduced(pixels.astype(np.float32), scale)
    grid[: small.shape[0], : small.shape[1]] = standardised(small)
    return grid, scale


def standardised(pixels: np.ndarray) -> np.ndarray:
    """Scale grey levels to -1..1 by percentiles of what is neither padding nor burnt out."""
    floor = pixels.min()
    shown = pixels[pixels > floor] if (pixels > floor).any() else pixels
    low, high = np.percentile(shown, RANGE_PERCENTILES)
    made: np.ndarray = np.clip((pixels - low) * (2 / max(high - low, 1e-6)) - 1, -1, 1).astype(
        np.float32
    )
    return made


def _reduced(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Means over the pixels whose middle lies in each cell; of a small image, its nearest pixel."""
    for axis in (1, 0):
        length = pixels.shape[axis]
        cells = max(1, round(length * scale))
        edges = np.floor(np.arange(cells + 1) * (length / cells) + 0.5).astype(int)
        if cells >= length:
            nearest = ((np.arange(cells) + 0.5) * (length / cells)).astype(int)
            pixels = pixels.take(nearest, axis)
            continue
        shape = [1, 1]
        shape[axis] = cells
        sums = np.add.reduceat(pixels, edges[:-1], axis=axis, dtype=np.float64)
        pixels = (sums / np.diff(edges).reshape(shape)).astype(np.float32)
    return pixels


def labelled(chances: np.ndarray) -> np.ndarray:
    """Turn probabilities into labels: of each lung its largest part, without spurs and holes.

    Parameters
    ----------
    chances : numpy.ndarray, shape (class, row, column)
        Probabilities, 0..1, of elsewhere, the lung on the left of the image and the one on its
        right.

    Returns
    -------
    numpy.ndarray of uint8, shape (row, column)
        0 elsewhere, 1 the lung on the left of the image, 2 the one on its right.
    """
    best = chances.argmax(0)
    labels = np.zeros(best.shape, np.uint8)
    for lung, window in zip((RIGHT, LEFT), ndimage.find_objects(best, LEFT), strict=True):
        if window is None:
            continue
        smooth = ndimage.binary_opening(best[window] == lung, DISC)
        parts, count = ndimage.label(smooth)
        if count:
            sizes = np.bincount(parts.ravel())[1:]
            whole = ndimage.binary_fill_holes(parts == 1 + sizes.argmax())
            labels[window][whole & (labels[window] == 0)] = lung
    return labels
