"""Visibility: how far a nodule stands out, grades of subtlety, and flags of what is noteworthy.

Contrast is what a nodule adds in the mean over the disc of 0.3 sides around its box's centre, grey
levels of 0..4095. Its visibility is the contrast over the spread of the untouched surround: the
standard deviation in the ring of 0.6 to 1.0 sides, less a plane, so that the slope of the heart's
border does not pass for noise. Both are measures that a reader of a radiograph can repeat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from nodegen.constants import GRADES, GREY_MAX
from nodegen.io.boxes import Box, Recipe
from nodegen.lungs.region import Region

DISC = 0.3  # radius of the disc around the centre, in sides
RING = (0.6, 1.0)  # inner and outer radius of the surround, in sides
# Contrast of 94 real nodules in 81 radiographs (`nodegen reference`) is log-normal; smaller ones,
# and in busier places, stand out more: they would not have been found otherwise, nor would one in
# a place darker than its surround, unless it makes up for that. Fitted to quantiles by size of 84
# of them and of 252 places like theirs with nodules drawn in (research/appearance.md).
MEDIAN, SIGMA = 430 / GREY_MAX, 0.25  # of 0..1, at SIDE_PX; standard deviation of the logarithm
SIDE_PX, SIZE_EXPONENT = 57.0, -0.6  # NODE21's median box; of side over it
MADE_UP = 0.7  # share of how much darker the place is
MOST_DARKER = 350 / GREY_MAX  # beyond it the surround is the mediastinum rather than lung
# Below them a nodule is not found, and so has no box. A large nodule is found at less, with the
# root of the side: falling with the side, as detection in noise would, seven of 37 were not seen.
FAINTEST, LEAST_CONTRAST = 1.0, 300 / GREY_MAX  # visibility; contrast in 0..1
FAINTEST_SIDE_PX = 45.0
TYPICAL_SPREAD, SPREAD_EXPONENT = 260 / GREY_MAX, 0.2
HIDDEN_BELOW = 0.5  # visibility: the lower bound of JSRT's faintest grade
MOST_SIGMAS = 2.0  # draws beyond it are held there
TYPICAL_DENSITY, DENSITY_EXPONENT = 0.82, 0.4  # of the library: a denser nodule stands out more
# Of what the surround leaves below white: of seven real nodules on ground brighter than 0.65, nine
# in ten take less.
MOST_OF_ROOM = 0.5
LEAST_SPREAD = 0.02  # of 0..1: of a surround without any structure
MOST_AS_REAL = 820 / GREY_MAX  # of 0..1: what nine in ten of the easiest real nodules stay below
MOST_CONTRAST = 1200 / GREY_MAX  # for a grade: beyond it a nodule glares, whatever its surround
LEAST_MIDDLE = 0.35  # of the brightest: a hollow middle does not raise its wall beyond that
LEAST_ROOM = 0.05  # of 0..1, below white, that a nodule may always take
NEAR = 0.15  # of what was asked: within it, what was got is the same
# Fitted to 94 real nodules (``nodegen reference``): above a level of 0.47, the median in the lung,
# the logarithm of the contrast falls by 2.8 (standard error 0.7) a unit of the surround's level,
# its size and the standard deviation of the surround held.
TYPICAL_LEVEL, LEVEL_SLOPE = 0.47, 2.8  # of 0..1; per 1 of level


def shown(level: np.ndarray | float) -> np.ndarray:
    """Share of a nodule's contrast that ground of a level (0..1) shows; 1 over lung."""
    return np.asarray(np.exp(-LEVEL_SLOPE * np.maximum(np.asarray(level) - TYPICAL_LEVEL, 0.0)))


def grade_of(visibility: float) -> str:
    """JSRT's grade of a visibility; the outermost grades have no outer bound.

    Parameters
    ----------
    visibility : float
        Contrast over the surround's standard deviation, see :func:`surround`.

    Returns
    -------
    str
        A key of ``GRADES``.
    """
    for name, (_, high) in GRADES.items():
        if visibility < high:
            return name
    return next(reversed(GRADES))


def as_real(
    side_px: float,
    spread: float,
    deviate: float,
    density: float,
    level: float = TYPICAL_LEVEL,
    darker: float = 0.0,
) -> float:
    """Contrast as real nodules have it, in 0..1, in a box of ``side_px``.

    Spread and level are those of :func:`surround`, the level that of what the nodule covers where
    it is brighter; ``darker`` is by how much it is below the surround's, or 0. The deviate is
    drawn, standard normal; the density is the nodule's.
    """
    typical = MEDIAN * (side_px / SIDE_PX) ** SIZE_EXPONENT
    typical *= (spread / TYPICAL_SPREAD) ** SPREAD_EXPONENT
    drawn = np.exp(SIGMA * np.clip(deviate, -MOST_SIGMAS, MOST_SIGMAS))
    dense = np.clip(density / TYPICAL_DENSITY, 0.25, 4.0) ** DENSITY_EXPONENT
    faintest = FAINTEST * min(1.0, FAINTEST_SIDE_PX / side_px) ** 0.5
    least = max(LEAST_CONTRAST, faintest * spread) * float(shown(level))
    wanted = float(typical * drawn * dense * shown(level)) + MADE_UP * min(darker, MOST_DARKER)
    # A soft bound, so that what would be fainter does not all end at one visibility.
    most = min(MOST_AS_REAL, max(MOST_OF_ROOM * (1.0 - level), LEAST_ROOM))
    return min(float((wanted**4 + least**4) ** 0.25), most)


def graded(shares: Mapping[str, float], grade_share: float, within_share: float) -> float:
    """Visibility from weights of grades, by two uniform draws: which grade, and where in it.

    Within a grade the logarithm is even.
    """
    names = [name for name in GRADES if shares.get(name, 0) > 0]
    ends = np.cumsum([shares[name] for name in names])
    place = int(np.searchsorted(ends, grade_share * ends[-1], side="right"))
    name = names[min(place, len(names) - 1)]
    low, high = GRADES[name]
    return float(low * (high / low) ** within_share)


def surround(slice01: np.ndarray, box: Box) -> tuple[float, float]:
    """Median, and standard deviation less a plane, of what lies around a box, both in 0..1.

    Parameters
    ----------
    slice01, box : ndarray of shape (row, column), Box
        The untouched slice, in 0..1; black padding does not count.
    """
    side = float(box.side)
    x, y = box.centre
    reach = RING[1] * side
    step = max(1, int(side / 32))  # a thousand pixels say as much as ten thousand
    rows = np.arange(max(int(y - reach), 0), min(int(y + reach) + 1, slice01.shape[0]), step)
    columns = np.arange(max(int(x - reach), 0), min(int(x + reach) + 1, slice01.shape[1]), step)
    down, across = (rows + 0.5 - y)[:, None] / side, (columns + 0.5 - x) / side
    away = down**2 + across**2
    values = slice01[rows[0] : rows[-1] + 1 : step, columns[0] : columns[-1] + 1 : step]
    ring = (away >= RING[0] ** 2) & (away <= RING[1] ** 2) & (values > 0)
    if np.count_nonzero(ring) < 8:
        return TYPICAL_LEVEL, LEAST_SPREAD
    grey = values[ring].astype(np.float64)
    table = np.stack(
        [np.ones(grey.size), *(np.broadcast_to(a, away.shape)[ring] for a in (down, across))]
    )
    fitted = np.linalg.lstsq(table @ table.T, table @ grey, rcond=None)[0]
    return float(np.median(grey)), max(float((grey - fitted @ table).std()), LEAST_SPREAD)


@lru_cache(maxsize=64)
def central_disc(shape: tuple[int, int], row: float, column: float, side: float) -> np.ndarray:
    """The disc in which contrast is measured, as a mask; never empty.

    Parameters
    ----------
    shape : tuple of int
        The mask's, (row, column).
    row, column, side : float
        The box's centre and side, px.
    """
    radius = max(DISC * side, 1.0)
    disc = np.zeros(shape, dtype=bool)
    near = tuple(
        slice(max(int(at - radius), 0), max(int(at + radius) + 1, 0)) for at in (row, column)
    )
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    rows, columns = rows[near[0]], columns[:, near[1]]
    disc[near] = (rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2 <= radius**2
    disc.setflags(write=False)  # it is shared
    return disc


# --- flags ---------------------------------------------------------------------------------------

# A nodule is drawn into every box all the same; whoever reads the recipes may sort these out.
OVERLAP = "overlap"  # another box of the slice shares pixels with it
OFF_BODY = "off body"  # half or more of it shows nothing: air, or the margin of zeros
OFF_LUNG = "off lung"  # half or more of it lies off the lungs, and off what hides parts of them
LIMIT = "limit"  # what was asked is more than any nodule shows
WHITE = "white"  # the place is too bright for what was asked
HIDDEN = "hidden"  # visibility below 0.5: as faint as that place shows a nodule, not to be seen
OFF = "off"  # what was got is more than 15 % off what was asked

# Of the slice's own range: what shows nothing. Of 166 boxes in real radiographs in NODE21's form
# none has more than 0.18 of its pixels there, and the darkest one's median is 0.28.
NOTHING = 1 / 255
SHARE = 0.5  # of the box's pixels
# The lungs' region is the convex hull of both (:mod:`nodegen.lungs.region`): NODE21's nodules lie
# behind the heart and under the diaphragm, too. Of 19 boxes of nodules in NODE21's images none has
# any pixel off it; of 110 that one annotator drew in others, 2 have 0.52 and 0.57 there, the next
# 0.41.
SHARE_OFF_LUNG = 0.5  # of the box's pixels

NAMED = 20  # boxes that a note names
WORDS = {
    OVERLAP: "overlap another box",
    OFF_BODY: "lie off the body",
    OFF_LUNG: "lie off the lungs",
    LIMIT: "ask for more than any nodule shows",
    WHITE: "lie where the radiograph is too bright for what was asked",
    HIDDEN: "are too faint to be seen",
    OFF: "stand out 15 % more or less than asked",
}


def flags_of(box: Box, edges: np.ndarray, slice01: np.ndarray) -> list[str]:
    """The flags of one box in its slice.

    Parameters
    ----------
    box, edges : Box, ndarray of shape (box, 4)
        Top, left, bottom and right of all boxes of the slice, this one's among them, px.
    slice01 : ndarray, shape (row, column)
        In 0..1 of its own range.
    """
    flags = []
    top, left, bottom, right = edges.T
    shared = (left < box.right) & (right > box.left) & (top < box.bottom) & (bottom > box.top)
    if np.count_nonzero(shared) > 1:  # one is the box itself
        flags.append(OVERLAP)
    inside = slice01[box.top : box.bottom, box.left : box.right]
    if float(np.mean(inside <= NOTHING)) >= SHARE:
        flags.append(OFF_BODY)
    return flags


def with_lungs(recipes: Sequence[Recipe], lungs: Region | None) -> list[Recipe]:
    """The recipes of one slice, with the flag of those whose boxes lie off the lungs.

    Parameters
    ----------
    recipes : sequence of Recipe
        Those that lie off the body stay as they are.
    lungs : Region or None
        None where no two lungs are found: no recipe gets the flag.
    """
    flagged = []
    for recipe in recipes:
        box, flags = recipe.box, [flag for flag in recipe.flags if flag != OFF_LUNG]
        if lungs is not None and OFF_BODY not in flags:
            share = lungs.share_off(*box.edges)
            if share >= SHARE_OFF_LUNG:
                flags.insert(flags.count(OVERLAP), OFF_LUNG)
        flagged.append(recipe if flags == recipe.flags else replace(recipe, flags=flags))
    return flagged


def notes_of(recipes: Sequence[Recipe]) -> list[str]:
    """A line for each flag that recipes have, with their boxes, counted from 1 as in the mask.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of all boxes of a stack.

    Returns
    -------
    list of str
        In the order of ``WORDS``; see :func:`note_on`.
    """
    found = {
        what: sorted(recipe.index for recipe in recipes if flag in recipe.flags)
        for flag, what in WORDS.items()
    }
    return [note_on(own, len(recipes), what) for what, own in found.items() if own]


def note_on(indices: Sequence[int], total: int, what: str) -> str:
    """The line that says ``what`` some of the boxes do, and names the first ``NAMED`` of them.

    Parameters
    ----------
    indices, total : sequence of int, int
        Those boxes' indices, from 0, and the number of all boxes.
    what : str
        Such as "overlap another box".
    """
    listed = ", ".join(str(index + 1) for index in indices[:NAMED])
    more = " …" if len(indices) > NAMED else ""
    return f"{len(indices)} of {total} boxes {what}: {listed}{more} (counted from 1)"
