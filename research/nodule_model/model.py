"""The generative model of lung nodules: what is fitted, and one draw from it.

A nodule is its size R, and then, given R, numbers of two kinds. Those that stay the same when the
body is mirrored (sizes of lobes along the axes, density shell by shell, texture, how irregular it
is) have each their own distribution and are tied by a Gaussian copula. Those that change sign are
Gaussian about 0, with covariances of their own for each way of changing sign, times the nodule's
irregularity. Nothing of a single nodule is kept: means, spreads, quantiles and covariances only.
"""

import io
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from nodegen.errors import LibraryError
from nodegen.io.files import write_bytes
from research.nodule_model.measure import N_DENSITY, N_SURFACE, SCALARS, Measured, column_parities

PARAMETERS = "parameters.npz"
FITTED = Path(__file__).with_name(PARAMETERS)  # to the organisers' CT nodules
IRREGULARITIES = ("log_surface_irregularity", "log_density_irregularity")
N_SCALARS = len(SCALARS)
N_COLUMNS = N_SCALARS + len(IRREGULARITIES) + N_SURFACE + N_DENSITY
FIRST_SURFACE = N_SCALARS + len(IRREGULARITIES)
FIRST_DENSITY = FIRST_SURFACE + N_SURFACE


def column_classes() -> np.ndarray:
    """Class 0..7 of each column: the axes in which it is odd, as bits; 0 stays as it is."""
    surface, density = column_parities()
    bits = np.array([1, 2, 4])
    return np.concatenate([np.zeros(FIRST_SURFACE, dtype=int), surface @ bits, density @ bits])


@dataclass(frozen=True)
class NoduleModel:
    """Fitted parameters; arrays of float64.

    Columns are ``SCALARS``, ``IRREGULARITIES``, surface and density, as :class:`Measured` has them.
    """

    radius_quantiles: np.ndarray  # (q,): log R, at even steps of probability from 0 to 1
    knots: np.ndarray  # (k,): log R at which means and spreads are given, ascending
    means: np.ndarray  # (k, N_COLUMNS)
    spreads: np.ndarray  # (k, N_COLUMNS)
    modes: np.ndarray  # (m, m): scores to class 0's surface and density, (value - mean) / spread
    quantiles: np.ndarray  # (p, N of class 0): of (value - mean) / spread, then of scores
    covariances: np.ndarray  # (8, widest, widest): of each class, columns in order, padded with 0

    def draw(self, rng: np.random.Generator, share: float | None = None) -> Measured:
        """Draw one nodule's numbers.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws the numbers, and the share where none is given.
        share : float, optional
            Of nodules that are smaller, 0..1; drawn where it is not given.
        """
        classes = column_classes()
        share = rng.random() if share is None else share
        log_radius = _from_quantiles(self.radius_quantiles, share)
        mean, spread = self.at(log_radius)
        values = np.empty(N_COLUMNS)
        for which in range(8):
            columns = np.flatnonzero(classes == which)
            covariance = self.covariances[which, : len(columns), : len(columns)]
            normal = np.linalg.cholesky(covariance) @ rng.standard_normal(len(columns))
            if which == 0:
                shares = ndtr(normal)
                tables = zip(self.quantiles.T, shares, strict=True)
                normal = np.array([_from_quantiles(table, share) for table, share in tables])
                normal[FIRST_SURFACE:] = self.modes @ normal[FIRST_SURFACE:]
            values[columns] = normal
        values *= spread
        surface, density = np.exp((mean + values)[N_SCALARS:FIRST_SURFACE])
        odd = classes > 0
        values[FIRST_SURFACE:FIRST_DENSITY][odd[FIRST_SURFACE:FIRST_DENSITY]] *= surface
        values[FIRST_DENSITY:][odd[FIRST_DENSITY:]] *= density
        values += mean
        return Measured(
            float(log_radius),
            values[:N_SCALARS],
            values[FIRST_SURFACE:FIRST_DENSITY],
            values[FIRST_DENSITY:],
        )

    def at(self, log_radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Means and spreads of all columns at one size."""
        place = np.interp(log_radius, self.knots, np.arange(len(self.knots)))
        low = min(int(place), len(self.knots) - 2)
        share = place - low
        mean, spread = (
            (1 - share) * table[low] + share * table[low + 1]
            for table in (self.means, self.spreads)
        )
        return mean, spread

    def save(self, path: Path) -> None:
        """Write the parameters as plain arrays (no pickles), float32."""
        stream = io.BytesIO()
        np.savez_compressed(
            stream, **{field.name: getattr(self, field.name).astype("f4") for field in fields(self)}
        )
        write_bytes(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> "NoduleModel":
        """Read what :meth:`save` wrote.

        Raises
        ------
        LibraryError
            Where the file is missing, damaged, or of another version of the model.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                model = cls(**{f.name: arrays[f.name].astype(np.float64) for f in fields(cls)})
            model._check()
        except Exception as error:  # zip, numpy and the system each have their own
            raise LibraryError(
                f"The nodule model {path} cannot be read ({error}): "
                "fit it again with `python -m research.nodule_model fit`."
            ) from None
        return model

    def _check(self) -> None:
        """Raise ValueError where arrays do not fit each other, or hold what is no number."""
        even = int((column_classes() == 0).sum())
        knots, shared = len(self.knots), even - FIRST_SURFACE
        wanted = {
            "means": (knots, N_COLUMNS),
            "spreads": (knots, N_COLUMNS),
            "modes": (shared, shared),
            "quantiles": (len(self.quantiles), even),
            "covariances": (8, *self.covariances.shape[-1:] * 2),
        }
        for field in fields(self):
            array = getattr(self, field.name)
            if array.shape != wanted.get(field.name, (array.size,)):
                raise ValueError(f"{field.name} has shape {array.shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{field.name} holds what is no number")
        if min(knots, len(self.radius_quantiles), len(self.quantiles)) < 2:
            raise ValueError("too few knots or quantiles")
        if self.covariances.shape[-1] != np.bincount(column_classes()).max():
            raise ValueError(f"covariances has shape {self.covariances.shape}")


def _from_quantiles(table: np.ndarray, share: float) -> float:
    """Value below which a share (0..1) lies, by linear interpolation."""
    return float(np.interp(share * (len(table) - 1), np.arange(len(table)), table))
