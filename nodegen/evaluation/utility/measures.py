"""What a network's scores are worth: measures of both kinds of depth, draw by draw."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nodegen.evaluation.utility.bootstrap import FROC_AT, Hits, sensitivities, weighted_auc
from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.extras import need
from nodegen.evaluation.utility.subgroups import GROUPS

Scores = Sequence[np.ndarray]  # of each radiograph of the test
Kinds = Mapping[str, Sequence[str]]
Draws = dict[str, np.ndarray]


class Test:
    """The radiographs that every arm is tested on, and the kinds of their nodules.

    Parameters
    ----------
    radiographs : list of Radiograph
        With nodules, without, or both.
    kinds : dict
        As :func:`nodegen.evaluation.utility.subgroups.kinds` gives them.
    weights : ndarray, shape (draw, patient)
        As :func:`nodegen.evaluation.utility.bootstrap.patient_weights` gives them, patients in
        the order of ``patients``.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, radiographs: Sequence[Radiograph], kinds: Kinds, weights: np.ndarray):
        self.radiographs, self.kinds = list(radiographs), kinds
        names = patients(radiographs)
        index = np.array([names.index(one.patient) for one in radiographs])
        self.weights = weights[:, index]  # (draw, radiograph)

    def groups(self) -> list[tuple[str, str, np.ndarray]]:
        """Each group and kind that is there, and which nodules are of it."""
        return [
            (group, kind, np.array(self.kinds[group]) == kind)
            for group, names in GROUPS.items()
            for kind in names
            if kind in self.kinds[group]
        ]


def patients(radiographs: Sequence[Radiograph]) -> list[str]:
    """The patients of radiographs, each once, sorted."""
    return sorted({one.patient for one in radiographs})


# --- patches --------------------------------------------------------------------------------------


def patch_items(test: Test, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and radiographs' numbers of all nodules and places, in the test's order."""
    labels = [np.arange(len(s)) < len(r.nodules)
              for s, r in zip(scores, test.radiographs, strict=True)]  # fmt: skip
    images = np.repeat(np.arange(len(scores)), [len(s) for s in scores])
    return np.concatenate(list(scores)), np.concatenate(labels), images


def patch_measures(test: Test, scores: Scores) -> Draws:
    """AUC of nodules against places, of all nodules and of each kind, draw by draw."""
    values, labels, images = patch_items(test, scores)
    weights = test.weights[:, images]
    made = {"AUC": weighted_auc(values, labels, weights)}
    nodules = np.flatnonzero(labels)
    for group, kind, of_kind in test.groups():
        kept = np.sort(np.concatenate([nodules[of_kind], np.flatnonzero(~labels)]))
        made[f"AUC, {group}: {kind}"] = weighted_auc(values[kept], labels[kept], weights[:, kept])
    return made


# --- whole radiographs ----------------------------------------------------------------------------


def image_items(test: Test, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each radiograph's score (its highest box's; none: 0), label, and number.

    A radiograph whose only nodules are of a size that does not count is left out.
    """
    counted = np.array([bool(one.nodules) or not one.ignored for one in test.radiographs])
    values = np.array([found[:, 4].max(initial=0.0) for found in scores])
    labels = np.array([bool(one.nodules) for one in test.radiographs])
    return values[counted], labels[counted], np.flatnonzero(counted)


def hits_of(test: Test, scores: Scores) -> Hits:
    """Sort boxes with scores into hits and false alarms: a hit's centre lies in the nodule's box.

    Boxes in a nodule that is not counted are neither.
    """
    metrics = need("monai.metrics", "detector")
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
        if len(every):
            false, true, _ = metrics.compute_fp_tp_probs_nd(found[:, 4], centres, mask, ignored)
            true = np.asarray(true)[: len(one.nodules)]
        else:
            false, true = found[:, 4], np.zeros(0)
        parts["fp"].append(np.asarray(false, float))
        parts["fp_image"].append(np.full(len(false), number))
        parts["tp"].append(np.asarray(true, float))
        parts["tp_image"].append(np.full(len(true), number))
    return Hits(*(np.concatenate(parts[name]) for name in ("fp", "fp_image", "tp", "tp_image")))


def detector_measures(test: Test, scores: Scores) -> Draws:
    """AUC of radiographs; mean sensitivity of the FROC, at each rate, and of each kind."""
    values, labels, images = image_items(test, scores)
    hits = hits_of(test, scores)
    made = {"AUC": weighted_auc(values, labels, test.weights[:, images])}
    at = sensitivities(hits, test.weights)
    made["FROC"] = at.mean(axis=1)
    made |= {f"sensitivity at {rate:g}": at[:, i] for i, rate in enumerate(FROC_AT)}
    for group, kind, of_kind in test.groups():
        part = Hits(hits.false, hits.false_image, hits.true[of_kind], hits.true_image[of_kind])
        made[f"FROC, {group}: {kind}"] = sensitivities(part, test.weights).mean(axis=1)
    return made


MEASURES: dict[str, Callable[[Test, Scores], Draws]] = {
    "patches": patch_measures,
    "detector": detector_measures,
    "fasterrcnn": detector_measures,
}
MAIN = {"patches": ("AUC",), "detector": ("AUC", "FROC"), "fasterrcnn": ("AUC", "FROC")}
