"""The figures of each kind of study, from its key and its answers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nodegen.evaluation.reader_study import multireader
from nodegen.evaluation.reader_study.answers import Study
from nodegen.evaluation.reader_study.multireader import NOTHING, MarkedImage, ReaderEstimate

REAL_FROM = 4  # the ratings 4 to 6 say "real"
HIT_PX = 12  # a mark so far outside a box still hits it: a hand is not that exact

# A figure's name and its value of the cases that are chosen and the readers' answers, each by case.
Figures = Iterator[tuple[str, ReaderEstimate]]
Answers = Sequence[dict[str, dict[str, Any]]]


def _choice(study: Study, cases: Sequence[str], answers: Answers) -> Figures:
    sides = {case: study.key[case]["kind"].split("/") for case in cases}
    right = [[sides[case][a[case]["side"]] == "real" for case in cases] for a in answers]
    yield "share right", multireader.share_over_readers(np.array(right, dtype=bool))


def _rating(study: Study, cases: Sequence[str], answers: Answers) -> Figures:
    kinds = np.array([study.key[case]["kind"] for case in cases])
    ratings = np.array([[a[case]["rating"] for case in cases] for a in answers])
    nodules = kinds != "untouched"
    rated, real = ratings[:, nodules], kinds[nodules] == "real"
    yield "AUC", multireader.auc_over_readers(rated, real)
    yield "AUC, seen", multireader.auc_over_readers(rated, real, least=1)
    yield "share right", multireader.share_over_readers((rated >= REAL_FROM) == real)
    for kind in ("real", "synthetic", "untouched"):
        yield f"seen, {kind}", multireader.share_over_readers(ratings[:, kinds == kind] > 0)


def _marking(study: Study, cases: Sequence[str], answers: Answers) -> Figures:
    for kind in ("real", "synthetic"):
        here = [case for case in cases if study.key[case]["kind"] in (kind, "untouched")]
        images = [[_marked(study.key[case], a[case]["marks"]) for case in here] for a in answers]
        yield f"JAFROC, {kind}", multireader.jafroc_over_readers(images) if here else NOTHING
        hit = [[v > -np.inf for image in mine for v in image.lesions] for mine in images]
        yield f"hit, {kind}", multireader.share_over_readers(np.array(hit, dtype=bool))


def _marked(truth: dict[str, Any], marks: Sequence[dict[str, Any]]) -> MarkedImage:
    """Marks given to the nodules that they hit; each mark to the nearest of them."""
    boxes = [nodule["box"] for nodule in truth["nodules"]]
    hits: list[list[float]] = [[] for _ in boxes]
    false = []
    for mark in marks:
        x, y = mark["x"], mark["y"]
        near = [
            (np.hypot(x - (left + right) / 2, y - (top + bottom) / 2), i)
            for i, (left, top, right, bottom) in enumerate(boxes)
            if left - HIT_PX <= x <= right + HIT_PX and top - HIT_PX <= y <= bottom + HIT_PX
        ]
        if near:
            hits[min(near)[1]].append(float(mark["confidence"]))
        else:
            false.append(float(mark["confidence"]))
    return MarkedImage(tuple(max(h, default=-np.inf) for h in hits), tuple(false))


# Of each kind of study its figures, and what an answer says: a side, real or not, marked or not.
KINDS: dict[str, tuple[Callable[..., Figures], Callable[[dict[str, Any]], int]]] = {
    "choice": (_choice, lambda answer: int(answer["side"])),
    "rating": (_rating, lambda answer: int(answer["rating"] >= REAL_FROM)),
    "marking": (_marking, lambda answer: int(bool(answer["marks"]))),
}


def agreement(study: Study) -> ReaderEstimate:
    """Fleiss' kappa of what the readers said."""
    _, said = KINDS[study.plan.kind]
    answers = [[said(mine[case]) for case in study.cases] for mine in study.answers.values()]
    kappa = multireader.fleiss_kappa(np.array(answers))
    return ReaderEstimate(kappa, np.nan, np.nan, len(study.cases), len(answers))


def seconds(study: Study) -> Figures:
    """Median and quartiles of each reader's seconds a case; a reader without times is left out."""
    for reader, mine in study.answers.items():
        times = [mine[case]["seconds"] for case in study.cases if mine[case]["seconds"] is not None]
        if times:
            low, middle, high = np.percentile(times, (25, 50, 75)).tolist()
            yield reader, ReaderEstimate(middle, low, high, len(times))
