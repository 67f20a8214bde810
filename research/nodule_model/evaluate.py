"""Hold synthetic nodules against real ones that the model has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nodegen.io.library import Nodule
from nodegen.workers import track
from research.nodule_model.features import FEATURES, appearance, features, projected
from research.nodule_model.fit import ROUNDS, fit
from research.nodule_model.measure import Measured
from research.nodule_model.synthesise import synthesise

FOLDS = 5
TREES = 400
TELLING = 3  # features reported
NEAR, MIDDLE = 5, 50  # percentiles of distances reported


@dataclass(frozen=True)
class Evaluation:
    """Synthetic nodules against as many real ones that the model was not fitted to."""

    real: int
    synthetic: int
    auc: dict[str, float]  # of each classifier; 0.5: cannot tell
    telling: dict[str, float]  # the features that tell most, each by itself: AUC, 0.5 to 1
    ks: float  # largest distance between the distributions of diameters
    ks_p: float
    nearest_synthetic: tuple[float, float]  # to the nearest fitted nodule, at NEAR and MIDDLE
    nearest_real: tuple[float, float]  # the same of the real ones

    def lines(self) -> list[str]:
        """Say it in words."""
        tells = ", ".join(f"{name} {auc:.2f}" for name, auc in self.telling.items())
        near, middle = (
            f"{synthetic:.3f} (real {real:.3f})"
            for synthetic, real in zip(self.nearest_synthetic, self.nearest_real, strict=True)
        )
        return [
            f"{self.synthetic} synthetic against {self.real} held-out real nodules",
            "AUC " + ", ".join(f"{name} {auc:.3f}" for name, auc in self.auc.items())
            + f"; tells most: {tells}",
            f"diameters: KS {self.ks:.3f}, p {self.ks_p:.2f}",
            f"distance to the nearest fitted nodule: {NEAR} % {near}, {MIDDLE} % {middle}",
        ]  # fmt: skip


def held_out(
    measured: Sequence[Measured],
    nodules: Sequence[Nodule | None],
    rounds: int = ROUNDS,
    seed: int = 0,
    progress: bool = False,
) -> list[Evaluation]:
    """Fit to every other nodule and compare with the rest, then the other way round.

    Parameters
    ----------
    measured : sequence of Measured
        Real nodules: their radius, surface and density (HU) in numbers.
    nodules : sequence of Nodule or None
        The projection of each along the baseline's axis; None where it is constant.
    rounds : int
        Of the fits; see :func:`research.nodule_model.fit.fit`.
    seed : int
        Of the synthetic nodules.
    progress : bool
        Show how far it is.

    Returns
    -------
    list of Evaluation
        One for each half.
    """
    done = []
    for first in (0, 1):
        model = fit(measured[first::2], rounds, progress=progress)
        fitted, rest = ([n for n in nodules[k::2] if n is not None] for k in (first, 1 - first))
        drawn = []
        nodules_drawn = synthesise(model, len(rest), seed)
        for one in track(nodules_drawn, len(rest), "draw", "nodule", progress):
            drawn.append(projected(one.volume_hu, one.mask))
        done.append(compare([nodule for nodule in drawn if nodule], rest, fitted))
    return done


def compare(
    synthetic: Sequence[Nodule], real: Sequence[Nodule], fitted: Sequence[Nodule]
) -> Evaluation:
    """Compare synthetic nodules with real ones, and both with those that the model knows.

    Parameters
    ----------
    synthetic, real, fitted : sequence of Nodule
        ``fitted`` are those to which the model was fitted, and ``real`` others.
    """
    table, other = (np.array([features(n) for n in group]) for group in (real, synthetic))
    label = np.repeat([0, 1], [len(real), len(synthetic)])
    single = {
        name: float(roc_auc_score(label, np.concatenate([a, b])))
        for name, a, b in zip(FEATURES, table.T, other.T, strict=True)
    }
    telling = sorted(single.items(), key=lambda item: -abs(item[1] - 0.5))[:TELLING]
    ks = ks_2samp([n.diameter_mm for n in real], [n.diameter_mm for n in synthetic])
    return Evaluation(
        real=len(real),
        synthetic=len(synthetic),
        auc=separability(table, other),
        telling={name: max(auc, 1 - auc) for name, auc in telling},
        ks=float(ks.statistic),
        ks_p=float(ks.pvalue),
        nearest_synthetic=_nearest(synthetic, fitted),
        nearest_real=_nearest(real, fitted),
    )


def separability(real: np.ndarray, synthetic: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Cross-validated AUC of classifiers that tell synthetic from real by their features.

    Parameters
    ----------
    real, synthetic : ndarray, shape (n, len(FEATURES))
        Features of nodules, one nodule a row.
    seed : int
        Of folds and forest.
    """
    both = np.vstack([real, synthetic])
    label = np.repeat([0, 1], [len(real), len(synthetic)])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    classifiers = {
        "logistic": make_pipeline(
            StandardScaler(), LogisticRegression(C=0.3, max_iter=2000, class_weight="balanced")
        ),
        "forest": RandomForestClassifier(
            TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed
        ),
    }
    return {
        name: float(
            roc_auc_score(
                label, cross_val_predict(one, both, label, cv=folds, method="predict_proba")[:, 1]
            )
        )
        for name, one in classifiers.items()
    }


def _nearest(nodules: Sequence[Nodule], others: Sequence[Nodule]) -> tuple[float, float]:
    """Percentiles of the RMS difference in grey (0..1) to the nearest other, mirrored or not."""
    looks, known = (np.array([appearance(n) for n in group]) for group in (nodules, others))
    mirrored = (known[:, ::up, ::across] for up in (1, -1) for across in (1, -1))
    flat = np.concatenate(list(mirrored)).reshape(4 * len(known), -1)
    nearest = [np.sqrt(((flat - look.ravel()) ** 2).mean(axis=1).min()) for look in looks]
    near, middle = np.percentile(nearest, (NEAR, MIDDLE))
    return float(near), float(middle)
