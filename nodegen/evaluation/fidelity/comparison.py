"""Synthetic nodules compared with the reference, by size and by ground, and by a classifier."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nodegen.evaluation.fidelity.classifier import two_sample_auc
from nodegen.evaluation.fidelity.distance import Distance, distance
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

Rows = Sequence[dict[str, Any]]


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
        content = {**asdict(self), "mean_distance": self.mean_distance}
        if np.isnan(self.mean_distance):
            content["mean_distance"] = None
        for name in ("classifier_auc", "classifier_auc_without_grain"):
            content[name] = {k: None if np.isnan(v) else v for k, v in content[name].items()}
        return content


def compare_with(reference: Reference, rows: Rows) -> Comparison:
    """Compare measured synthetic nodules with a reference.

    Parameters
    ----------
    reference : Reference
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
            "size_px": nodule.side,
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
            low, middle, high = np.percentile([row[name] for row in having], (25, 50, 75))
            groups[group][name] = {
                "real": float(middle),
                "quartiles": [float(low), float(high)],
                "synthetic": float(np.median([row[name] for row in others])),
                "distance": _distance(name, having, others).value,
            }
    return groups


def _classified(real: Rows, rows: Rows, names: list[str]) -> Estimate:
    one, other = (
        np.array([[row[name] for name in names] for row in these]) for these in (real, rows)
    )
    return two_sample_auc(
        one, other, [row["radiograph"] for row in real], [row["radiograph"] for row in rows]
    )
