"""Synthetic nodules compared with the reference, by size and by ground, and by a classifier."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import wasserstein_distance

from nodegen.evaluation.fidelity.classifier import two_sample_auc
from nodegen.evaluation.fidelity.ground import GROUNDS
from nodegen.evaluation.fidelity.measures import (
    GRAIN,
    MEASURES,
    OF_BOX,
    SIZE_NAMES,
    quantiles,
    size_class,
)
from nodegen.evaluation.fidelity.profile import half_height_of
from nodegen.evaluation.fidelity.reference import Reference
from nodegen.evaluation.statistics import Estimate

FEWEST = 10  # real nodules: a measure that rests on fewer is not compared
RESAMPLES = 200  # of the bootstrap
INTERVAL = (2.5, 97.5)  # percentiles of it
# 10 to 90 % of a normal distribution, in its standard deviations: a spread that outliers do not
# move.
TENTHS = 2 * 1.2815515655446004

Rows = Sequence[dict[str, Any]]
Sample = tuple[np.ndarray, np.ndarray]  # values of one measure, and each one's radiograph


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
class Comparison:
    """How like real nodules the synthetic ones are.

    Attributes
    ----------
    source : str
        Of the reference.
    annotation_sources : tuple of str
        Of the real nodules that were compared with.
    nodules, radiographs : int
        Real ones.
    real : dict
        p5, p50 and p95 of each measure over the real nodules.
    rests_on : dict of int
        By measure: the real nodules that have it. Those whose loose box was tightened have none of
        the measures against the box.
    distances : dict of Distance
        By measure; only of those that rest on ``FEWEST`` real nodules or more.
    groups : dict
        By size or ground: ``nodules``, a dict of how many are ``real`` and ``synthetic``; and, of
        each measure that rests on enough, the median of both, the quartiles of the real ones and
        their distance.
    profile_half_height : dict
        Of the mean profile, of real nodules in tight boxes and of synthetic ones, half sides.
    classifier_auc, classifier_auc_without_grain : Estimate
        What a classifier makes of all measures, and of all but those of grain; of real nodules
        whose boxes were tightened, without the measures against the box.
    """

    source: str
    annotation_sources: tuple[str, ...]
    nodules: int
    radiographs: int
    real: dict[str, dict[str, float]]
    rests_on: dict[str, int]
    distances: dict[str, Distance]
    groups: dict[str, dict[str, Any]]
    profile_half_height: dict[str, float]
    classifier_auc: Estimate
    classifier_auc_without_grain: Estimate

    @property
    def mean_distance(self) -> float:
        """Mean of the distances of all measures; NaN where none rests on enough nodules."""
        values = [found.value for found in self.distances.values()]
        return float(np.mean(values)) if values else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON; NaN becomes null."""
        found: dict[str, Any] = without_nan({**asdict(self), "mean_distance": self.mean_distance})
        return found


def without_nan(value: Any) -> Any:
    """The same content with None for NaN, as JSON has it."""
    if isinstance(value, dict):
        return {key: without_nan(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(held) for held in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def compare_with(reference: Reference, rows: Rows) -> Comparison:
    """Compare measured synthetic nodules with a reference.

    Parameters
    ----------
    reference : Reference
        Real nodules, of all annotation sources that it compares with.
    rows : list of dict
        At least one; of each nodule ``radiograph`` (digest), ``size_px``, ``ground``, ``profile``
        and the keys of ``MEASURES``.

    Returns
    -------
    Comparison
    """
    nodules = reference.of_source()
    real = [
        {
            "radiograph": nodule.radiograph,
            "size_px": nodule.size_px,
            "ground": nodule.ground,
            "profile": nodule.profile,
            "tightened": nodule.tightened,
            **nodule.measures,
        }
        for nodule in nodules
    ]
    tight = [row for row in real if not row["tightened"]]
    names = [name for name in MEASURES if len(tight) == len(real) or name not in OF_BOX]
    compared = {name: _of(name, real, rows) for name in MEASURES}
    return Comparison(
        source=reference.source,
        annotation_sources=reference.main,
        nodules=len(real),
        radiographs=len({row["radiograph"] for row in real}),
        real={name: quantiles(having, [name])[name] for name, (having, _) in compared.items()},
        rests_on={name: len(having) for name, (having, _) in compared.items()},
        distances={
            name: _distance(name, *both)
            for name, both in compared.items()
            if len(both[0]) >= FEWEST
        },
        groups=_groups(real, rows),
        profile_half_height={
            kind: half_height_of(np.mean([row["profile"] for row in these], axis=0))
            for kind, these in {"real": tight or real, "synthetic": list(rows)}.items()
        },
        classifier_auc=_classified(real, rows, names),
        classifier_auc_without_grain=_classified(
            real, rows, [name for name in names if name not in GRAIN]
        ),
    )


def _of(name: str, real: Rows, rows: Rows) -> tuple[Rows, Rows]:
    """The real nodules that have a measure, and the synthetic ones."""
    return [row for row in real if not (row["tightened"] and name in OF_BOX)], rows


def _distance(name: str, real: Rows, rows: Rows) -> Distance:
    one, other = (
        (np.array([row[name] for row in these]), np.array([row["radiograph"] for row in these]))
        for these in (real, rows)
    )
    return distance(one, other)


def _groups(real: Rows, rows: Rows) -> dict[str, dict[str, Any]]:
    """By size and by ground, those of which there are nodules of both kinds."""
    groups: dict[str, dict[str, Any]] = {}
    for group in (*SIZE_NAMES, *GROUNDS):
        some, others = (
            [row for row in these if group in (size_class(row["size_px"]), row["ground"])]
            for these in (real, rows)
        )
        if not some or not others:
            continue
        groups[group] = {"nodules": {"real": len(some), "synthetic": len(others)}}
        for name in MEASURES:
            having, _ = _of(name, some, others)
            if len(having) < FEWEST:
                continue
            values, drawn = (np.array([row[name] for row in these]) for these in (having, others))
            low, middle, high = np.percentile(values, (25, 50, 75))
            groups[group][name] = {
                "real": float(middle),
                "quartiles": [float(low), float(high)],
                "synthetic": float(np.median(drawn)),
                "distance": apart(values, drawn, values),
            }
    return groups


def _classified(real: Rows, rows: Rows, names: list[str]) -> Estimate:
    one, other = (
        np.array([[row[name] for name in names] for row in these]) for these in (real, rows)
    )
    return two_sample_auc(
        one, other, [row["radiograph"] for row in real], [row["radiograph"] for row in rows]
    )


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
    resampled, alike = [], []
    for _ in range(RESAMPLES):
        drawn = _drawn(real, rng)
        resampled.append(apart(drawn, _drawn(synthetic, rng), values))
        alike.append(apart(drawn, rng.choice(values, len(others)), values))
    low, high = np.percentile(resampled, INTERVAL)
    value = apart(values, others, values)
    return Distance(value, float(low), float(high), float(np.median(alike)))


def apart(one: np.ndarray, other: np.ndarray, real: np.ndarray) -> float:
    """Wasserstein distance in standard deviations of the ``real`` values."""
    return float(wasserstein_distance(one, other)) / deviation_of(real)


def _drawn(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Values of as many radiographs, drawn with replacement."""
    names, number = np.unique(sample[1], return_inverse=True)
    times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
    return np.repeat(sample[0], times[number])
