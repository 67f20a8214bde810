"""Fit the density of places and the law of sizes to NODE21's boxes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize
from sklearn.mixture import GaussianMixture

from nodegen.errors import TrainingError
from nodegen.io.files import write_text
from nodegen.io.read_box_table import read_box_table
from nodegen.lungs.body import STEP_PX
from nodegen.lungs.fields import Lungs
from nodegen.lungs.frame import Edges, Frame
from nodegen.lungs.prior import CELL_PX, FORMAT, Prior

SIDE_PX = 1024  # of NODE21's images
COMPONENTS = range(4, 15)  # of the mixture, chosen by the Bayesian information criterion
LIMITS = (0.005, 0.995)  # quantiles at which the law of sizes ends
# A box's width over height varies by this much, robustly: a few of NODE21's boxes are slivers.
MAD_TO_SIGMA = 1.4826
LEAST_WEIGHT = 0.01  # of hidden places; its inverse is the greatest


def mean_frame(lungs: list[Lungs]) -> Frame:
    """The mean chest: mean of the edges over radiographs in NODE21's form."""
    right, left = np.array([one.frame for one in lungs]).mean(0)
    return Frame(Edges(*map(float, right)), Edges(*map(float, left)))


def read_places(path: Path) -> pd.DataFrame:
    """Read the boxes of a table in px of NODE21's images, one a row: x, y, width and height.

    Raises
    ------
    TrainingError
        Where the table holds too few boxes to fit a density.
    BoxesError
        Where it cannot be read.
    """
    rows = [
        (image.name, box.x, box.y, box.width, box.height)
        for image in read_box_table(path).images
        for box in image.scaled(SIDE_PX, SIDE_PX)
    ]
    if len(rows) <= max(COMPONENTS):
        raise TrainingError(
            f"{path} holds {len(rows)} boxes, where more than {max(COMPONENTS)} are wanted for a "
            "density; give a larger table."
        )
    return pd.DataFrame(rows, columns=["img_name", "x", "y", "width", "height"])


def fit_places(boxes: pd.DataFrame, chest: Frame, source: str, seed: int = 0) -> dict[str, object]:
    """Fit the laws.

    Parameters
    ----------
    boxes : pandas.DataFrame
        From :func:`read_places`.
    chest : Frame
        Mean frame of the lungs in the boxes' radiographs.
    source : str
        Where the boxes come from.
    seed : int
        Of the mixtures' fits.

    Returns
    -------
    dict
        The content of ``places.json``.
    """
    centres = np.column_stack([boxes.x + boxes.width / 2, boxes.y + boxes.height / 2])
    fits = [
        GaussianMixture(n, random_state=seed, n_init=3, reg_covar=50.0).fit(centres)
        for n in COMPONENTS
    ]
    best = min(fits, key=lambda fit: fit.bic(centres))
    larger = boxes[["width", "height"]].max(axis=1)
    ratio = np.log((boxes.width / boxes.height).to_numpy())
    return {
        "format": FORMAT,
        "source": f"{len(boxes)} boxes of {source}",
        "mean_chest": {
            "right": [round(v, 1) for v in chest.right],
            "left": [round(v, 1) for v in chest.left],
        },
        "weights": [round(float(w), 5) for w in best.weights_ / best.weights_.sum()],
        "means": np.round(best.means_, 1).tolist(),
        "covariances": np.round(best.covariances_, 1).tolist(),
        "log_side": [round(float(np.log(larger).mean()), 4), round(float(np.log(larger).std()), 4)],
        "side_limits": [round(float(v), 1) for v in larger.quantile(LIMITS)],
        "log_ratio": round(float(MAD_TO_SIGMA * np.median(np.abs(ratio - np.median(ratio)))), 4),
    }


def fit_hidden(prior: Prior, radiographs: list[tuple[Lungs, np.ndarray]], share: float) -> float:
    """The weight of hidden places by which they hold a share of the density.

    Parameters
    ----------
    prior : Prior
        The density of places; its own weight of hidden places is not used.
    radiographs : list of (Lungs, numpy.ndarray)
        Lungs and pixels; the share is the mean over them.
    share : float
        Of real nodules, inside the hull of the lungs, that lie in no lung field; 0..1.

    Raises
    ------
    TrainingError
        Where no weight can give that share.
    """
    plain = replace(prior, hidden=1.0)
    held = []
    for lungs, pixels in radiographs:
        places = plain.places(lungs, pixels)
        middle = slice(CELL_PX // STEP_PX // 2, None, CELL_PX // STEP_PX)
        held.append(float(places.density[places.body.hidden[middle, middle]].sum()))
    parts = np.array(held)

    def lacking(weight: float) -> float:
        return float(np.mean(weight * parts / (weight * parts + 1 - parts))) - share

    if not lacking(LEAST_WEIGHT) < 0 < lacking(1 / LEAST_WEIGHT):
        raise TrainingError(
            f"No weight lets {share:g} of the places be hidden; give a share between 0 and 1, such "
            "as 0.16."
        )
    return round(float(optimize.brentq(lacking, LEAST_WEIGHT, 1 / LEAST_WEIGHT)), 2)


def write_places(path: Path, places: dict[str, object]) -> None:
    """Write ``places.json``."""
    write_text(path, json.dumps(places, indent=1) + "\n")
