"""How far two distributions of a measure are apart, in standard deviations of the real one."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Sample:
    """Values of one measure, and the radiograph that each comes from."""

    values: np.ndarray
    radiographs: np.ndarray

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """Values of as many radiographs, drawn with replacement."""
        names, number = np.unique(self.radiographs, return_inverse=True)
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        return np.repeat(self.values, times[number])


def sample(values: Sequence[float], radiographs: Sequence[str]) -> Sample:
    """Make a sample of lists."""
    return Sample(np.asarray(values, dtype=float), np.asarray(radiographs))


def spread_of(values: np.ndarray) -> float:
    """Standard deviation, from the 10th and 90th percentile as in a normal distribution."""
    low, high = np.percentile(values, (10, 90))
    return max(float(high - low) / TENTHS, 1e-9)


def apart(real: np.ndarray, synthetic: np.ndarray, spread: float) -> float:
    """Wasserstein distance over ``spread``."""
    return float(wasserstein_distance(real, synthetic)) / spread


def distance(real: Sample, synthetic: Sample, seed: int = 0) -> Distance:
    """Distance with its interval.

    Parameters
    ----------
    real, synthetic : Sample
        At least one value each.
    seed : int
        Of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    spread = spread_of(real.values)
    resampled, alike = [], []
    for _ in range(RESAMPLES):
        drawn = real.drawn(rng)
        resampled.append(apart(drawn, synthetic.drawn(rng), spread))
        alike.append(apart(drawn, rng.choice(real.values, len(synthetic.values)), spread))
    low, high = np.percentile(resampled, INTERVAL)
    value = apart(real.values, synthetic.values, spread)
    return Distance(value, float(low), float(high), float(np.median(alike)))
