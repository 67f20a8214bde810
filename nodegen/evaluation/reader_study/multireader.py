"""The study's statistics: shares, areas under the ROC curve, JAFROC, agreement, each with interval.

An interval over readers and cases is Obuchowski and Rockette's for a single treatment, with
jackknifed covariances and Hillis' degrees of freedom (Hillis 2007, Stat Med 26:596; 2014, Stat Med
33:330): readers and cases are both a sample. With one reader it is over cases alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from nodegen.evaluation.statistics import Estimate, auc, auc_error
from nodegen.io.tables import markdown_table

LEVEL = 0.95
CORRELATION = 0.4  # of two readers' errors on the same cases; RJafroc's Van Dyke example: 0.43
READER_SD = 0.04  # of readers' true AUC around their mean; same example: sqrt(0.0015)
NAN = float("nan")


@dataclass(frozen=True)
class ReaderEstimate(Estimate):
    """A figure with its interval, and how many cases and readers it comes from."""

    cases: int
    readers: int = 1


NOTHING = ReaderEstimate(NAN, NAN, NAN, 0)


def _half_interval(readers: int, between: float, shared: float) -> float:
    """Half of the interval of a mean over readers, by the variance between them and the shared."""
    total = between + readers * shared
    freedom = total**2 / (between**2 / (readers - 1)) if between > 0 else np.inf
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total / readers))


def _over_readers_and_cases(
    figure: Callable[[np.ndarray], np.ndarray], cases: int
) -> ReaderEstimate:
    """A figure's mean over readers, with its interval over readers and cases.

    ``figure`` gives each reader's, (reader,), from the indices of the cases that are kept.
    """
    everything = np.arange(cases)
    values = np.asarray(figure(everything), dtype=float)
    mean, readers = float(values.mean()), len(values)
    if cases < 2 or np.isnan(mean):
        return NOTHING
    left_out = np.array([figure(np.delete(everything, i)) for i in everything], dtype=float)
    away = left_out - left_out.mean(axis=0)
    covariance = away.T @ away * ((cases - 1) / cases)
    between, shared = 0.0, float(covariance[0, 0])
    if readers > 1:
        between = float(values.var(ddof=1))
        shared = max((covariance.sum() - np.trace(covariance)) / (readers * (readers - 1)), 0)
    half = _half_interval(readers, between, shared)
    if not half > 0:  # all right, or all wrong: leaving cases out changes nothing
        return ReaderEstimate(mean, NAN, NAN, cases, readers)
    return ReaderEstimate(mean, max(mean - half, 0), min(mean + half, 1), cases, readers)


def auc_over_readers(
    ratings: np.ndarray, positive: np.ndarray, least: float = -np.inf
) -> ReaderEstimate:
    """Area under the ROC curve, mean over readers.

    Ratings (reader, case) are higher for what is more surely positive; the truth is (case,). Of
    each reader, cases rated lower than ``least`` are left out.
    """

    def figure(kept: np.ndarray) -> np.ndarray:
        truth = positive[kept]
        uses = [(mine[kept], mine[kept] >= least) for mine in ratings]
        return np.array([auc(mine[use & truth], mine[use & ~truth]) for mine, use in uses])

    return _over_readers_and_cases(figure, len(positive))


def share_over_readers(right: np.ndarray) -> ReaderEstimate:
    """Share of right answers (reader, case), mean over readers; of one, with Wilson's interval.

    Examples
    --------
    >>> print(share_over_readers(np.arange(60)[None] < 39))
    0.650 (0.524 to 0.758)
    """
    if not right.size:
        return NOTHING
    readers, cases = right.shape
    if readers > 1:
        return _over_readers_and_cases(lambda kept: right[:, kept].mean(axis=1), cases)
    count = int(right.sum())
    interval = stats.binomtest(count, cases).proportion_ci(LEVEL, method="wilson")
    return ReaderEstimate(count / cases, float(interval.low), float(interval.high), cases)


class MarkedImage(NamedTuple):
    """The confidences of one reader's marks on one radiograph."""

    lesions: tuple[float, ...]  # of the mark that hit each nodule; minus infinity where none did
    false: tuple[float, ...]  # of the marks that hit none


def jafroc(images: Sequence[MarkedImage]) -> float:
    """JAFROC's figure of merit (Chakraborty and Berbaum 2004, Med Phys 31:2313).

    The AUC of nodules' marks against the most confident false mark of radiographs without nodules.
    """
    lesions = np.array([value for image in images for value in image.lesions])
    false = np.array([max(image.false, default=-np.inf) for image in images if not image.lesions])
    return auc(lesions, false)


def jafroc_over_readers(images: Sequence[Sequence[MarkedImage]]) -> ReaderEstimate:
    """JAFROC's figure, mean over readers, each with the same radiographs in the same order."""

    def figure(kept: np.ndarray) -> np.ndarray:
        return np.array([jafroc([mine[i] for i in kept]) for mine in images])

    return _over_readers_and_cases(figure, len(images[0]))


def fleiss_kappa(answers: np.ndarray) -> float:
    """Agreement of several readers beyond chance (Fleiss 1971, Psychol Bull 76:378).

    Answers are categories (reader, case). NaN for fewer than two readers, or where all are one.
    """
    readers, cases = answers.shape
    if readers < 2 or not cases:
        return NAN
    table = np.stack([(answers == kind).sum(axis=0) for kind in np.unique(answers)], axis=1)
    agreed = ((table**2).sum(axis=1) - readers) / (readers * (readers - 1))
    chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    return float((agreed.mean() - chance) / (1 - chance)) if chance < 1 else NAN


def half_width(cases: int, readers: int, kind: str) -> float:
    """Half of the 95 % interval that a study of a kind will have, over readers at chance and cases.

    Cases are pairs of a choice study; of a rating study real and synthetic nodules, half each.
    """
    choice = kind == "choice"
    error = 0.5 / np.sqrt(cases) if choice else auc_error(cases // 2, cases - cases // 2)
    if readers == 1:
        return _half_interval(1, 0.0, error**2)
    between = READER_SD**2 + error**2 * (1 - CORRELATION)
    return _half_interval(readers, between, error**2 * CORRELATION)


def sample_sizes() -> str:
    """Half of the 95 % interval by cases and readers, as Markdown, for both kinds of study."""
    tables, readers = [], (1, 2, 3, 5, 10)
    for kind, words in (("choice", "two-alternative choice: pairs"), ("rating", "rating: nodules")):
        head = [words, *(f"{n} reader{'s' * (n > 1)}" for n in readers)]
        rows = [
            [cases, *(f"± {half_width(cases, n, kind):.3f}" for n in readers)]
            for cases in (30, 60, 100, 150, 200, 300)
        ]
        tables.append(markdown_table(head, rows))
    return "\n\n".join(tables)
