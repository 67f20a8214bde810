"""Synthetic nodules compared with real ones: by each measure, and by a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC

from nodegen.evaluation.fidelity.margin import TEN_TO_NINETY
from nodegen.evaluation.fidelity.nodule_crop import half_height_of
from nodegen.evaluation.fidelity.nodule_measures import GRAIN, MEASURES
from nodegen.evaluation.fidelity.reference import Reference, parts_of
from nodegen.evaluation.statistics import FEWEST, Estimate, auc, estimate, resampled

RESAMPLES, AUC_RESAMPLES = 200, 500  # draws of radiographs for a distance, and for an AUC
FOLDS = 5
QUANTILES = 50  # with which each measure is made normal: no outlier counts for more than a rank
PENALTY = 0.1  # inverse strength of the regression's regularisation: few nodules, many measures
REPEATS = 3  # ways of parting the radiographs, whose scores are averaged
Sample = tuple[np.ndarray, np.ndarray]  # values (nodule,) or (nodule, measure), radiographs' names


@dataclass(frozen=True)
class Distance(Estimate):
    """A Wasserstein distance in standard deviations of the real distribution."""

    alike: float  # median distance of as many nodules drawn from the real ones: not 0 of few


@dataclass(frozen=True)
class Comparison:
    """How like real nodules the synthetic ones are."""

    source: str  # of the reference
    annotation_sources: tuple[str, ...]  # of the real nodules that were compared with
    nodules: int  # real ones
    radiographs: int
    real: dict[str, dict[str, float]]  # p5, p50 and p95 of each measure
    rests_on: dict[str, int]  # by measure: the real nodules that have it
    distances: dict[str, Distance]  # NaN of a measure that rests on fewer than FEWEST
    mean_distance: float  # of the others; NaN where there is none
    # By size or ground: how many are ``real`` and ``synthetic`` (``nodules``); of each measure that
    # rests on enough the medians, the quartiles of the real ones, and their distance.
    groups: dict[str, dict[str, Any]]
    # Of the mean profile, of real nodules in tight boxes and of synthetic ones, half sides.
    profile_half_height: dict[str, float]
    # By all measures that every real nodule has, and by all of them but those of grain.
    classifier_auc: Estimate
    classifier_auc_without_grain: Estimate


def compare_with(reference: Reference, rows: Sequence[dict[str, Any]]) -> Comparison:
    """Compare the rows of measured synthetic nodules with a reference; all is NaN without one."""
    real = reference.table()
    synthetic = pd.DataFrame(rows, columns=None if rows else real.columns)
    rests_on = {name: int(real[name].count()) for name in MEASURES}
    distances = {name: distance(_sample(real, name), _sample(synthetic, name)) for name in MEASURES}
    known = [name for name in MEASURES if rests_on[name] == len(real)]
    without_grain = [name for name in known if name not in GRAIN]
    tight = real[~real["tightened"]]
    profiles = {"real": tight if len(tight) else real, "synthetic": synthetic}
    return Comparison(
        source=reference.source,
        annotation_sources=reference.main,
        nodules=len(real),
        radiographs=real["radiograph"].nunique(),
        real=quantiles(real[[*MEASURES]]),
        rests_on=rests_on,
        distances=distances,
        mean_distance=float(pd.Series([found.value for found in distances.values()]).mean()),
        groups=_groups(real, synthetic),
        profile_half_height={
            kind: half_height_of(np.mean([*table["profile"]], axis=0)) if len(table) else np.nan
            for kind, table in profiles.items()
        },
        classifier_auc=two_sample_auc(_sample(real, known), _sample(synthetic, known)),
        classifier_auc_without_grain=two_sample_auc(
            _sample(real, without_grain), _sample(synthetic, without_grain)
        ),
    )


def quantiles(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """5th, 50th and 95th percentile of each column; NaN of none."""
    found = table.astype(float).quantile([0.05, 0.5, 0.95])
    found = found.set_axis(["p5", "p50", "p95"])
    return {str(name): dict(found[name]) for name in found}


def _sample(table: pd.DataFrame, names: str | list[str]) -> Sample:
    having = table.dropna(subset=names)
    return having[names].to_numpy(), having["radiograph"].to_numpy(str)


def _groups(real: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """By size and by ground, those of which there are nodules of both kinds."""
    groups: dict[str, dict[str, Any]] = {}
    parts, drawn = parts_of(real), parts_of(synthetic)
    for group in [name for name in parts if name in drawn]:
        some, others = parts[group], drawn[group]
        groups[group] = {"nodules": {"real": len(some), "synthetic": len(others)}}
        for name in MEASURES:
            values = some[name].dropna().to_numpy()
            if len(values) >= FEWEST:
                low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
                groups[group][name] = {
                    "real": middle,
                    "quartiles": [low, high],
                    "synthetic": float(others[name].median()),
                    "distance": _apart(values, others[name].to_numpy(), deviation_of(values)),
                }
    return groups


def deviation_of(values: np.ndarray) -> float:
    """Standard deviation of a normal distribution with the same 10th and 90th percentile."""
    low, high = np.percentile(values, (10, 90))
    return max(float(high - low) / TEN_TO_NINETY, 1e-9)


def distance(real: Sample, synthetic: Sample, seed: int = 0) -> Distance:
    """Distance of one measure, with its interval; NaN for too few real nodules, or no others."""
    if len(real[0]) < FEWEST or not len(synthetic[0]):
        return Distance(*[np.nan] * 4)
    rng = np.random.default_rng(seed)
    values, others = real[0], synthetic[0]
    deviation = deviation_of(values)
    draws, alike = [], []
    for _ in range(RESAMPLES):
        drawn = resampled(*real, rng)
        draws.append(_apart(drawn, resampled(*synthetic, rng), deviation))
        alike.append(_apart(drawn, rng.choice(values, len(others)), deviation))
    found = estimate(_apart(values, others, deviation), draws)
    return Distance(found.value, found.low, found.high, float(np.median(alike)))


def _apart(one: np.ndarray, other: np.ndarray, deviation: float) -> float:
    """Wasserstein distance in standard deviations of the real values."""
    return float(wasserstein_distance(one, other)) / deviation


def two_sample_auc(real: Sample, synthetic: Sample, seed: int = 0) -> Estimate:
    """Cross-validated AUC of classifiers that part real from synthetic nodules, by all measures.

    Two, whose scores are summed: a logistic regression sees a measure that is too large or too
    small, a support vector machine one that varies too little or goes wrongly with another. A
    radiograph never lies in training and in test at once. NaN for fewer than five of a kind.
    """
    nothing = estimate(np.nan, [])
    x, names = map(np.concatenate, zip(real, synthetic, strict=True))
    y = np.repeat([0, 1], [len(real[0]), len(synthetic[0])])
    if min(len(set(names[y == kind])) for kind in (0, 1)) < FOLDS:
        return nothing
    scores = np.zeros(len(y))
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        training = [train for train, _ in folds.split(x, y, names)]
        if any(len(set(y[train])) < 2 for train in training):
            return nothing  # nearly all nodules of a kind lie in one radiograph
        quantiles = min(QUANTILES, *map(len, training))
        for last in (
            LogisticRegression(C=PENALTY, class_weight="balanced"),
            SVC(class_weight="balanced"),
        ):
            normal = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal")
            scores += cross_val_predict(
                make_pipeline(normal, last), x, y,
                groups=names, cv=folds, method="decision_function",
            )  # fmt: skip
    rng, aucs = np.random.default_rng(seed), []
    for _ in range(AUC_RESAMPLES):
        negative, positive = (resampled(scores[y == k], names[y == k], rng) for k in (0, 1))
        aucs.append(auc(positive, negative))
    return estimate(auc(scores[y == 1], scores[y == 0]), aucs)
