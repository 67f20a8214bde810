"""The training image: a crop of a radiograph around pasted nodules.

A generator turns what it has never seen into what it has, so the crop that a cascade learns from
must hold nodules: several, of the sizes and contrasts that it will later be asked to harmonise.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from nodegen.constants import CROP_PX
from nodegen.errors import TrainingError
from nodegen.synthesis.contrast import normalise
from nodegen.synthesis.grey import to_unit
from nodegen.synthesis.library import Library
from nodegen.synthesis.resample import centred, resample

# Chosen by what trained cascades did to nodules.
NODULES = 4
PEAK = 0.4  # of the grey range, added at the densest nodule's densest pixel
PEAKS = (1.0, 0.85, 0.7, 0.6)  # of ``PEAK``: the cascade must keep faint nodules, too
BLUR_PX = 1.0  # sigma
SMALLEST_MM = 11  # smaller nodules have too few voxels to be enlarged
ROUNDNESS = 0.75  # shorter over longer side: slivers teach the cascade streaks
JITTER = 0.12  # of the grid's pitch, by which a nodule is moved from its cell's centre
FILL = 0.8  # of the grid's pitch, the largest side of a nodule
# NODE21's boxes have sides of 32 / 57 / 109 px at the 5th / 50th / 95th percentile.
SIDES_PX = (36, 48, 64, 88)


@dataclass(frozen=True)
class Placement:
    """One nodule of a training crop: its position, size and peak.

    Attributes
    ----------
    row, column : int
        Centre in the crop, px.
    side_px : int
        Larger side of the nodule, px.
    peak : float
        Of the grey range, added at the nodule's densest.
    """

    row: int
    column: int
    side_px: int
    peak: float


def draw_placements(
    rng: np.random.Generator, count: int = NODULES, peak: float = PEAK
) -> list[Placement]:
    """Draw the positions, sizes and peaks of ``count`` nodules on a jittered grid.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
        Number of nodules.
    peak : float
        Of the grey range, added at the densest nodule's densest pixel.

    Returns
    -------
    list of Placement
        They do not overlap.
    """
    cells = int(np.ceil(np.sqrt(count)))
    pitch = CROP_PX / cells
    order = rng.permutation(cells * cells)[:count]
    sides = rng.permutation(np.resize(SIDES_PX, count))
    peaks = peak * rng.permutation(np.resize(PEAKS, count))
    jitter = rng.uniform(-JITTER, JITTER, size=(count, 2)) * pitch
    placements = []
    for cell, side, height, (down, across) in zip(order, sides, peaks, jitter, strict=True):
        row = round((cell // cells + 0.5) * pitch + down)
        column = round((cell % cells + 0.5) * pitch + across)
        placements.append(Placement(row, column, int(min(side, pitch * FILL)), float(height)))
    return placements


def pick_nodules(rng: np.random.Generator, library: Library, count: int) -> list[np.ndarray]:
    """Draw projections of nodules that are large and fairly round.

    Parameters
    ----------
    rng : numpy.random.Generator
    library : Library
    count : int
        Number of nodules.

    Returns
    -------
    list of ndarray, shape (row, column)

    Raises
    ------
    TrainingError
        Where the library holds too few of that kind.
    """
    picked: list[np.ndarray] = []
    for index in rng.permutation(np.flatnonzero(library.diameters_mm >= SMALLEST_MM)):
        projection = library[int(index)].projection
        if min(projection.shape) >= ROUNDNESS * max(projection.shape):
            picked.append(projection)
        if len(picked) == count:
            return picked
    raise TrainingError(
        f"The library {library.folder} holds {len(picked)} nodules of {SMALLEST_MM} mm or more "
        f"that are round enough, and {count} are needed; lower --count or give a larger library."
    )


def training_crop(
    image: np.ndarray,
    centre: tuple[int, int],
    projections: list[np.ndarray],
    placements: list[Placement],
) -> np.ndarray:
    """Cut a training image out of a radiograph and paste nodules into it.

    Parameters
    ----------
    image : ndarray, shape (row, column)
        The radiograph, in any grey scale; its minimum and maximum become 0 and 1.
    centre : (x, y)
        Of the crop, px; the crop is moved inside the image.
    projections : list of ndarray, shape (row, column)
        Projected nodules, cut to their masks, one for each placement.
    placements : list of Placement

    Returns
    -------
    ndarray of float32, shape (256, 256)
        In 0..1.

    Raises
    ------
    TrainingError
        Where the image is smaller than the crop or has no contrast.
    """
    rows, columns = image.shape
    if min(rows, columns) < CROP_PX:
        raise TrainingError(
            f"The image has {columns} x {rows} px, and a training crop needs at least "
            f"{CROP_PX} x {CROP_PX}; take a larger radiograph."
        )
    if image.min() == image.max():
        raise TrainingError("The image has a single grey level; take a radiograph with contrast.")
    left = int(np.clip(centre[0] - CROP_PX // 2, 0, columns - CROP_PX))
    top = int(np.clip(centre[1] - CROP_PX // 2, 0, rows - CROP_PX))
    crop: np.ndarray = to_unit(image)[top : top + CROP_PX, left : left + CROP_PX].copy()
    for projection, place in zip(projections, placements, strict=True):
        nodule = resample(normalise(projection), place.side_px)
        nodule = centred(nodule, (CROP_PX, CROP_PX), place.row, place.column)
        nodule = gaussian_filter(nodule, BLUR_PX)
        # A bright background leaves less room below white; a clipped dome teaches plateaus.
        headroom = 1.0 - float(np.percentile(crop[nodule > 0.5], 95))
        crop += min(place.peak, max(headroom, 0.1)) * nodule
    return np.asarray(np.clip(crop, 0.0, 1.0))
