"""Detectability: whether a nodule can be found by its fine grain alone.

A random forest learns to tell treated boxes from the same places untouched, by nothing but the
energies of three fine bands in the box's disc, relative to those in the ring around it. Its
cross-validated AUC is the detectability: 0.5 means that no grain gives a nodule away. A detector
trained on images with a high one learns the forgery.
"""

import numpy as np
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold

from nodegen.evaluation.fidelity.change import Views
from nodegen.evaluation.statistics import auc

DISC = 0.3  # radius of the disc around the centre, in sides
RING = (0.7, 1.0)  # inner and outer radius of the ring, in sides
BANDS_PX = ((0.0, 0.7), (0.7, 1.2), (1.2, 2.0))  # sigma of the finer and of the coarser blur
FOLDS = 5
FEWEST = 10  # places; of fewer its standard error is above 0.13, and it says nothing
TREES = 500
LEAF = 3  # boxes in a leaf at least
Place = tuple[str, int, int, int, int]  # the radiograph's digest, and the box


def features_of(v: Views) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios of the band energies in the disc to those in the ring, before and after.

    Returns
    -------
    untouched, treated : ndarray, shape (3,)
    """
    disc = v.distance <= DISC * v.side
    ring = (v.distance >= RING[0] * v.side) & (v.distance <= RING[1] * v.side)
    both = []
    for image in (v.before, v.after):
        features = []
        for fine, coarse in BANDS_PX:
            upper = ndimage.gaussian_filter(image, fine) if fine else image
            band = upper - ndimage.gaussian_filter(image, coarse)
            inside, around = (float(np.mean(band[part] ** 2)) for part in (disc, ring))
            features.append(np.log((inside + 1e-6) / (around + 1e-6)))
        both.append(np.array(features))
    return both[0], both[1]


def detectability(
    untouched: np.ndarray, treated: np.ndarray, places: list[Place], seed: int = 0
) -> float:
    """Cross-validated AUC of a random forest, grouped by place.

    Parameters
    ----------
    untouched, treated : ndarray, shape (box, feature)
        Boxes treated several times are listed as often.
    places : list
        Of each row; the same place never lies in training and in test at once.
    seed : int
        Of the places' order in the folds, and of the forest.

    Returns
    -------
    float
        0.5 where nothing tells them apart; NaN for fewer than ``FEWEST`` places.
    """
    names = sorted(set(places))
    if len(names) < FEWEST:
        return float("nan")
    group = np.array([names.index(place) for place in places] * 2)
    x = np.concatenate([untouched, treated])
    y = np.repeat([0, 1], len(places))
    scores = np.zeros(len(y))
    order = np.random.default_rng(seed).permutation(len(names))[group]
    for train, test in GroupKFold(FOLDS).split(x, y, order):
        # In one thread: several race for the warning filters now and then, and fill stderr.
        forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
        forest.fit(x[train], y[train])
        scores[test] = forest.predict_proba(x[test])[:, 1]
    return auc(scores[y == 1], scores[y == 0])


def chance_error(boxes: int) -> float:
    """Standard error of an AUC of 0.5 for so many boxes, untouched and treated.

    By Hanley and McNeil (Radiology 143, 1982).

    0.19 for 5 boxes, 0.07 for 37, 0.03 for 185.
    """
    return float(np.sqrt((boxes / 6 + 1 / 12) / boxes**2)) if boxes else float("nan")
