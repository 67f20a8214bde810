"""Fit the generative model to measured nodules."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from nodegen.errors import SettingError
from nodegen.workers import track
from research.nodule_model.harmonics import orders
from research.nodule_model.measure import SURFACE_DEGREE, Measured, measure
from research.nodule_model.model import (
    FIRST_DENSITY,
    FIRST_SURFACE,
    N_COLUMNS,
    N_SCALARS,
    NoduleModel,
    column_classes,
)
from research.nodule_model.synthesise import render

RADIUS_STEPS = 33  # quantiles of log R
QUANTILE_STEPS = 17  # quantiles of each column
KNOTS = 6  # sizes at which means and spreads are fitted
BANDWIDTH = 0.3  # of log R: nodules within a third of the size weigh in
SHRINKAGE = 1e-3  # towards no correlation; more would part what neighbouring shells share
FEWEST = 20  # nodules; with fewer the local fits are singular
ROUNDS, SIMULATED = 4, 250  # of the correction by simulation
STEP = 0.6, 1.6  # most that a spread is changed in one round
SIMULATION_SEED = 20220214


def fit(
    measured: Sequence[Measured],
    rounds: int = ROUNDS,
    count: int = SIMULATED,
    progress: bool = False,
) -> NoduleModel:
    """Fit the model; deterministic.

    What is measured on a nodule of a few voxels is blurred by the measuring. So the fitted model's
    own nodules are rendered and measured too, and means and spreads are moved until those agree
    with the real ones' (indirect inference).

    Parameters
    ----------
    measured : sequence of Measured
        A hundred or more, for its covariances to mean something; ``FEWEST`` must be.
    rounds : int
        Times that the model is simulated and corrected.
    count : int
        Nodules simulated in each round.
    progress : bool
        Show how far the simulation is.

    Raises
    ------
    SettingError
        Where there are fewer than ``FEWEST`` nodules.
    """
    if len(measured) < FEWEST:
        raise SettingError(
            f"There are {len(measured)} usable nodules, and a model needs {FEWEST} or more: "
            "give more patches."
        )
    model = _direct(measured)
    log_radius, values = _columns(measured)
    odd = column_classes() > 0
    wanted = _by_size(log_radius, values, model.knots, odd)
    for turn in range(rounds):
        simulated = []
        label = f"fit, round {turn + 1} of {rounds}"
        for number in track(range(count), count, label, "nodule", progress):
            rng = np.random.default_rng((SIMULATION_SEED, turn, number))
            volume_hu, mask = render(model.draw(rng, (number + 0.5) / count), rng)
            simulated.append(measure(volume_hu, mask > 0))
        found = _by_size(*_columns(simulated), model.knots, odd)
        shift, ratio = wanted[0] - found[0], wanted[1] / found[1]
        # Density by a straight line over sizes, spreads of the surface by degree, those of density
        # not at all, so that the simulation's own chance does not part one shell from the next.
        line = np.polynomial.Polynomial.fit
        for column in range(FIRST_DENSITY, N_COLUMNS):
            shift[:, column] = line(model.knots, shift[:, column], 1)(model.knots)
        ratio[:, FIRST_DENSITY:] = 1
        for group in _groups():
            ratio[:, group] = np.exp(np.log(ratio[:, group]).mean(axis=1, keepdims=True))
        shift[:, N_SCALARS:FIRST_SURFACE], ratio[:, N_SCALARS:FIRST_SURFACE] = 0, 1
        model = replace(
            model,
            means=model.means + shift,
            spreads=model.spreads * np.clip(ratio, *STEP),
        )
    return model


def _groups() -> list[np.ndarray]:
    """Columns of the surface whose spreads are corrected together: by degree, even or odd.

    Thick slices and the outline's end in the first and last of them stretch and squeeze a nodule
    along the axes, which is even, and add to what was drawn.
    """
    degrees = np.array([l for l, _ in orders(SURFACE_DEGREE)][1:])  # noqa: E741
    odd = column_classes()[FIRST_SURFACE:FIRST_DENSITY] > 0
    groups = [
        FIRST_SURFACE + np.flatnonzero((degrees == one) & (odd == which))
        for one in range(1, SURFACE_DEGREE + 1)
        for which in (False, True)
    ]
    return [group for group in groups if group.size]


def _columns(measured: Sequence[Measured]) -> tuple[np.ndarray, np.ndarray]:
    """Log R, shape (n,), and all columns, (n, N_COLUMNS), irregularities left at 0."""
    values = np.zeros((len(measured), N_COLUMNS))
    values[:, :N_SCALARS] = [one.scalars for one in measured]
    values[:, FIRST_SURFACE:FIRST_DENSITY] = [one.surface for one in measured]
    values[:, FIRST_DENSITY:] = [one.density for one in measured]
    return np.array([one.log_radius for one in measured]), values


def _direct(measured: Sequence[Measured]) -> NoduleModel:
    """Fit the model as if measuring were exact."""
    log_radius, values = _columns(measured)
    classes = column_classes()
    odd = classes > 0

    knots = np.linspace(np.quantile(log_radius, 0.04), np.quantile(log_radius, 0.96), KNOTS)
    means, spreads = _by_size(log_radius, values, knots, odd)
    standard = _standardised(log_radius, values, knots, means, spreads)
    surface, density = odd.copy(), odd.copy()
    surface[FIRST_DENSITY:] = density[:FIRST_DENSITY] = False
    irregular = [np.sqrt((standard[:, which] ** 2).mean(axis=1)) for which in (surface, density)]
    standard[:, surface] /= irregular[0][:, None]
    standard[:, density] /= irregular[1][:, None]
    values[:, N_SCALARS:FIRST_SURFACE] = np.log(irregular).T
    own = slice(N_SCALARS, FIRST_SURFACE)
    means[:, own], spreads[:, own] = (
        table[:, own] for table in _by_size(log_radius, values, knots, odd)
    )
    standard[:, own] = _standardised(log_radius, values, knots, means, spreads)[:, own]

    # Neighbouring shells go together: their joint modes have distributions, not each for itself.
    even = standard[:, ~odd]
    joint = even[:, FIRST_SURFACE:]
    strength, modes = np.linalg.eigh(joint.T @ joint / len(joint))
    modes = modes * np.sqrt(np.maximum(strength, 1e-9))
    even[:, FIRST_SURFACE:] = np.linalg.solve(modes, joint.T).T
    quantiles = np.quantile(even, np.linspace(0, 1, QUANTILE_STEPS), axis=0)
    counts = np.bincount(classes, minlength=8)
    covariances = np.zeros((8, counts.max(), counts.max()))
    for which, count in enumerate(counts):
        block = standard[:, classes == which]
        if which == 0:
            block = ndtri((rankdata(even, axis=0) - 0.5) / len(block))
        covariances[which, :count, :count] = _shrunk(block)
    return NoduleModel(
        np.quantile(log_radius, np.linspace(0, 1, RADIUS_STEPS)),
        knots,
        means,
        spreads,
        modes,
        quantiles,
        covariances,
    )


def _by_size(
    log_radius: np.ndarray, values: np.ndarray, knots: np.ndarray, odd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means (0 where odd) and spreads of each column near each size, by local linear fits."""
    means, spreads = np.empty((2, len(knots), values.shape[1]))
    for row, knot in enumerate(knots):
        offset = log_radius - knot
        weight = np.exp(-0.5 * (offset / BANDWIDTH) ** 2)
        design = np.stack([np.ones_like(offset), offset], axis=1)
        solved = np.linalg.solve(
            design.T @ (weight[:, None] * design), (design * weight[:, None]).T
        )
        line = solved @ values
        line[:, odd] = 0
        residual = values - design @ line
        means[row] = line[0]
        spreads[row] = np.sqrt(np.average(residual**2, axis=0, weights=weight)) + 1e-9
    return means, spreads


def _standardised(
    log_radius: np.ndarray,
    values: np.ndarray,
    knots: np.ndarray,
    means: np.ndarray,
    spreads: np.ndarray,
) -> np.ndarray:
    """Take each nodule's values as spreads about the mean at its size."""
    mean, spread = (
        np.stack([np.interp(log_radius, knots, column) for column in table.T], axis=1)
        for table in (means, spreads)
    )
    return np.asarray((values - mean) / spread)


def _shrunk(block: np.ndarray) -> np.ndarray:
    """Covariance about 0, its correlations drawn towards none."""
    covariance = block.T @ block / len(block)
    return np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance)))
