"""What a network's boxes are worth: AUC of radiographs, and FROC, draw by draw."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nodegen.evaluation.utility.bootstrap import FROC_AT, Hits, sensitivities, weighted_auc
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.io.boxes import Box
from nodegen.synthesis.context import to_unit
from nodegen.synthesis.visibility import central_disc, surround

MAIN = ("FROC", "AUC")  # the measures that come first
# Chosen, not fitted: they part real boxes into groups that are large enough for a figure.
SMALL_PX = 60  # larger side; about half of NODE21's boxes are smaller (57 px)
SIZES = ("small", "large")
THIRDS = ("lowest third", "middle third", "highest third")  # of the contrast to noise

Scores = Sequence[np.ndarray]  # boxes with scores, (box, 5), of each radiograph of the test
Draws = dict[str, np.ndarray]


def patients(radiographs: Sequence[BoxedRadiograph]) -> list[str]:
    """The patients of radiographs, each once, sorted."""
    return sorted({one.patient for one in radiographs})


class TestSet:
    """The radiographs that every arm is tested on, and the kinds of their nodules.

    Parameters
    ----------
    radiographs : sequence of BoxedRadiograph
        With nodules, without, or both.
    weights : ndarray, shape (draw, patient)
        As :func:`nodegen.evaluation.utility.bootstrap.patient_weights` gives them, patients in
        the order of :func:`patients`.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, radiographs: Sequence[BoxedRadiograph], weights: np.ndarray):
        self.radiographs = list(radiographs)
        names = patients(radiographs)
        index = np.array([names.index(one.patient) for one in radiographs])
        self.weights = weights[:, index]  # (draw, radiograph)
        self.groups = kinds(self.radiographs)


def kinds(radiographs: Sequence[BoxedRadiograph]) -> dict[str, np.ndarray]:
    """Which nodules are of a kind, by size and contrast to noise; empty kinds are left out.

    Returns
    -------
    dict of ndarray of bool, shape (nodule,)
        Nodules come radiograph by radiograph.
    """
    sides, measured = list[int](), list[float]()
    for one in radiographs:
        slice01 = to_unit(one.load()) if one.nodules else np.zeros((1, 1))
        sides += [max(box.width, box.height) for box in one.nodules]
        measured += [contrast_to_noise(slice01, box) for box in one.nodules]
    third = np.digitize(measured, np.quantile(measured or [0.0], [1 / 3, 2 / 3]))
    large = np.array(sides) >= SMALL_PX
    found = {f"size: {name}": large == i for i, name in enumerate(SIZES)}
    found |= {f"contrast to noise: {name}": third == i for i, name in enumerate(THIRDS)}
    return {name: of_kind for name, of_kind in found.items() if of_kind.any()}


def contrast_to_noise(slice01: np.ndarray, box: Box) -> float:
    """The visibility of what a box holds in a slice (row, column) of 0..1, as of drawn nodules."""
    level, spread = surround(slice01, box)
    x, y = box.centre
    middle = slice01[central_disc(slice01.shape, y, x, box.side)]
    return (float(middle.mean()) - level) / spread


def image_items(test: TestSet, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each radiograph's score (its highest box's; none: 0), label, and number.

    A radiograph whose only nodules do not count is left out.
    """
    counted = np.array(
        [bool(one.nodules) or not (one.ignored or one.others_unboxed) for one in test.radiographs]
    )
    values = np.array([found[:, 4].max(initial=0.0) for found in scores])
    labels = np.array([bool(one.nodules) for one in test.radiographs])
    return values[counted], labels[counted], np.flatnonzero(counted)


def hits_of(test: TestSet, scores: Scores) -> Hits:
    """Sort boxes with scores into hits and false alarms: a hit's centre lies in the nodule's box.

    Where boxes of nodules overlap, the smaller one is hit. Boxes in a nodule that is not counted
    are neither, and where other nodules have no box, there are no false alarms.
    """
    false, false_image, true, true_image = [np.zeros(0)], list[int](), list[float](), list[int]()
    for number, (one, found) in enumerate(zip(test.radiographs, scores, strict=True)):
        rows, columns = one.load().shape
        x = np.clip(found[:, 0] + found[:, 2] / 2, 0, columns - 1).astype(int)
        y = np.clip(found[:, 1] + found[:, 3] / 2, 0, rows - 1).astype(int)
        hit = np.full(len(found), -1)
        every = list(enumerate([*one.nodules, *one.ignored]))
        for i, box in sorted(every, key=lambda pair: -pair[1].width * pair[1].height):
            hit[(x >= box.left) & (x < box.right) & (y >= box.top) & (y < box.bottom)] = i
        if not one.others_unboxed:
            false.append(found[hit < 0, 4])
            false_image += [number] * int((hit < 0).sum())
        true += [found[hit == i, 4].max(initial=0.0) for i in range(len(one.nodules))]
        true_image += [number] * len(one.nodules)
    counted = np.array([not one.others_unboxed for one in test.radiographs])
    return Hits(np.concatenate(false), np.array(false_image, int), np.array(true),
                np.array(true_image, int), counted)  # fmt: skip


def detector_measures(test: TestSet, scores: Scores) -> Draws:
    """Mean sensitivity of the FROC, AUC of radiographs, sensitivity at each rate, FROC by kind."""
    values, labels, images = image_items(test, scores)
    hits = hits_of(test, scores)
    at = sensitivities(hits, test.weights)
    made = {"FROC": at.mean(axis=1)}
    made["AUC"] = weighted_auc(values, labels, test.weights[:, images])
    made |= {f"sensitivity at {rate:g}": at[:, i] for i, rate in enumerate(FROC_AT)}
    for kind, of_kind in test.groups.items():
        part = replace(hits, true=hits.true[of_kind], true_image=hits.true_image[of_kind])
        made[f"FROC, {kind}"] = sensitivities(part, test.weights).mean(axis=1)
    return made
