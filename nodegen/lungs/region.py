"""Where a box lies: on the lungs, on what heart and diaphragm hide of them, or off both.

Quick and rough: one view, on the network's own grid of 256 x 256 px, which is here too, with the
check that what was labelled on it is a pair of lungs. What places nodules looks at several views,
see :mod:`nodegen.lungs.fields`.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

from nodegen.io.image import largest_part

GRID_PX = 256  # side of the network's input; a radiograph's longer side fills it
CLASSES = 3  # elsewhere, the patient's right lung, the left one
RIGHT, LEFT = 1, 2  # labels: the patient's lungs; in the image the right one lies on the left
RANGE_PERCENTILES = (1.0, 99.0)  # of the pixels that are no padding; they become -1 and 1


@dataclass(frozen=True)
class Region:
    """The convex hull of both lungs: lung, and what heart and diaphragm hide of it."""

    mask: np.ndarray  # bool, (row, column), of half the network's grid
    scale: float  # px of the mask for each px of the radiograph

    def share_off(self, left: int, top: int, right: int, bottom: int) -> float:
        """Share of a box, px of the radiograph and half-open, that lies off the region."""
        sides = []
        for low, high in ((top, bottom), (left, right)):
            # Where the middles of the box's pixels lie on the grid.
            middles = (np.arange(low, high) + 0.5) * self.scale
            sides.append(np.minimum(middles.astype(int), len(self.mask) - 1))
        return 1.0 - float(self.mask[np.ix_(*sides)].mean())


def find_region(pixels: np.ndarray) -> Region | None:
    """Find the region of the lungs in a radiograph (row, column) of any grey scale.

    None where what is seen is no upright chest from the front. A ModelError says where the weights
    that nodegen ships are missing or altered.
    """
    from nodegen.lungs.network import open_network, probabilities  # imports torch

    grid, scale = to_grid(pixels)
    chances = probabilities(open_network(quick=True), grid, halved=True)
    labels, scale = labelled(chances, crosses=1), scale / 2
    if implausible(grid[::2, ::2], chances, labels, pixels.size * scale**2):
        return None
    return Region(hull(labels > 0), scale)


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask (row, column), as a mask; empty where that is."""
    found = np.zeros(mask.shape, bool)
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        return found
    first, last = mask[rows].argmax(1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(1)
    # The middles of the pixels' edges, as scikit-image has it.
    ends = np.concatenate([np.stack([rows, columns], 1) for columns in (first, last)])
    edges = [[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]]
    down, across, offset = ConvexHull((ends[:, None] + edges).reshape(-1, 2)).equations.T
    within = np.arange(rows[0], rows[-1] + 1)
    sloping = np.abs(across) > 1e-9
    limits = -(offset + within[:, None] * down)[:, sloping] / across[sloping]
    rightwards = across[sloping] > 0
    left, right = limits[:, ~rightwards].max(1), limits[:, rightwards].min(1)
    columns = np.arange(mask.shape[1])
    found[within] = (columns >= left[:, None] - 1e-9) & (columns <= right[:, None] + 1e-9)
    return found


# --- the network's grid --------------------------------------------------------------------------


def to_grid(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Bring a radiograph (row, column) to the network's grid, its upper left corner kept.

    Returns the grid, float32, (256, 256), in -1..1 with padding at -1, and px of it for each px of
    the radiograph.
    """
    scale = GRID_PX / max(pixels.shape)
    grid = np.full((GRID_PX, GRID_PX), -1, np.float32)
    size = [max(1, round(length * scale)) for length in pixels.shape]
    # Means over the pixels whose middle lies in each cell.
    step = round(1 / scale)
    if any(length != cells * step for length, cells in zip(pixels.shape, size, strict=True)):
        whole = Image.fromarray(pixels.astype(np.float32, copy=False))
        small = np.asarray(whole.resize(size[::-1], Image.Resampling.BOX))
    else:  # the same in a fifth of the time
        rows = pixels.reshape(-1, step, pixels.shape[1]).sum(1, dtype=np.float32)
        small = sum(rows[:, first::step] for first in range(step)) / np.float32(step**2)
    grid[: small.shape[0], : small.shape[1]] = standardised(small)
    return grid, scale


def standardised(pixels: np.ndarray) -> np.ndarray:
    """Scale grey levels to -1..1 by percentiles of what is neither padding nor burnt out."""
    floor = pixels.min()
    shown = pixels[pixels > floor]
    low, high = np.percentile(shown if shown.size else pixels, RANGE_PERCENTILES)
    made = np.clip((pixels - low) * (2 / max(high - low, 1e-6)) - 1, -1, 1)
    return np.asarray(made, np.float32)


def labelled(chances: np.ndarray, crosses: int = 3) -> np.ndarray:
    """Turn probabilities (class, row, column) into labels, uint8, (row, column).

    Of each lung they hold the largest part, without holes, and without spurs that are thinner than
    a disc, which is 3 px across and 2 more for each of its ``crosses``.
    """
    elsewhere, right, left = chances
    best = np.where(left > np.maximum(right, elsewhere), LEFT, RIGHT * (right > elsewhere))
    labels = np.zeros(best.shape, np.uint8)
    for lung, window in zip((RIGHT, LEFT), ndimage.find_objects(best, LEFT), strict=True):
        if window is None:
            continue
        # Of the outline what is thinner than the disc is no lung.
        padded = np.pad(best[window] == lung, 2 * (1 + crosses))
        smooth = ~_eroded(~_eroded(padded, crosses), crosses)
        if smooth.any():
            whole = off_border(~largest_part(smooth))
            labels[window][whole & (labels[window] == 0)] = lung
    return labels


def _eroded(mask: np.ndarray, crosses: int) -> np.ndarray:
    """Erode a mask by a disc: a square of 3 px and crosses, each of which loses 1 px a side."""
    mask = mask[1:-1] & mask[:-2] & mask[2:]
    mask = mask[:, 1:-1] & mask[:, :-2] & mask[:, 2:]
    for _ in range(crosses):
        inner, rows, columns = mask[1:-1, 1:-1], mask[:, 1:-1], mask[1:-1]
        mask = inner & rows[:-2] & rows[2:] & columns[:, :-2] & columns[:, 2:]
    return mask


def off_border(mask: np.ndarray) -> np.ndarray:
    """All but those parts of a mask (row, column) that hang together with the image's border."""
    parts, _ = ndimage.label(np.pad(mask, 1, constant_values=True))
    return np.asarray(parts[1:-1, 1:-1] != parts[0, 0])


# --- a pair of lungs -----------------------------------------------------------------------------

# Each bound lies between what 151 radiographs with lungs have (NIH ChestX-ray14 and NODE21, looked
# at one by one, many of sick or partly hidden lungs) and what was labelled without being a pair:
# the air beside an arm in a supine bedside radiograph, radiographs lying on their side, with one
# lung painted over, upside down, and noise.

# Mean probability of the likeliest class inside a lung. Radiographs with lungs: .88 and more, from
# one view .92; lying ones .82 at most, noise .76, one lung painted over .87, the bedside one .67.
LEAST_SURE = 0.87
# Of the image. With lungs: .038 (a child's whole trunk) and more; the bedside radiograph .017.
LEAST_SHARE = 0.025
LEAST_RATIO = 0.2  # of the smaller lung's area over the larger one's; with lungs .30 and more
# Rows that both lungs have, over the height of the taller one. With lungs: .55 and more; the
# bedside radiograph .47.
LEAST_BESIDE = 0.5
# Median distance between both lungs over the width from outer edge to outer edge. With lungs .20 to
# .45; the bedside radiograph .73.
GAP = (0.1, 0.55)
# What the median between the lungs differs by from either lung's, of the range -1..1 of the grid.
# With lungs: .27 and more; noise .03 at most.
LEAST_MEDIASTINUM = 0.15
# Log of the gap between the lungs in the upper third of the rows that both have over that in the
# lower third, plus how much brighter the median between them is there: an upright mediastinum gets
# wider and brighter downwards. 149 radiographs: -.58 at most; upside down .05 and more.
MOST_UPSIDE_DOWN = -0.25


def implausible(
    grid: np.ndarray, chances: np.ndarray, labels: np.ndarray, cells: float
) -> str | None:
    """Say in a clause why the labels are no pair of lungs; None where they are.

    Arrays are those of :func:`to_grid`, the network, and :func:`labelled`; the radiograph fills
    ``cells`` of their pixels.
    """
    lungs = right, left = labels == RIGHT, labels == LEFT
    areas = [np.count_nonzero(lung) for lung in lungs]
    if min(areas) == 0:
        return "no two lungs were found"
    if min(areas) < LEAST_SHARE * cells:
        return f"one lung fills {min(areas) / cells:.3f} of the image"
    if min(areas) < LEAST_RATIO * max(areas):
        return f"one lung has {min(areas) / max(areas):.2f} of the other's size"
    surest = chances.max(0)
    sure = min(float(surest[lung].mean()) for lung in lungs)
    if sure < LEAST_SURE:
        return f"one lung is uncertain (probability {sure:.2f})"
    filled = [lung.any(1) for lung in lungs]
    beside = filled[0] & filled[1]
    share = np.count_nonzero(beside) / max(np.ptp(np.flatnonzero(rows)) + 1 for rows in filled)
    if share < LEAST_BESIDE:
        return f"the lungs lie beside each other over {share:.2f} of their height"
    # Inner edges in the rows of both, and the outermost ones of all.
    columns = np.arange(labels.shape[1])
    inner = columns[-1] - right[beside][:, ::-1].argmax(1), left[beside].argmax(1)
    outer = np.flatnonzero(right.any(0))[0], np.flatnonzero(left.any(0))[-1]
    gaps = inner[1] - inner[0]
    gap = float(np.median(gaps)) / max(outer[1] - outer[0], 1)
    if not GAP[0] <= gap <= GAP[1]:
        return f"the gap between the lungs is {gap:.2f} of their width"
    between = (columns > inner[0][:, None]) & (columns < inner[1][:, None])
    seen = grid[beside]
    middle = float(np.median(seen[between]))
    steps = [middle - float(np.median(grid[lung])) for lung in lungs]
    if min(map(abs, steps)) < LEAST_MEDIASTINUM or steps[0] * steps[1] < 0:
        return "there is no mediastinum between the lungs"
    third = max(len(gaps) // 3, 1)
    upper, lower = slice(None, third), slice(-third, None)
    wider = np.median(gaps[upper]) / max(np.median(gaps[lower]), 1)
    brighter = [float(np.median(seen[rows][between[rows]])) for rows in (upper, lower)]
    turned = np.log(max(wider, 1e-3)) + np.sign(steps[0]) * (brighter[0] - brighter[1])
    if turned > MOST_UPSIDE_DOWN:
        return "the radiograph is upside down"
    return None
