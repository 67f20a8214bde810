"""What a nodule did to its radiograph: grain that is kept, changes far away, detectability.

Detectability is whether the energies of three fine bands, in the box's disc relative to the ring
around it, separate treated boxes from the same places untouched. A detector trained on images
where they do learns the forgery.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage.draw import disk
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from nodegen.evaluation.fidelity.texture import band_of
from nodegen.evaluation.statistics import auc
from nodegen.io.boxes import Box
from nodegen.io.image import largest_part

# Chosen, not fitted. A box's numbers depend on them, but for all methods alike.
REGION_BLUR_PX = 2.0  # sigma with which the change is smoothed before its core is sought
REGION_LEVEL = 0.25  # of the smoothed change's maximum: the nodule
CORE_LEVEL = 0.5  # of the same: its core
GRAIN_PX = 1.5  # sigma below which detail is fine grain
FAR_PX = 128  # plus the smaller side: what lies farther from every box is far
CROP_SIDES, CROP_PX = 1.5, 24  # half a crop: the ring, a core that sticks out, and blur
DISC = 0.3  # radius of the disc around the centre, in sides
RING = (0.7, 1.0)  # inner and outer radius of the ring, in sides
BANDS_PX = ((0.0, 0.7), (0.7, 1.2), (1.2, 2.0))  # sigma of the finer and of the coarser blur
FOLDS = 5
FEWEST = 10  # places; of fewer its standard error is above 0.13, and it says nothing
TREES = 500
LEAF = 3  # boxes in a leaf at least
Place = tuple[str, int, int, int, int]  # the radiograph's digest, and the box


class Crops(NamedTuple):
    """A crop around a box before and after, and each pixel's distance from the centre in sides."""

    before: np.ndarray
    after: np.ndarray
    distance: np.ndarray


def crops_of(before: np.ndarray, after: np.ndarray, box: Box) -> Crops:
    """Cut the crop of a box out of its slice, (row, column) each."""
    x, y = box.centre
    half = CROP_SIDES * box.side + CROP_PX
    top, left = max(int(y - half), 0), max(int(x - half), 0)
    window = slice(top, int(y + half) + 1), slice(left, int(x + half) + 1)
    old, new = (image[window].astype(np.float64) for image in (before, after))
    rows, columns = np.indices(old.shape) + 0.5
    return Crops(old, new, np.hypot(rows - (y - top), columns - (x - left)) / box.side)


def region_of(change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The changed region and its core, both (row, column) masks; empty where nothing grew brighter.

    Of the smoothed change: the largest connected part above a quarter of its maximum, and in it
    what lies above half.
    """
    smooth = ndimage.gaussian_filter(change, REGION_BLUR_PX)
    peak = float(smooth.max())
    if peak <= 0:
        return np.zeros(change.shape, bool), np.zeros(change.shape, bool)
    region = largest_part(smooth > REGION_LEVEL * peak)
    return region, region & (smooth > CORE_LEVEL * peak)


def grain_of(crops: Crops) -> float:
    """Standard deviation of the detail under 1.5 px in the changed core, after over before.

    1 for an image against itself; below 0.85 a nodule is smoother than its surround.
    """
    _, core = region_of(crops.after - crops.before)
    if not core.any():
        return 1.0
    old, new = (band_of(image, 0, GRAIN_PX)[core].std() for image in (crops.before, crops.after))
    return float(new / old) if old > 0 else 1.0


def far_change(before: np.ndarray, after: np.ndarray, boxes: Iterable[Box]) -> float:
    """Largest absolute change farther than 128 px + side from every box, in one slice."""
    change = np.abs(after.astype(np.float64) - before)
    for box in boxes:
        x, y = (round(v) for v in box.centre)
        reach = FAR_PX + box.side + 1e-6  # px; a disk's own rim does not belong to it
        change[disk((y, x), reach, shape=change.shape)] = 0
    return float(change.max())


def features_of(crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios of the band energies in the disc to those in the ring, before and after, (3,)."""
    disc, ring = crops.distance <= DISC, (crops.distance >= RING[0]) & (crops.distance <= RING[1])
    features = np.empty((2, len(BANDS_PX)))
    for i, image in enumerate((crops.before, crops.after)):
        for j, (fine, coarse) in enumerate(BANDS_PX):
            band = band_of(image, fine, coarse)
            inside, around = (float(np.mean(band[part] ** 2)) for part in (disc, ring))
            features[i, j] = np.log((inside + 1e-6) / (around + 1e-6))
    return features[0], features[1]


def detectability(
    untouched: np.ndarray, treated: np.ndarray, places: list[Place], seed: int = 0
) -> float:
    """Cross-validated AUC of a random forest, from features (box, feature) of each box.

    0.5 where no grain gives a nodule away; NaN for fewer than ``FEWEST`` places. A place that is
    treated several times never lies in training and in test at once.
    """
    names = sorted(set(places))
    if len(names) < FEWEST:
        return float("nan")
    x, y = np.concatenate([untouched, treated]), np.repeat([0, 1], len(places))
    order = np.random.default_rng(seed).permutation(len(names))
    groups = order[[names.index(place) for place in places] * 2]
    # In one thread: several race for the warning filters now and then, and fill stderr.
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    scores = cross_val_predict(
        forest, x, y, groups=groups, cv=GroupKFold(FOLDS), method="predict_proba"
    )[:, 1]
    return auc(scores[y == 1], scores[y == 0])
