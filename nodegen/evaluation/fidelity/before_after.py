"""What a nodule did to its radiograph: grain that is kept, changes far away, detectability.

Detectability is whether the energies of three fine bands, in the box's disc relative to the ring
around it, separate treated boxes from the same places untouched. A detector trained on images
where they do learns the forgery.
"""

from collections.abc import Iterable

import numpy as np
from scipy import ndimage
from skimage.draw import disk
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from nodegen.evaluation.fidelity.nodule_crop import NoduleCrop, band_of
from nodegen.evaluation.statistics import FEWEST, auc
from nodegen.io.boxes import Box
from nodegen.io.image import largest_part

# Chosen, not fitted. A box's numbers depend on them, but for all methods alike.
REGION_BLUR_PX = 2.0  # sigma with which the change is smoothed before its core is sought
REGION_LEVEL = 0.25  # of the smoothed change's maximum: the nodule
CORE_LEVEL = 0.5  # of the same: its core
GRAIN_PX = 1.5  # sigma below which detail is fine grain
FAR_PX = 128  # plus the smaller side: what lies farther from every box is far
DISC, RING = 0.3, (0.7, 1.0)  # radii of a disc in the middle and of a ring, in smaller sides
BANDS_PX = ((0.0, 0.7), (0.7, 1.2), (1.2, 2.0))  # sigma of the finer and of the coarser blur
FOLDS = 5
TREES = 500
LEAF = 3  # boxes in a leaf at least
Place = tuple[str, int, int, int, int]  # the radiograph's digest, and the box


def region_of(change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (row, column) of the changed region and its core; empty if nothing grew brighter."""
    smooth = ndimage.gaussian_filter(change, REGION_BLUR_PX)
    peak = float(smooth.max())
    if peak <= 0:
        return np.zeros(change.shape, bool), np.zeros(change.shape, bool)
    region = largest_part(smooth > REGION_LEVEL * peak)
    return region, region & (smooth > CORE_LEVEL * peak)


def grain_of(before: np.ndarray, after: np.ndarray) -> float:
    """Standard deviation of the detail under 1.5 px in the changed core, after over before."""
    _, core = region_of(after - before)
    if not core.any():
        return 1.0
    old, new = (band_of(image, 0, GRAIN_PX)[core].std() for image in (before, after))
    return float(new / old) if old > 0 else 1.0


def far_change(before: np.ndarray, after: np.ndarray, boxes: Iterable[Box]) -> float:
    """Largest absolute change farther than 128 px + side from every box, in one slice."""
    change = np.abs(after.astype(np.float64) - before)
    for box in boxes:
        x, y = (round(v) for v in box.centre)
        reach = FAR_PX + box.side + 1e-6  # px; a disk's own rim does not belong to it
        change[disk((y, x), reach, shape=change.shape)] = 0
    return float(change.max())


def features_of(pixels: np.ndarray, crop: NoduleCrop) -> list[float]:
    """Log ratio of each band's energy in a disc in a crop's middle to that in a ring around it."""
    bands = [band_of(pixels, fine, coarse) ** 2 for fine, coarse in BANDS_PX]
    disc = crop.distance <= DISC
    ring = (crop.distance >= RING[0]) & (crop.distance <= RING[1])
    return [np.log((b[disc].mean() + 1e-6) / (b[ring].mean() + 1e-6)) for b in bands]


def detectability(features: np.ndarray, places: list[Place], seed: int = 0) -> float:
    """Cross-validated AUC of a random forest, from features (box, untouched or treated, band).

    NaN for fewer than ``FEWEST`` places; one never lies in training and in test at once.
    """
    names = sorted(set(places))
    if len(names) < FEWEST:
        return float("nan")
    order = np.random.default_rng(seed).permutation(len(names))
    groups = np.repeat(order[[names.index(place) for place in places]], 2)
    x, y = features.reshape(len(groups), -1), np.tile([0, 1], len(places))
    # In one thread: several race for the warning filters now and then, and fill stderr.
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    scores = cross_val_predict(
        forest, x, y, groups=groups, cv=GroupKFold(FOLDS), method="predict_proba"
    )[:, 1]
    return auc(scores[y == 1], scores[y == 0])
