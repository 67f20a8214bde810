"""One slice and what belongs to it: each part is computed once, when it is first needed.

Its own range in 0..1, in which the method works, and the way to the grey levels that are written;
Otsu's threshold, by which a box's background is hyposignal or hypersignal (4-class Otsu, paper
section 2); and its lungs.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from nodegen.constants import CHALLENGE_MAX
from nodegen.io.boxes import Box, Recipe
from nodegen.io.library import Library
from nodegen.lungs.region import Region, find_region
from nodegen.synthesis.contribution import FittedNodule, fit_nodule
from nodegen.synthesis.visibility import surround

OTSU_CLASSES = 4
OTSU_BINS = 256  # scikit-image's default, and the baseline's 8 bit
OTSU_SIDE = 512  # at least so many pixels a side, evenly spaced, say as much as all
HYPERSIGNAL_SHARE = 0.5  # of the box's pixels above the top threshold ("a majority")
BAND_ROWS = 64  # at a time, so that what lies between stays in the processor's cache
_HALF = np.finfo(np.float64).max / 4  # beyond it, a difference of two numbers may overflow


class SliceContext:
    """A slice of a stack while nodules are planned and rendered in it.

    Parameters
    ----------
    untouched : ndarray, shape (row, column)
        Any pixel type; not to be written to.
    """

    def __init__(self, untouched: np.ndarray):
        self.untouched = untouched
        self.shape = untouched.shape
        self._fitted: dict[tuple[object, ...], FittedNodule] = {}
        self._surrounds: dict[Box, tuple[float, float]] = {}

    @cached_property
    def slice01(self) -> np.ndarray:
        """The untouched slice in 0..1 of its own range, float32; not to be written to."""
        return to_unit(self.untouched)

    @cached_property
    def top_threshold(self) -> float:
        """Otsu's threshold from which on a pixel belongs to the brightest class, in 0..1."""
        return top_threshold(self.slice01)

    @cached_property
    def lungs(self) -> Region | None:
        """The lungs and what heart and diaphragm hide of them; None where no two are found."""
        return find_region(self.slice01)

    def surround(self, box: Box) -> tuple[float, float]:
        """Level and standard deviation around a box; see :func:`.visibility.surround`."""
        if box not in self._surrounds:
            self._surrounds[box] = surround(self.slice01, box)
        return self._surrounds[box]

    def fit(self, library: Library, recipe: Recipe) -> FittedNodule:
        """The recipe's nodule, fitted to its box; kept from planning to rendering, then dropped."""
        key = (
            *(recipe.box, recipe.nodule, recipe.mirror, recipe.turn_deg),
            *(recipe.fill, recipe.blur_px, recipe.margin_exponent),
            *(tuple(recipe.lobes), tuple(recipe.strands), tuple(recipe.satellites)),
        )
        if key in self._fitted:
            return self._fitted.pop(key)
        self._fitted[key] = fit_nodule(library[recipe.nodule], recipe, self.shape)
        return self._fitted[key]


# --- grey levels ---------------------------------------------------------------------------------


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """Map a slice's own minimum and maximum to 0..1, float32; a flat slice becomes 0.

    Parameters
    ----------
    pixels : ndarray, shape (row, column)
        Of any pixel type, over all of its range.
    """
    low, high = float(pixels.min()), float(pixels.max())
    if not high > low or not _narrow(pixels.dtype):
        return rescale(pixels, low, high, 1.0)
    unit = np.empty(pixels.shape, np.float32)
    for rows in bands(len(unit)):
        unit[rows] = pixels[rows]
        unit[rows] -= low
        unit[rows] /= high - low
    return unit


def bands(rows: int) -> Iterator[slice]:
    """Rows of an image, ``BAND_ROWS`` at a time."""
    return (slice(top, top + BAND_ROWS) for top in range(0, rows, BAND_ROWS))


def rescale(pixels: np.ndarray, low: float, high: float, top: float) -> np.ndarray:
    """Map grey levels to float32, in double precision; an empty range gives 0.

    Parameters
    ----------
    pixels : ndarray
        Of any shape and pixel type.
    low, high, top : float
        What becomes 0 and ``top``; pixels beyond go beyond.
    """
    if not high > low:
        return np.zeros(pixels.shape, dtype=np.float32)
    wide = pixels.astype(np.float64)
    if max(abs(low), abs(high), float(np.abs(wide).max(initial=0))) > _HALF:
        wide *= 0.25  # the range itself would overflow
        low, high = 0.25 * low, 0.25 * high
    wide -= low
    wide /= high - low
    wide *= top
    return wide.astype(np.float32)


def _narrow(dtype: np.dtype) -> bool:
    """Whether single precision holds every value of a pixel type."""
    return dtype.kind in "iu" and dtype.itemsize <= 2


def to_output(context: SliceContext, slice01: np.ndarray, intensity: str) -> np.ndarray:
    """Bring a slice to the grey scale of the output.

    Parameters
    ----------
    context : SliceContext
        Of the slice as it was read.
    slice01 : ndarray, shape (row, column)
        What became of it, in 0..1 of its own range.
    intensity : {"challenge", "input"}
        uint8 0..255; or pixel type and grey scale of the untouched slice, where a pixel that
        nothing changed keeps its value, bit for bit.
    """
    untouched = context.untouched
    limits = float(untouched.min()), float(untouched.max())
    output = np.empty(slice01.shape, np.uint8 if intensity == "challenge" else untouched.dtype)
    for rows in bands(len(output)):
        if intensity == "challenge":
            output[rows] = np.rint(slice01[rows] * np.float32(CHALLENGE_MAX))
        else:
            change = slice01[rows] - context.slice01[rows]
            output[rows] = _changed(untouched[rows], change, *limits)
    return output


def _changed(untouched: np.ndarray, change: np.ndarray, low: float, high: float) -> np.ndarray:
    """Add a change in 0..1 of the range to pixels, in their own type and grey scale."""
    if not change.any():
        return untouched
    wide = np.dtype(np.float32 if _narrow(untouched.dtype) else np.float64)
    output = untouched.astype(wide)
    change = change.astype(wide, copy=False)
    if max(high, -low) > _HALF:  # in two steps, neither of which overflows
        with np.errstate(over="ignore"):  # what lies beyond the range is clipped in any case
            output += change * (0.5 * high - 0.5 * low)
            np.clip(output, low, high, out=output)
            output += change * (0.5 * high - 0.5 * low)
    else:
        output += change * (high - low)
    np.clip(output, low, high, out=output)
    if np.issubdtype(untouched.dtype, np.integer):
        np.rint(output, out=output)
    return np.where(change != 0, output, untouched)


# --- signal class --------------------------------------------------------------------------------


def top_threshold(slice01: np.ndarray) -> float:
    """Top threshold of a slice (row, column), from which on a pixel belongs to its brightest class.

    All in 0..1; infinite where the slice has too few grey levels to part them into four classes.
    """
    step = max(1, min(slice01.shape) // OTSU_SIDE)
    # A slice in 0..1 needs no search for its bins: truncation to the bin's number is enough.
    bins = np.minimum(slice01[::step, ::step] * np.float32(OTSU_BINS), OTSU_BINS - 1)
    counts = np.bincount(bins.astype(np.uint8).ravel(), minlength=OTSU_BINS)
    if np.count_nonzero(counts) < OTSU_CLASSES:
        return float("inf")
    # The threshold is the last bin of its class: all of that bin lies below it.
    return (last_bins(counts, OTSU_CLASSES)[-1] + 1) / OTSU_BINS


def last_bins(counts: np.ndarray, classes: int) -> list[int]:
    """Part a histogram by Otsu's method: the last bin of every class but the top one.

    The classes are those whose between-class variance is the largest.
    ``skimage.filters.threshold_multiotsu`` seeks them by trying all partings, in single precision,
    and so may miss them by a hair. Here the best parting of the first bins into n classes is made
    from those into n - 1: exact, in a fifth of the time. As many bins as classes hold something.
    """
    share = counts / counts.sum()
    weight = np.append(0, np.cumsum(share))
    moment = np.append(0, np.cumsum(share * np.arange(len(counts))))
    # Of a class from bin j up to, not including, bin i: its weight times its mean squared.
    mass = weight[:, None] - weight
    held, bins = np.zeros_like(mass), np.arange(len(mass))
    np.divide((moment[:, None] - moment) ** 2, mass, out=held, where=mass > 0)
    held[bins[:, None] <= bins] = -np.inf
    best, cuts = held[:, 0], []
    for _ in range(classes - 1):
        total = best + held
        cuts.append(total.argmax(axis=1))
        best = total[bins, cuts[-1]]
    ends = [len(counts)]
    for cut in reversed(cuts):
        ends.append(int(cut[ends[-1]]))
    return [end - 1 for end in ends[:0:-1]]


def signal_class(slice01: np.ndarray, box: Box, threshold: float) -> str:
    """``"hypersignal"`` where at least half of the box lies above the top threshold."""
    inside = slice01[box.top : box.bottom, box.left : box.right]
    # At the threshold begins the top class's first bin.
    bright = float(np.mean(inside >= threshold))
    return "hypersignal" if bright >= HYPERSIGNAL_SHARE else "hyposignal"
