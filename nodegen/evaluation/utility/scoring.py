"""What a network's boxes are worth: FROC, and AUC of radiographs, draw by draw.

Each draw of the bootstrap takes the same patients for every arm, so differences between arms are
much surer than the arms' own figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.io.boxes import Box
from nodegen.synthesis.context import to_unit
from nodegen.synthesis.visibility import central_disc, surround

DRAWS = 2000  # of the bootstrap
MAIN = ("FROC", "AUC")  # the measures that come first
# False positives an image at which NODE21 and LUNA16 read the sensitivity.
FROC_AT = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
# Chosen, not fitted: they part real boxes into groups that are large enough for a figure.
SMALL_PX = 60  # larger side; about half of NODE21's boxes are smaller (57 px)
SIZES = ("small", "large")
THIRDS = ("lowest third", "middle third", "highest third")  # of the contrast to noise

Scores = Sequence[np.ndarray]  # boxes with scores, (box, 5), of each radiograph of the test
Draws = dict[str, np.ndarray]  # of each measure; the first draw is the figure itself


def draw_weights(items: int, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """How often each of ``items`` comes in each draw, (1 + draws, item); row 0: once each."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(items, np.full(items, 1 / items), size=draws)
    return np.concatenate([np.ones((1, items), dtype=drawn.dtype), drawn])


class TestSet:
    """The radiographs that every arm is tested on, their draws, and the kinds of their nodules."""

    __test__ = False  # no test of pytest's

    def __init__(self, radiographs: Sequence[BoxedRadiograph]):
        self.radiographs = list(radiographs)
        names, index = np.unique([one.patient for one in radiographs], return_inverse=True)
        self.weights = draw_weights(len(names))[:, index]  # (draw, radiograph)
        self.groups = kinds(self.radiographs)

    def measures(self, scores: Scores) -> Draws:
        """Mean sensitivity of the FROC, AUC of radiographs, sensitivity at each rate, by kind."""
        hits = hits_of(self.radiographs, scores)
        at = sensitivities(hits, self.weights)
        made = {"FROC": at.mean(axis=1), "AUC": self._auc(scores)}
        made |= {f"sensitivity at {rate:g}": at[:, i] for i, rate in enumerate(FROC_AT)}
        for kind, of_kind in self.groups.items():
            part = replace(hits, true=hits.true[of_kind], true_image=hits.true_image[of_kind])
            made[f"FROC, {kind}"] = sensitivities(part, self.weights).mean(axis=1)
        return made

    def _auc(self, scores: Scores) -> np.ndarray:
        """AUC (draw,) of the radiographs, each by its highest box, as NODE21's; no box: 0."""
        labels = np.array([bool(one.nodules) for one in self.radiographs])
        # A radiograph whose only nodules do not count is left out.
        unknown = [bool(one.ignored or one.others_unboxed) for one in self.radiographs]
        counted = labels | ~np.array(unknown)
        values = np.array([found[:, 4].max(initial=0.0) for found in scores])
        return weighted_auc(values[counted], labels[counted], self.weights[:, counted])


def kinds(radiographs: Sequence[BoxedRadiograph]) -> dict[str, np.ndarray]:
    """Which nodules, (nodule,) bool, are of a size or contrast to noise; no empty kinds."""
    sides, measured = list[int](), list[float]()
    for one in radiographs:
        slice01 = to_unit(one.load()) if one.nodules else np.zeros((1, 1))
        sides += [max(box.width, box.height) for box in one.nodules]
        measured += [_contrast_to_noise(slice01, box) for box in one.nodules]
    third = np.digitize(measured, np.quantile(measured or [0.0], [1 / 3, 2 / 3]))
    large = np.array(sides) >= SMALL_PX
    found = {f"size: {name}": large == i for i, name in enumerate(SIZES)}
    found |= {f"contrast to noise: {name}": third == i for i, name in enumerate(THIRDS)}
    return {name: of_kind for name, of_kind in found.items() if of_kind.any()}


def _contrast_to_noise(slice01: np.ndarray, box: Box) -> float:
    """The visibility of what a box holds in a slice (row, column) of 0..1, as of drawn nodules."""
    level, spread = surround(slice01, box)
    x, y = box.centre
    middle = slice01[central_disc(slice01.shape, y, x, box.side)]
    return (float(middle.mean()) - level) / spread


def weighted_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve in each draw, ties counted half; NaN of a single class.

    ``weights``, (draw, item), say how often each item counts; ``labels``, whether it is positive.
    """
    won = 0.5 + 0.5 * np.sign(scores[labels][:, None] - scores[~labels])  # (positive, negative)
    positive, negative = weights[:, labels], weights[:, ~labels]
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((positive @ won * negative).sum(axis=1) / pairs)


# --- FROC -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hits:
    """Detections of one network, sorted into hits and false alarms."""

    false: np.ndarray  # score of each false alarm
    false_image: np.ndarray  # its radiograph's number
    true: np.ndarray  # the best score that hit each nodule, 0 where none did
    true_image: np.ndarray  # its radiograph's number
    counted: np.ndarray  # bool, of each radiograph: whether its false positives count


def hits_of(radiographs: Sequence[BoxedRadiograph], scores: Scores) -> Hits:
    """Sort boxes with scores into hits and false alarms: a hit's centre lies in the nodule's box.

    Where nodules overlap, the smaller is hit. Boxes in a nodule that is not counted are neither,
    and where other nodules have no box, there are no false alarms.
    """
    false, false_image, true, true_image = [np.zeros(0)], list[int](), list[float](), list[int]()
    for number, (one, found) in enumerate(zip(radiographs, scores, strict=True)):
        x, y = (found[:, axis] + found[:, 2 + axis] / 2 for axis in (0, 1))
        hit = np.full(len(found), -1)
        every = list(enumerate([*one.nodules, *one.ignored]))
        for i, box in sorted(every, key=lambda pair: -pair[1].width * pair[1].height):
            hit[(x >= box.left) & (x < box.right) & (y >= box.top) & (y < box.bottom)] = i
        if not one.others_unboxed:
            false.append(found[hit < 0, 4])
            false_image += [number] * int((hit < 0).sum())
        true += [found[hit == i, 4].max(initial=0.0) for i in range(len(one.nodules))]
        true_image += [number] * len(one.nodules)
    counted = np.array([not one.others_unboxed for one in radiographs])
    return Hits(np.concatenate(false), np.array(false_image, int), np.array(true),
                np.array(true_image, int), counted)  # fmt: skip


def froc(hits: Hits, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False positives an image and sensitivity, (draw, threshold), from the lowest threshold on.

    As ``monai.metrics.compute_froc_curve_data``, for many ``weights`` (draw, image) at once.
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
