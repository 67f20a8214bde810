"""What a network's boxes are worth: AUC of radiographs, and FROC, draw by draw."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nodegen.evaluation.utility.bootstrap import FROC_AT, Hits, sensitivities, weighted_auc
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.evaluation.utility.detector import need
from nodegen.io.boxes import Box
from nodegen.synthesis.context import to_unit

MAIN = ("FROC", "AUC")  # the measures that come first
# Chosen, not fitted: they part real boxes into groups that are large enough for a figure.
SMALL_PX = 60  # larger side; about half of NODE21's boxes are smaller (57 px)
MIDDLE = 0.3  # of the box's half sides: where contrast is read
SURROUND = (1.3, 2.0)  # of the box's half sides: against what
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
    """How far a nodule stands out.

    Parameters
    ----------
    slice01 : ndarray, shape (row, column)
        In 0..1.
    box : Box
        Of the nodule, in px of the slice.

    Returns
    -------
    float
        Median of the middle less that of the surround, over the surround's interquartile range.
    """
    x, y = box.centre
    rows = slice(max(int(y - box.height), 0), int(y + box.height) + 1)
    columns = slice(max(int(x - box.width), 0), int(x + box.width) + 1)
    part = slice01[rows, columns]
    v, u = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
    r = np.hypot((u + columns.start - x) / (box.width / 2), (v + rows.start - y) / (box.height / 2))
    middle, surround = part[r < MIDDLE], part[(r >= SURROUND[0]) & (r < SURROUND[1])]
    if not len(middle) or not len(surround):
        return 0.0
    q25, q50, q75 = np.percentile(surround, [25, 50, 75])
    return float((np.median(middle) - q50) / max(q75 - q25, 1e-6))


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

    Boxes in a nodule that is not counted are neither, and where other nodules have no box, there
    are no false alarms.
    """
    metrics = need("monai.metrics", "unet")
    parts: dict[str, list[Any]] = {"fp": [], "fp_image": [], "tp": [], "tp_image": []}
    for number, (one, found) in enumerate(zip(test.radiographs, scores, strict=True)):
        shape = one.load().shape
        mask = np.zeros(shape, np.int32)
        every = [*one.nodules, *one.ignored]
        labels = sorted(range(len(every)), key=lambda i: -every[i].width * every[i].height)
        for i in labels:  # smaller ones on top, so that none is hidden
            mask[every[i].top : every[i].bottom, every[i].left : every[i].right] = i + 1
        ignored = list(range(len(one.nodules) + 1, len(every) + 1))
        centres = np.stack([found[:, 1] + found[:, 3] / 2, found[:, 0] + found[:, 2] / 2], axis=1)
        centres = np.clip(centres.astype(int), 0, np.array(shape) - 1)
        false, true = found[:, 4], np.zeros(0)
        if len(every):
            false, true, _ = metrics.compute_fp_tp_probs_nd(found[:, 4], centres, mask, ignored)
            true = np.asarray(true)[: len(one.nodules)]
        false = false[:0] if one.others_unboxed else false
        parts["fp"].append(np.asarray(false, float))
        parts["fp_image"].append(np.full(len(false), number))
        parts["tp"].append(np.asarray(true, float))
        parts["tp_image"].append(np.full(len(true), number))
    false, false_image, true, true_image = (np.concatenate(part) for part in parts.values())
    counted = np.array([not one.others_unboxed for one in test.radiographs])
    return Hits(false, false_image, true, true_image, counted)


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
