"""How far two distributions of a measure are apart, in standard deviations of the real one."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

RESAMPLES = 200  # of the bootstrap
INTERVAL = (2.5, 97.5)  # percentiles of it
# 10 to 90 % of a normal distribution, in its standard deviations: a spread that outliers do not
# move.
TENTHS = 2 * 1.2815515655446004


@dataclass(frozen=True)
class Distance:
    """A Wasserstein distance in standard deviations of the real distribution.

    Attributes
    ----------
    value : float
        0 where both are alike.
    low, high : float
        95 % interval by bootstrap over radiographs.
    alike : float
        What as many nodules would be apart at the median, were they drawn from the real ones: with
        few nodules, not 0.
    """

    value: float
    low: float
    high: float
    alike: float


Sample = tuple[np.ndarray, np.ndarray]  # values of one measure, and each one's radiograph


def deviation_of(values: np.ndarray) -> float:
    """Standard deviation, from the 10th and 90th percentile as in a normal distribution."""
    low, high = np.percentile(values, (10, 90))
    return max(float(high - low) / TENTHS, 1e-9)


def distance(real: Sample, synthetic: Sample, seed: int = 0) -> Distance:
    """Distance with its interval.

    Parameters
    ----------
    real, synthetic : (ndarray, ndarray)
        Values and the digests of their radiographs; at least one each.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Distance
    """
    rng = np.random.default_rng(seed)
    values, others = real[0], synthetic[0]
    deviation = deviation_of(values)

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(wasserstein_distance(one, other)) / deviation

    resampled, alike = [], []
    for _ in range(RESAMPLES):
        drawn = _drawn(real, rng)
        resampled.append(apart(drawn, _drawn(synthetic, rng)))
        alike.append(apart(drawn, rng.choice(values, len(others))))
    low, high = np.percentile(resampled, INTERVAL)
    return Distance(apart(values, others), float(low), float(high), float(np.median(alike)))


def _drawn(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Values of as many radiographs, drawn with replacement."""
    names, number = np.unique(sample[1], return_inverse=True)
    times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
    return np.repeat(sample[0], times[number])
