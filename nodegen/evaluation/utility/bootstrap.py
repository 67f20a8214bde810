"""AUC, FROC, and what chance does to them: a paired bootstrap over patients and seeds.

Every arm is tested on the same radiographs, and every draw of the bootstrap takes the same patients
and seeds for every arm; so differences between arms are much surer than the arms' own figures.
"""

from dataclasses import dataclass

import numpy as np

from nodegen.evaluation.statistics import Estimate

DRAWS = 2000  # of the bootstrap
LOW, HIGH = 2.5, 97.5  # percentiles: a 95 % interval
# False positives an image at which NODE21 and LUNA16 read the sensitivity.
FROC_AT = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)


def estimate(draws: np.ndarray) -> Estimate:
    """A figure and the interval of its draws, of which the first is the figure itself.

    Draws that are NaN (a class was not drawn) are left out.
    """
    known = draws[1:][np.isfinite(draws[1:])]
    low, high = np.percentile(known, [LOW, HIGH]) if len(known) else (np.nan, np.nan)
    return Estimate(float(draws[0]), float(low), float(high))


def patient_weights(patients: int, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """How often each patient comes in each draw, shape (1 + draws, patient); row 0: once each."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(patients, np.full(patients, 1 / patients), size=draws)
    return np.concatenate([np.ones((1, patients), dtype=drawn.dtype), drawn])


def over_seeds(draws: np.ndarray) -> np.ndarray:
    """The mean over the seeds (seed, draw), which each draw but the first draws anew.

    All arms have the same draws of seeds, so that an interval holds what radiographs and seeds do.
    """
    seeds, count = draws.shape
    weights = patient_weights(seeds, seed=1, draws=count - 1)
    return np.asarray((draws * weights.T).sum(axis=0) / seeds)


def weighted_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, ties counted half.

    Parameters
    ----------
    scores : ndarray, shape (item,)
        The higher, the more an item looks positive.
    labels : ndarray of bool, shape (item,)
        Whether an item is positive.
    weights : ndarray, shape (draw, item)
        How often each item counts in each draw.

    Returns
    -------
    ndarray, shape (draw,)
        NaN where a draw holds no item of a class.

    Examples
    --------
    >>> weighted_auc(np.array([1., 2., 3.]), np.array([False, True, True]), np.ones((1, 3)))
    array([1.])
    """
    won = 0.5 + 0.5 * np.sign(scores[labels][:, None] - scores[~labels])  # (positive, negative)
    positive, negative = weights[:, labels], weights[:, ~labels]
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((positive @ won * negative).sum(axis=1) / pairs)


@dataclass(frozen=True)
class Hits:
    """Detections of one network, sorted into hits and false alarms.

    Attributes
    ----------
    false, false_image : ndarray, shape (false alarm,)
        Score, and the radiograph's number.
    true, true_image : ndarray, shape (nodule,)
        The best score that hit each nodule, 0 where none did; and its radiograph's number.
    counted : ndarray of bool, shape (image,)
        Of which radiographs false positives count.
    """

    false: np.ndarray
    false_image: np.ndarray
    true: np.ndarray
    true_image: np.ndarray
    counted: np.ndarray


def froc(hits: Hits, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False positives an image and sensitivity, from the lowest threshold to none.

    As ``monai.metrics.compute_froc_curve_data``, for many weightings of the images at once.

    Parameters
    ----------
    hits : Hits
        One network's detections in all radiographs.
    weights : ndarray, shape (draw, image)
        How often each radiograph counts in each draw.

    Returns
    -------
    rates, sensitivity : ndarray, shape (draw, threshold)
    """
    levels = np.unique(np.concatenate([hits.false, hits.true]))[1:]
    sums = []
    for scores, images in ((hits.false, hits.false_image), (hits.true, hits.true_image)):
        order = np.argsort(scores, kind="stable")
        total = np.cumsum(weights[:, images[order]], axis=1)
        total = np.concatenate([np.zeros((len(weights), 1)), total], axis=1)
        first = np.searchsorted(scores[order], levels, side="left")
        above = total[:, -1:] - total[:, first]
        sums.append(np.concatenate([above, np.zeros((len(weights), 1))], axis=1))
    images = weights[:, hits.counted].sum(axis=1, keepdims=True)
    nodules = weights[:, hits.true_image].sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[0] / images, sums[1] / nodules


def sensitivities(hits: Hits, weights: np.ndarray) -> np.ndarray:
    """Sensitivity at each rate of ``FROC_AT``, shape (draw, rate)."""
    rates, sensitivity = froc(hits, weights)
    return np.stack(
        [np.interp(FROC_AT, r[::-1], s[::-1]) for r, s in zip(rates, sensitivity, strict=True)]
    )
