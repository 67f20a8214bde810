"""Synthetic nodules against the reference: distances, sizes, and whether they are told apart."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nodegen.evaluation.fidelity.classifier import ToldApart, tell_apart
from nodegen.evaluation.fidelity.distance import Distance, distance, sample
from nodegen.evaluation.fidelity.measures import (
    GRAIN,
    MEASURES,
    SIZE_NAMES,
    quantiles,
    size_class,
)
from nodegen.evaluation.fidelity.profile import half_height_of
from nodegen.evaluation.fidelity.reference import Reference


@dataclass(frozen=True)
class Fidelity:
    """How like real nodules the synthetic ones are.

    Attributes
    ----------
    source : str
        Of the reference.
    trusts : tuple of str
        The kinds of trust that were held against.
    nodules, radiographs : int
        Real ones that were held against.
    real : dict
        p5, p50 and p95 of each measure over the real nodules.
    distances : dict of Distance
        By measure.
    sizes : dict
        By size and measure: the median of real and of synthetic nodules and their distance; only
        sizes of which there are nodules of both kinds. ``nodules`` counts them.
    profile_half_height : dict
        Of the mean profile, of real and of synthetic nodules, half sides.
    told_apart, told_apart_without_grain : ToldApart
        What a classifier makes of all measures, and of all but those of grain.
    """

    source: str
    trusts: tuple[str, ...]
    nodules: int
    radiographs: int
    real: dict[str, dict[str, float]]
    distances: dict[str, Distance]
    sizes: dict[str, dict[str, Any]]
    profile_half_height: dict[str, float]
    told_apart: ToldApart
    told_apart_without_grain: ToldApart

    @property
    def mean_distance(self) -> float:
        """Mean of the distances of all measures."""
        return float(np.mean([found.value for found in self.distances.values()]))

    def as_dict(self) -> dict[str, Any]:
        """What goes into JSON; NaN becomes null."""
        content = asdict(self)
        content["mean_distance"] = self.mean_distance
        for name in ("told_apart", "told_apart_without_grain"):
            content[name] = {k: None if np.isnan(v) else v for k, v in content[name].items()}
        return content


def hold_against(reference: Reference, rows: Sequence[dict[str, Any]]) -> Fidelity:
    """Hold measured synthetic nodules against a reference.

    Parameters
    ----------
    rows : list of dict
        At least one; of each nodule ``radiograph`` (digest), ``size_px``, ``profile`` and the keys
        of ``MEASURES``.
    """
    real = [
        {
            "radiograph": nodule.radiograph,
            "size_px": nodule.side,
            "profile": nodule.profile,
            **nodule.measures,
        }
        for nodule in reference.of_trust()
    ]
    profiles = {"real": real, "synthetic": rows}
    return Fidelity(
        source=reference.source,
        trusts=reference.main,
        nodules=len(real),
        radiographs=len({row["radiograph"] for row in real}),
        real=quantiles(real, list(MEASURES)),
        distances={name: _distance(name, real, rows) for name in MEASURES},
        sizes=_by_size(real, rows),
        profile_half_height={
            kind: half_height_of(np.mean([row["profile"] for row in these], axis=0))
            for kind, these in profiles.items()
        },
        told_apart=_told_apart(real, rows, list(MEASURES)),
        told_apart_without_grain=_told_apart(
            real, rows, [name for name in MEASURES if name not in GRAIN]
        ),
    )


Rows = Sequence[dict[str, Any]]


def _distance(name: str, real: Rows, rows: Rows) -> Distance:
    one, other = (
        sample([row[name] for row in these], [row["radiograph"] for row in these])
        for these in (real, rows)
    )
    return distance(one, other)


def _by_size(real: Rows, rows: Rows) -> dict[str, dict[str, Any]]:
    sizes: dict[str, dict[str, Any]] = {}
    for size in SIZE_NAMES:
        some, others = (
            [row for row in these if size_class(row["size_px"]) == size] for these in (real, rows)
        )
        if not some or not others:
            continue
        sizes[size] = {"nodules": {"real": len(some), "synthetic": len(others)}}
        for name in MEASURES:
            sizes[size][name] = {
                "real": float(np.median([row[name] for row in some])),
                "synthetic": float(np.median([row[name] for row in others])),
                "distance": _distance(name, some, others).value,
            }
    return sizes


def _told_apart(real: Rows, rows: Rows, names: list[str]) -> ToldApart:
    one, other = (
        np.array([[row[name] for name in names] for row in these]) for these in (real, rows)
    )
    return tell_apart(
        one, other, [row["radiograph"] for row in real], [row["radiograph"] for row in rows]
    )
