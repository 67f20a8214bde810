"""Where nodules lie and how large they are: a density fitted to NODE21, and boxes drawn from it.

The density is a mixture of normal laws in the lungs' own coordinates (:mod:`.frame`). Those blur
the edge between a lung and what hides it, so places behind the heart, beside the mediastinum and
under the diaphragm have a weight of their own, by which boxes come there as often as real ones do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import special

from nodegen.errors import ModelError, SettingError
from nodegen.io.boxes import Box
from nodegen.lungs.body import STEP_PX, Body
from nodegen.lungs.fields import Lungs
from nodegen.lungs.frame import Edges, Frame, mapped, mm_per_px
from nodegen.schemas import PlacesFile, read_json
from nodegen.settings import MODEL

PRIOR, FORMAT = MODEL / "lungs" / "places.json", "nodegen-places-1"
CELL_PX = 8  # side of the cells in which the density is evaluated
# Chosen, not fitted.
GAP_PX = 8  # that boxes keep from each other
TRIES = 200  # draws of one box before it is given up


@dataclass(frozen=True)
class Prior:
    """The density of places and the law of sizes, in px of the mean chest."""

    mean_chest: Frame
    weights: np.ndarray  # of the mixture, (n,)
    means: np.ndarray  # (n, 2), x before y
    covariances: np.ndarray  # (n, 2, 2)
    log_side: tuple[float, float]  # mean and deviation of the logarithm of a box's larger side
    side_limits: tuple[float, float]  # smallest and largest larger side
    log_ratio: float  # standard deviation of the logarithm of width over height
    hidden: float = 1.0  # weight of places that the lungs' hull holds and the lung fields do not

    @classmethod
    @lru_cache(maxsize=2)
    def load(cls, path: Path | None = None) -> "Prior":
        """Read the fitted law; None: nodegen's own. A ModelError says where it is damaged."""
        _, law = read_json(PlacesFile, path or PRIOR, ModelError, "copy the model anew")
        return cls(
            mean_chest=Frame(Edges(*law.mean_chest["right"]), Edges(*law.mean_chest["left"])),
            weights=np.array(law.weights),
            means=np.array(law.means),
            covariances=np.array(law.covariances),
            log_side=law.log_side,
            side_limits=law.side_limits,
            log_ratio=law.log_ratio,
            hidden=law.hidden,
        )

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Density at points of the mean chest, per px²."""
        points = np.stack([x, y], -1)
        density = np.zeros(points.shape[:-1])
        for weight, mean, law in zip(self.weights, self.means, self.covariances, strict=True):
            away = points - mean
            squares = np.einsum("...i,ij,...j", away, np.linalg.inv(law), away)
            density += weight / (2 * np.pi * np.sqrt(np.linalg.det(law))) * np.exp(-squares / 2)
        return density

    def places(self, lungs: Lungs, pixels: np.ndarray) -> "Places":
        """The places of nodules in one radiograph, by its lungs and its pixels (row, column)."""
        body = Body.of(lungs, pixels)
        rows, columns = body.shape
        y, x = np.mgrid[CELL_PX / 2 : rows : CELL_PX, CELL_PX / 2 : columns : CELL_PX]
        middle = slice(CELL_PX // STEP_PX // 2, None, CELL_PX // STEP_PX)
        allowed = (body.hull & body.shown)[middle, middle]
        u, v, area = mapped(x[allowed], y[allowed], body.frame, self.mean_chest)
        chance = self.at(u, v) * np.maximum(area, 0)
        chance[body.hidden[middle, middle][allowed]] *= self.hidden
        density = np.zeros(x.shape, np.float32)
        density[allowed] = chance / chance.sum()
        return Places(self, body, density)


@dataclass(frozen=True)
class Places:
    """Where nodules lie in one radiograph; computed once, and small."""

    prior: Prior
    body: Body
    # float32, (row / 8, column / 8) rounded up: probability that a centre lies in each cell; sum 1
    density: np.ndarray

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        size_mm: tuple[float, float] | None = None,
        spacing: tuple[float, ...] | None = None,
        beside: Sequence[Box] = (),
    ) -> list[Box]:
        """Draw boxes that keep apart and lie on the body.

        Parameters
        ----------
        count : int
            Boxes wanted; fewer come where there is no room.
        rng : Generator
            Draws sizes, aspects and places.
        size_mm : tuple of float, optional
            Range of the larger side; the law of sizes is cut off there. None: as NODE21's.
        spacing : tuple of float, optional
            The file's pixel size (x, y), mm, see :func:`nodegen.lungs.frame.mm_per_px`.
        beside : sequence of Box
            Boxes that are there already, and that the new ones keep away from.

        Returns
        -------
        list of Box
            In slice 0, numbered after ``beside``.

        Raises
        ------
        SettingError
            Where the range of sizes is none.

        Examples
        --------
        >>> from nodegen.lungs.fields import find_lungs
        >>> from nodegen.io.stack import read_stack
        >>> from nodegen.settings import SAMPLE
        >>> image = read_stack(SAMPLE).pixels[0]
        >>> places = Prior.load().places(find_lungs(image), image)
        >>> len(places.draw(3, np.random.default_rng(1)))
        3
        """
        prior, width = self.prior, self.body.frame.width
        low, high = (side * width / prior.mean_chest.width for side in prior.side_limits)
        if size_mm is not None:
            if not 0 < size_mm[0] <= size_mm[1]:
                raise SettingError(
                    f"The sizes are {size_mm[0]:g} to {size_mm[1]:g} mm; give a range from small "
                    "to large, above 0."
                )
            mm = mm_per_px(self.body.frame, spacing)
            low, high = size_mm[0] / mm, size_mm[1] / mm
        totals = self.density.ravel().cumsum(dtype=np.float64)
        boxes: list[Box] = []
        for _ in range(count):
            larger = self._side(rng, low, high)
            ratio = np.exp(np.clip(rng.normal(0, prior.log_ratio), -0.6, 0.6))
            width, height = larger * min(ratio, 1), larger * min(1 / ratio, 1)
            for _ in range(TRIES):
                cell = int(np.searchsorted(totals, rng.random() * totals[-1]))
                row, column = divmod(min(cell, totals.size - 1), self.density.shape[1])
                x, y = (np.array([column, row]) + rng.random(2)) * CELL_PX
                box = _around(x, y, width, height, len(beside) + len(boxes))
                if self.body.holds(box) and all(
                    box.gap(other) >= GAP_PX for other in (*beside, *boxes)
                ):
                    boxes.append(box)
                    break
        return boxes

    def _side(self, rng: np.random.Generator, low: float, high: float) -> float:
        """Larger side, px: log-normal, cut off at both ends."""
        mean, deviation = self.prior.log_side
        mean += np.log(self.body.frame.width / self.prior.mean_chest.width)
        bounds = (np.log([low, high]) - mean) / deviation
        if bounds[1] - bounds[0] < 1e-9:
            return low
        sign = -1.0 if bounds.sum() > 0 else 1.0  # near 0 shares are finer than near 1
        shares = special.ndtr(sign * bounds)
        drawn = sign * special.ndtri(shares[0] + rng.random() * (shares[1] - shares[0]))
        return float(np.exp(mean + deviation * np.clip(drawn, *bounds)))


def _around(x: float, y: float, width: float, height: float, index: int) -> Box:
    left, top = round(x - width / 2), round(y - height / 2)
    return Box(0, left, top, left + max(round(width), 1), top + max(round(height), 1), index)
