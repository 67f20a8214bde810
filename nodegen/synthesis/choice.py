"""Choice: which nodule fills a box, how it is turned, and how far it stands out.

All that is random in a box is drawn here, from a stream of its own: it follows from the seed and
from the box's slice and corners, and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nodegen.constants import (
    ALIKE_MOST,
    CANDIDATES_DIVISOR,
    CANDIDATES_DIVISOR_ELSE,
    CANDIDATES_MIN_NODULES,
    CLASSES,
    DETECTOR_BLUR_PX,
    FILL,
    GREY_MAX,
    MARGIN_EXPONENT,
    N0,
    WEIGHT,
)
from nodegen.io.boxes import Box
from nodegen.settings import Settings, parse_contrast, parse_subtlety
from nodegen.synthesis.context import SliceContext
from nodegen.synthesis.contrast import match_contrast
from nodegen.synthesis.contribution import central_disc_of
from nodegen.synthesis.crop import crop_window
from nodegen.synthesis.fit_to_box import fit
from nodegen.synthesis.flags import LIMIT, WHITE
from nodegen.synthesis.library import Library
from nodegen.synthesis.recipe import Recipe, box_stream
from nodegen.synthesis.signal_class import signal_class
from nodegen.synthesis.visibility import LEAST_ROOM, MOST_CONTRAST, as_real, graded
from nodegen.synthesis.water_thickness import relative_density

OTHERS = 3  # nodules drawn besides the first; of them all, the one that fits its box best is taken


@dataclass(frozen=True)
class Draw:
    """The random part of a recipe, before the slice has been looked at."""

    nodule: int
    mirror: bool
    turn_deg: float
    n0: dict[str, int]
    weight: dict[str, float]
    fill: float
    blur_px: float
    noise: int
    others: tuple[int, ...]
    deviate: float
    shares: tuple[float, float]
    margin_exponent: float


def draw(seed: int, box: Box, occurrence: int, library: Library, paper: bool = False) -> Draw:
    """Draw what is random in ``box``.

    Parameters
    ----------
    occurrence : int
        0 for the first box with these corners in this slice, 1 for its first repetition, …
    paper : bool
        Choose the nodule as the baseline does, without an upper bound on its diameter.
    """
    rng = box_stream(seed, box, occurrence)
    candidates = (larger if paper else alike)(library, float(box.side))
    return Draw(
        nodule=int(candidates[rng.integers(len(candidates))]),
        mirror=bool(rng.integers(2)),
        turn_deg=round(float(rng.uniform(0.0, 360.0)), 2),
        n0={k: int(rng.integers(N0[k][0], N0[k][1] + 1)) for k in CLASSES},
        weight={k: round(float(rng.uniform(*WEIGHT[k])), 4) for k in CLASSES},
        fill=round(float(rng.uniform(*FILL)), 4),
        blur_px=round(float(rng.uniform(*DETECTOR_BLUR_PX)), 2),
        noise=int(rng.integers(2**63)),
        others=tuple(int(candidates[i]) for i in rng.integers(len(candidates), size=OTHERS)),
        deviate=float(rng.standard_normal()),
        shares=(float(rng.random()), float(rng.random())),
        margin_exponent=round(float(rng.uniform(*MARGIN_EXPONENT)), 3),
    )


def plan_box(
    context: SliceContext,
    box: Box,
    drawn: Draw,
    library: Library,
    settings: Settings,
    signal: str | None = None,
) -> Recipe:
    """Decide what is drawn into one box.

    The nodule, fitted to its box, stays in ``context`` until it is rendered.

    Parameters
    ----------
    drawn : Draw
        Of the box.
    settings : Settings
        Of which contrast and subtlety count.
    signal : {"hyposignal", "hypersignal"}, optional
        The box's class; None: decided by Otsu.
    """
    slice01 = context.slice01
    signal = signal or signal_class(slice01, box, context.top_threshold)
    recipe = Recipe(
        index=box.index,
        slice=box.slice,
        left=box.left,
        top=box.top,
        right=box.right,
        bottom=box.bottom,
        nodule=drawn.nodule,
        name=library.names[drawn.nodule],
        mirror=drawn.mirror,
        turn_deg=drawn.turn_deg,
        signal=signal,
        n0=drawn.n0[signal],
        weight=drawn.weight[signal],
        contrast_fraction=0.0,
        noise=drawn.noise,
    )
    if settings.contrast == "paper":
        fitted = context.fit(library, recipe)
        background = slice01[box.top : box.bottom, box.left : box.right]
        factor = match_contrast(fitted.contribution[fitted.mask], background, signal)
        return replace(recipe, paper_contrast_factor=round(factor, 4))

    nodules = {index: library[index] for index in (recipe.nodule, *drawn.others)}
    fits = {
        index: fit(nodule, recipe.mirror, recipe.turn_deg, box.height / box.width)
        for index, nodule in nodules.items()
    }
    best = min(fits, key=lambda index: fits[index][0])
    nodule = nodules[best]
    recipe = replace(
        recipe,
        nodule=best,
        name=nodule.name,
        turn_deg=fits[best][1],
        fill=drawn.fill,
        blur_px=drawn.blur_px,
        margin_exponent=drawn.margin_exponent,
    )
    level, deviation = context.surround(box)
    levels, grades = parse_contrast(settings.contrast), parse_subtlety(settings.subtlety)
    if levels is not None:
        low, high = levels
        asked = low * (high / low) ** drawn.shares[1] / GREY_MAX / deviation
    elif grades is not None:
        asked = graded(grades, *drawn.shares)
    else:
        density = relative_density(nodule.plateau, nodule.disc, nodule.step_mm)
        disc = central_disc_of(box, window := crop_window(box, context.shape))
        level = max(level, float(np.median(slice01[window][disc])))
        asked = as_real(box.side, deviation, drawn.deviate, density, level) / deviation
    contrast = asked * deviation
    flags: list[str] = []
    if contrast > MOST_CONTRAST and grades is not None:
        contrast = MOST_CONTRAST
        flags.append(LIMIT)
    # No brighter than white: what a bright place has left is shared by the whole nodule.
    fitted = context.fit(library, recipe)
    most = float(np.percentile(fitted.scaled(1.0).contribution[fitted.mask], 90))
    ground = slice01[fitted.window][fitted.mask]
    left = max(1.0 - float(np.percentile(ground, 90)), LEAST_ROOM)
    if contrast * most > left:
        contrast = left / most
        flags.append(WHITE)
    return replace(
        recipe,
        contrast_fraction=round(contrast, 5),
        visibility_asked=round(asked, 4),
        flags=flags,
    )


# --- nodules of like size -------------------------------------------------------------------------


def alike(library: Library, size_px: float) -> np.ndarray:
    """Entries whose diameter is close to a box's size, from which one is to be drawn uniformly.

    The paper's words. The baseline, and :func:`larger`, set no upper bound, so that most of what is
    drawn into a small box is a mass, shrunk. Here the diameter lies between size / 5 and
    ``ALIKE_MOST`` times that; where these are fewer than ``CANDIDATES_MIN_NODULES`` different
    nodules, those nearest in size are taken.

    Parameters
    ----------
    size_px : float
        The box's size, in pixels.

    Returns
    -------
    ndarray of int
        Indices, ascending; never empty.
    """
    wanted_mm = size_px / CANDIDATES_DIVISOR
    diameters_mm = library.diameters_mm
    chosen = np.flatnonzero((diameters_mm > wanted_mm) & (diameters_mm <= ALIKE_MOST * wanted_mm))
    if _enough(library, chosen):
        return chosen
    away = np.abs(np.log(diameters_mm / (wanted_mm * np.sqrt(ALIKE_MOST))))
    return _first_nodules(library, np.argsort(away, kind="stable"))


def larger(library: Library, size_px: float) -> np.ndarray:
    """Entries that may fill a box, from which one is to be drawn uniformly.

    As the baseline: those with diameter > size / 5, or, where none is, > size / 10. For big boxes
    only a few nodules would qualify, and the same ones would come again and again; so where they
    are fewer than ``CANDIDATES_MIN_NODULES`` different nodules, that many of the largest are taken
    (all, of a smaller library). Parameters and result as :func:`alike`.
    """
    diameters_mm = library.diameters_mm
    for divisor in (CANDIDATES_DIVISOR, CANDIDATES_DIVISOR_ELSE):
        chosen = np.flatnonzero(diameters_mm > size_px / divisor)
        if chosen.size:
            break
    if _enough(library, chosen):
        return chosen
    # The chosen ones are the first of the largest.
    return _first_nodules(library, np.argsort(-diameters_mm, kind="stable"))


def _enough(library: Library, chosen: np.ndarray) -> bool:
    return len({library.names[index] for index in chosen}) >= CANDIDATES_MIN_NODULES


def _first_nodules(library: Library, order: np.ndarray) -> np.ndarray:
    """Entries in this order until ``CANDIDATES_MIN_NODULES`` different nodules are complete."""
    kept: list[int] = []
    names: set[str] = set()
    for index in order:
        names.add(library.names[index])
        if len(names) > CANDIDATES_MIN_NODULES:
            break
        kept.append(index)
    return np.sort(np.array(kept, dtype=np.int64))
