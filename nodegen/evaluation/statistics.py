"""What every part of the evaluation counts with: a figure with its interval, bootstrap, AUC."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

INTERVAL = (2.5, 97.5)  # percentiles of a bootstrap's draws: 95 %
FEWEST = 10  # nodules; of fewer an AUC's standard error is above 0.13, and nothing is said


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where there is nothing to estimate it from.

    Examples
    --------
    >>> found = Estimate(0.65, 0.524, 0.758)
    >>> print(found, f"{found:+.2f}", sep="; ")
    0.650 (0.524 to 0.758); +0.65 (+0.52 to +0.76)
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return format(self, ".3f")

    def __format__(self, form: str) -> str:
        if np.isnan(self.value):
            return "–"
        if np.isnan(self.low):
            return f"{self.value:{form}} (no interval)"
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"

    @property
    def signed(self) -> str:
        """With its sign, as a difference is shown."""
        return format(self, "+.3f")


def estimate(value: float, draws: Sequence[float] | np.ndarray) -> Estimate:
    """A figure with the interval of a bootstrap's draws; draws that are NaN are left out."""
    known = np.asarray(draws)[np.isfinite(draws)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return Estimate(float(value), float(low), float(high))


def resampled(values: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One bootstrap draw: the values of as many ``groups`` (such as radiographs) as there are."""
    names, number = np.unique(groups, return_inverse=True)
    drawn = rng.integers(len(names), size=len(names))
    return np.repeat(values, np.bincount(drawn, minlength=len(names))[number])


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: the share of pairs in which the positive case scores higher.

    By ranks, ties count a half; NaN without a score of a kind. scikit-learn's ``roc_auc_score``
    takes 2 ms to check its input, too much inside a bootstrap.

    Examples
    --------
    >>> auc(np.array([3, 2]), np.array([1, 2]))
    0.875
    """
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)].sum()
    most = len(positive) * len(negative)
    return float((ranks - len(positive) * (len(positive) + 1) / 2) / most)


def auc_error(positive: int, negative: int) -> float:
    """Standard error of an AUC of 0.5, as of Mann and Whitney's U; NaN without cases."""
    if not positive or not negative:
        return float("nan")
    return float(np.sqrt((positive + negative + 1) / (12 * positive * negative)))
