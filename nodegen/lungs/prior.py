"""Where nodules lie and how large they are: a density fitted to NODE21, and boxes drawn from it.

The density is a mixture of normal laws in the lungs' own coordinates (:mod:`.frame`). Those blur
the edge between a lung and what hides it, so places behind the heart, beside the mediastinum and
under the diaphragm have a weight of their own, by which boxes come there as often as real ones do.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage, stats

from nodegen.errors import ModelError, SettingError
from nodegen.io.boxes import Box
from nodegen.lungs.fields import Edges, Lungs
from nodegen.lungs.frame import Frame, mapped, mm_per_px
from nodegen.lungs.region import hull as hull_of
from nodegen.settings import MODEL

PRIOR, FORMAT = MODEL / "lungs" / "places.json", "nodegen-places-1"
CELL_PX = 8  # side of the cells in which the density is evaluated
# Chosen, not fitted, but for BODY_SHARE.
GAP_PX = 8  # that boxes keep from each other
TRIES = 200  # draws of one box before it is given up
SHOWN_SHARE = 0.98  # of a box that must lie on what was exposed
BODY_SHARE = 0.7  # of a box that must lie in the hull of the lungs; NODE21's reach over the ribs
PADDING_LEVELS = 0.01  # of the grey range above the darkest level that still is no body


@dataclass(frozen=True)
class Prior:
    """The density of places and the law of sizes.

    Attributes
    ----------
    mean_chest : Frame
        The lungs' frame in which `means` and `covariances` are told, px.
    weights, means, covariances : numpy.ndarray, shapes (n,), (n, 2), (n, 2, 2)
        Of the mixture; x before y.
    log_side : tuple of float
        Mean and standard deviation of the natural logarithm of a box's larger side, px of the mean
        chest.
    side_limits : tuple of float
        Smallest and largest larger side, px of the mean chest.
    log_ratio : float
        Standard deviation of the logarithm of width over height.
    hidden : float
        Weight of places that the lungs' hull holds and the lung fields do not.
    """

    mean_chest: Frame
    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    log_side: tuple[float, float]
    side_limits: tuple[float, float]
    log_ratio: float
    hidden: float = 1.0

    @classmethod
    def load(cls, path: Path | None = None) -> "Prior":
        """Read the fitted law; None: the one that nodegen ships.

        Raises
        ------
        ModelError
            Where the file is missing or malformed.
        """
        return _loaded(path or PRIOR)

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Density at points of the mean chest, per px²."""
        points = np.stack([x, y], -1)
        laws = zip(self.weights, self.means, self.covariances, strict=True)
        return np.asarray(sum(w * stats.multivariate_normal(m, c).pdf(points) for w, m, c in laws))

    def density(self, lungs: Lungs, pixels: np.ndarray) -> np.ndarray:
        """Probability that a nodule's centre lies in each cell of 8 × 8 px.

        Parameters
        ----------
        pixels : numpy.ndarray, shape (row, column)
            The radiograph, whose padding is left out.

        Returns
        -------
        numpy.ndarray, shape (row / 8, column / 8), rounded up
            Sums to 1.
        """
        rows, columns = lungs.labels.shape
        y, x = np.mgrid[CELL_PX / 2 : rows : CELL_PX, CELL_PX / 2 : columns : CELL_PX]
        u, v, area = mapped(x.ravel(), y.ravel(), Frame.of(lungs), self.mean_chest)
        chance = (self.at(u, v) * np.maximum(area, 0)).reshape(x.shape)
        here = y.astype(int), x.astype(int)
        body = hull(lungs)
        chance[is_hidden(lungs, body)[here]] *= self.hidden
        chance[~(body & shown(pixels))[here]] = 0
        made: np.ndarray = chance / chance.sum()
        return made

    def draw(
        self,
        lungs: Lungs,
        pixels: np.ndarray,
        count: int,
        rng: np.random.Generator,
        size_mm: tuple[float, float] | None = None,
        spacing: tuple[float, ...] | None = None,
        beside: Sequence[Box] = (),
    ) -> list[Box]:
        """Draw boxes that keep apart and lie on the body.

        Parameters
        ----------
        lungs : Lungs
            Of the radiograph.
        pixels : numpy.ndarray, shape (row, column)
        count : int
            Boxes wanted; fewer come where there is no room.
        rng : numpy.random.Generator
        size_mm : tuple of float, optional
            Range of the larger side; the law of sizes is cut off there. None: as NODE21's.
        spacing : tuple of float, optional
            The file's pixel size, see :func:`nodegen.lungs.frame.mm_per_px`.

        beside : sequence of Box
            Boxes that are there already, and that the new ones keep away from.

        Raises
        ------
        SettingError
            Where the range of sizes is none.

        Examples
        --------
        >>> from nodegen.phantom.anatomy import draw_anatomy
        >>> from nodegen.phantom.fields import lung_fields
        >>> from nodegen.phantom.render import radiograph
        >>> anatomy = draw_anatomy(np.random.default_rng(0))
        >>> lungs = Lungs(lung_fields(anatomy), 1.0)
        >>> len(Prior.load().draw(lungs, radiograph(anatomy), 3, np.random.default_rng(1)))
        3
        """
        frame = Frame.of(lungs)
        mm = mm_per_px(frame, spacing)
        low, high = (side * frame.width / self.mean_chest.width for side in self.side_limits)
        if size_mm is not None:
            if not 0 < size_mm[0] <= size_mm[1]:
                raise SettingError(
                    f"The sizes are {size_mm[0]:g} to {size_mm[1]:g} mm; give a range from small "
                    "to large, above 0."
                )
            low, high = size_mm[0] / mm, size_mm[1] / mm
        chance = self.density(lungs, pixels)
        totals = chance.ravel().cumsum()
        allowed = Allowed.of(lungs, pixels)
        boxes: list[Box] = []
        for _ in range(count):
            larger = self._side(rng, low, high, frame)
            ratio = np.exp(np.clip(rng.normal(0, self.log_ratio), -0.6, 0.6))
            width, height = larger * min(ratio, 1), larger * min(1 / ratio, 1)
            for _ in range(TRIES):
                cell = int(np.searchsorted(totals, rng.random() * totals[-1]))
                row, column = divmod(min(cell, chance.size - 1), chance.shape[1])
                x, y = (np.array([column, row]) + rng.random(2)) * CELL_PX
                box = _around(x, y, width, height, len(beside) + len(boxes))
                if allowed.holds(box) and all(
                    box.gap(other) >= GAP_PX for other in (*beside, *boxes)
                ):
                    boxes.append(box)
                    break
        return boxes

    def _side(self, rng: np.random.Generator, low: float, high: float, frame: Frame) -> float:
        """Larger side, px: log-normal, cut off at both ends."""
        mean = self.log_side[0] + np.log(frame.width / self.mean_chest.width)
        bounds = (np.log([low, high]) - mean) / self.log_side[1]
        if bounds[1] - bounds[0] < 1e-9:
            return low
        drawn = stats.truncnorm.ppf(rng.random(), *bounds)
        return float(np.exp(mean + self.log_side[1] * np.clip(drawn, *bounds)))


def hull(lungs: Lungs) -> np.ndarray:
    """Mask of the convex hull of both lungs: lung, and what heart and diaphragm hide of it."""
    step = 4  # a coarse hull is as good, and quick
    coarse = hull_of(lungs.labels[::step, ::step] > 0)
    whole = np.repeat(np.repeat(coarse, step, 0), step, 1)
    return np.asarray(whole[: lungs.labels.shape[0], : lungs.labels.shape[1]])


def is_hidden(lungs: Lungs, body: np.ndarray) -> np.ndarray:
    """Mask of what the hull holds and the lung fields do not."""
    return np.asarray(body & (lungs.labels == 0))


def shown(pixels: np.ndarray) -> np.ndarray:
    """Mask of what is no padding: darkest pixels that hang together with the image's border."""
    low, high = float(pixels.min()), float(pixels.max())
    blank = pixels <= low + PADDING_LEVELS * (high - low)
    parts, _ = ndimage.label(np.pad(blank, 1, constant_values=True))
    return np.asarray(parts[1:-1, 1:-1] != parts[0, 0])


@dataclass(frozen=True)
class Allowed:
    """Sums over the masks that a box must lie on, so that any box is judged at once."""

    body: np.ndarray
    exposed: np.ndarray

    @classmethod
    def of(cls, lungs: Lungs, pixels: np.ndarray) -> "Allowed":
        """The masks of one radiograph."""
        return cls(_summed(hull(lungs)), _summed(shown(pixels)))

    def holds(self, box: Box) -> bool:
        """Whether the box lies inside the image, on the body, and off the padding."""
        rows, columns = (length - 1 for length in self.body.shape)
        if box.left < 0 or box.top < 0 or box.right > columns or box.bottom > rows:
            return False
        area = box.width * box.height
        return bool(
            _count(self.body, box) >= BODY_SHARE * area
            and _count(self.exposed, box) >= SHOWN_SHARE * area
        )


def _summed(mask: np.ndarray) -> np.ndarray:
    return (
        np.pad(mask.astype(np.int32), ((1, 0), (1, 0)))
        .cumsum(0, dtype=np.int32)
        .cumsum(1, dtype=np.int32)
    )


def _count(sums: np.ndarray, box: Box) -> int:
    return int(
        sums[box.bottom, box.right]
        - sums[box.top, box.right]
        - sums[box.bottom, box.left]
        + sums[box.top, box.left]
    )


def _around(x: float, y: float, width: float, height: float, index: int) -> Box:
    left, top = round(x - width / 2), round(y - height / 2)
    return Box(0, left, top, left + max(round(width), 1), top + max(round(height), 1), index)


@lru_cache(maxsize=2)
def _loaded(path: Path) -> Prior:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"its form is {content['format']!r}")
        chest = content["mean_chest"]
        return Prior(
            mean_chest=Frame(Edges(*chest["right"]), Edges(*chest["left"])),
            weights=np.array(content["weights"]),
            means=np.array(content["means"]),
            covariances=np.array(content["covariances"]),
            log_side=(float(content["log_side"][0]), float(content["log_side"][1])),
            side_limits=(float(content["side_limits"][0]), float(content["side_limits"][1])),
            log_ratio=float(content["log_ratio"]),
            hidden=float(content.get("hidden", 1.0)),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(
            f"The density of places {path} cannot be read ({error}); copy the model anew."
        ) from error
