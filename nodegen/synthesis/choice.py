"""Choice: which nodule fills a box, how it is turned, and how far it stands out.

All that is random in a box is drawn here, from a stream of its own: it follows from the seed and
from the box's slice and corners, and from nothing else.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from nodegen.constants import BOX_STREAM, CLASSES, GREY_MAX, N0, WEIGHT
from nodegen.io.boxes import Box, Recipe, position
from nodegen.io.image import hash_of
from nodegen.io.library import Library
from nodegen.schemas import Satellite, Strand
from nodegen.settings import Settings
from nodegen.synthesis.context import SliceContext, signal_class
from nodegen.synthesis.contribution import central_disc_of
from nodegen.synthesis.fit_to_box import corners, crop_window, fit
from nodegen.synthesis.projection import match_contrast
from nodegen.synthesis.surroundings import draw_surroundings
from nodegen.synthesis.visibility import (
    LEAST_ROOM,
    LIMIT,
    MOST_CONTRAST,
    WHITE,
    as_real,
    graded,
    shown,
)

CANDIDATES_DIVISOR = 5.0  # a nodule may fill a box where its diameter > size / 5 (baseline)
CANDIDATES_DIVISOR_ELSE = 10.0  # where there is none: > size / 10 (baseline)
CANDIDATES_MIN_NODULES = 24  # different nodules to choose from, however big the box (ours)
ALIKE_MOST = 2.0  # "close to the box's size": up to twice the baseline's bound (ours)
# Side of the visible disc's bounding box over its box's side, both ends drawn: brings the mean
# profile's half height to 0.7 of the half sides, where it lies in NODE21's official boxes.
FILL = (0.66, 0.86)
# Exponent on a thickness of 1 at its plateau, both ends drawn: a CT nodule is rounder along the ray
# than those found on radiographs.
MARGIN_EXPONENT = (0.55, 0.85)
STEEPER_ON_BRIGHT = 0.7  # power of the contrast's share that ground shows, with which it falls
# Detector's blur, standard deviation in px, both ends drawn; edges become as wide as real ones.
DETECTOR_BLUR_PX = (0.6, 1.4)

# Waves around an outline, and what each adds to its radius at a bump of height 1, where alone they
# are in phase. With phases of their own, outlines look like stars; without the second wave a bump
# has others opposite, and they look like triangles and squares (research/appearance.md).
WAVES = np.arange(2, 9)
LOBES = np.array([0.05, 0.045, 0.033, 0.025, 0.015, 0.008, 0.004])
BUMPS, HIGHEST = 2, 1.7  # bumps or dents; their heights are drawn from -1.7 to 1.7
# Share of its own waves beyond an ellipse's that a CT nodule's outline loses: masks of voxels and
# of few slices have corners.
ROUNDED = 0.25
OTHERS = 3  # nodules drawn besides the first; of them all, the one that fits its box best is taken


@dataclass(frozen=True)
class Draft:
    """A box's recipe before what is costly: its nodule, and how far it is to stand out."""

    recipe: Recipe  # without its outline's waves, its surroundings and its contrast
    waves: np.ndarray  # complex: what bumps and dents add to the nodule's own outline
    rng: np.random.Generator  # the box's stream, from which surroundings are drawn


def draft_box(
    context: SliceContext,
    box: Box,
    occurrence: int,
    seed: int,
    library: Library,
    settings: Settings,
    signal: str | None = None,
) -> Draft:
    """Draw what goes into one box, but for its surroundings; a tenth of planning it.

    Parameters
    ----------
    context, box : SliceContext, Box
        Where the nodule goes.
    occurrence : int
        0 for the first box with these corners in this slice, 1 for its first repetition, …
    seed, library, settings
        Of the run; of the settings contrast and subtlety count.
    signal : {"hyposignal", "hypersignal"}, optional
        The box's class; None: decided by Otsu.
    """
    slice01, paper = context.slice01, settings.contrast == "paper"
    signal = signal or signal_class(slice01, box, context.top_threshold)
    # All that is random, in a fixed order, whatever of it the settings need.
    rng = box_stream(seed, box, occurrence)
    candidates = (larger if paper else alike)(library, float(box.side))
    first = int(candidates[rng.integers(len(candidates))])
    mirror, turn_deg = bool(rng.integers(2)), round(float(rng.uniform(0.0, 360.0)), 2)
    n0 = {name: int(rng.integers(N0[name][0], N0[name][1] + 1)) for name in CLASSES}
    weight = {name: round(float(rng.uniform(*WEIGHT[name])), 4) for name in CLASSES}
    fill, blur_px = round(float(rng.uniform(*FILL)), 4), float(rng.uniform(*DETECTOR_BLUR_PX))
    noise = int(rng.integers(2**63))
    others = [int(candidates[i]) for i in rng.integers(len(candidates), size=OTHERS)]
    deviate = float(rng.standard_normal())
    grade_share, within_share = float(rng.random()), float(rng.random())
    margin_exponent = round(float(rng.uniform(*MARGIN_EXPONENT)), 3)
    at, heights = rng.uniform(0, 2 * np.pi, BUMPS), rng.uniform(-HIGHEST, HIGHEST, BUMPS)
    waves = LOBES * (heights @ np.exp(1j * np.outer(at, WAVES)))
    recipe = partial(
        Recipe,
        **asdict(box),
        mirror=mirror,
        signal=signal,
        n0=n0[signal],
        weight=weight[signal],
        contrast_fraction=0.0,
        noise=noise,
    )
    if paper:
        chosen = recipe(nodule=first, name=library.names[first], turn_deg=turn_deg)
        return Draft(chosen, waves, rng)
    outlines = {index: library.outline(index) for index in (first, *others)}
    fits = {
        index: fit(outline, mirror, turn_deg, box.height / box.width)
        for index, outline in outlines.items()
    }
    best = min(fits, key=lambda index: fits[index][0])
    around, deviation = context.surround(box)
    disc = central_disc_of(box, window := crop_window(box, context.shape))
    covered = float(np.median(slice01[window][disc]))
    level = max(around, covered)
    margin_exponent = round(margin_exponent * float(shown(level)) ** STEEPER_ON_BRIGHT, 3)
    levels, grades = settings.contrast_ends, settings.grades
    if levels is not None:
        low, high = levels
        asked = low * (high / low) ** within_share / GREY_MAX / deviation
    elif grades is not None:
        asked = graded(grades, grade_share, within_share)
    else:
        own = deviate, outlines[best].density
        asked = as_real(box.side, deviation, *own, level, level - covered) / deviation
    chosen = recipe(
        nodule=best,
        name=library.names[best],
        turn_deg=fits[best][1],
        fill=fill,
        blur_px=round(blur_px, 2),
        margin_exponent=margin_exponent,
        visibility_asked=asked,
    )
    return Draft(chosen, waves, rng)


def plan_box(context: SliceContext, draft: Draft, library: Library, settings: Settings) -> Recipe:
    """Complete what is drawn into one box: outline, surroundings and contrast.

    The nodule, fitted to its box, stays in ``context`` until it is rendered.

    Parameters
    ----------
    context, draft : SliceContext, Draft
        Of the same slice.
    library, settings
        As :func:`draft_box` took them; of the settings contrast, subtlety and surroundings count.
    """
    slice01, recipe = context.slice01, draft.recipe
    box, asked = recipe.box, recipe.visibility_asked
    if settings.contrast == "paper":
        fitted = context.fit(library, recipe)
        background = slice01[box.top : box.bottom, box.left : box.right]
        factor = match_contrast(fitted.contribution[fitted.mask], background, recipe.signal)
        return replace(recipe, paper_contrast_factor=round(factor, 4))
    nodule = library[recipe.nodule]
    waves = draft.waves - ROUNDED * corners(nodule, recipe.mirror, recipe.turn_deg, WAVES)
    lobes = waves.view(float).clip(-0.5, 0.5).round(4).tolist()  # cosine and sine in turn
    strands, satellites = list[Strand](), list[Satellite]()
    if settings.surroundings:
        strands, satellites = draw_surroundings(draft.rng, slice01, box, recipe.fill, asked)
    recipe = replace(recipe, lobes=lobes, strands=strands, satellites=satellites)
    contrast = asked * context.surround(box)[1]
    flags: list[str] = []
    if contrast > MOST_CONTRAST and settings.grades is not None:
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


# --- streams -------------------------------------------------------------------------------------


def seed_of_inputs(pixels: np.ndarray, boxes: Iterable[Box], digest: Any = None) -> int:
    """The seed of a run that was given none: 63 bits of a hash of its pixels and boxes.

    Parameters
    ----------
    pixels, boxes : ndarray of shape (slice, row, column), iterable of Box
        The whole stack, and its boxes in any order.
    digest : hash, optional
        What :func:`hash_of` gives for the pixels, where it is known; it stays as it is.
    """
    places = repr(sorted(position(box) for box in boxes))
    digest = (hash_of(pixels) if digest is None else digest).copy()
    digest.update(places.encode())
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def box_stream(seed: int, box: Box, occurrence: int) -> np.random.Generator:
    """The stream of what is drawn in a box, the ``occurrence``-th with its corners in its slice."""
    return np.random.default_rng((seed, BOX_STREAM, box.slice, *box.edges, occurrence))


# --- nodules of like size -------------------------------------------------------------------------


def alike(library: Library, size_px: float) -> np.ndarray:
    """Entries whose diameter is close to a box's size (the paper's words), ascending, never none.

    The baseline sets no upper bound, so that most of what it draws into a small box is a mass,
    shrunk. Where fewer than ``CANDIDATES_MIN_NODULES`` different nodules lie between size / 5 and
    ``ALIKE_MOST`` times that, those nearest in size are taken.
    """
    wanted_mm, diameters_mm = size_px / CANDIDATES_DIVISOR, library.diameters_mm
    chosen = (diameters_mm > wanted_mm) & (diameters_mm <= ALIKE_MOST * wanted_mm)
    return _enough(library, chosen, np.abs(np.log(diameters_mm / (wanted_mm * ALIKE_MOST**0.5))))


def larger(library: Library, size_px: float) -> np.ndarray:
    """Entries that may fill a box by the baseline: diameter > size / 5, or where none, > size / 10.

    Where they are fewer than ``CANDIDATES_MIN_NODULES`` different nodules, which would come again
    and again, that many of the largest are taken.
    """
    diameters_mm = library.diameters_mm
    chosen = diameters_mm > size_px / CANDIDATES_DIVISOR
    if not chosen.any():
        chosen = diameters_mm > size_px / CANDIDATES_DIVISOR_ELSE
    return _enough(library, chosen, -diameters_mm)


def _enough(library: Library, chosen: np.ndarray, away: np.ndarray) -> np.ndarray:
    """The entries chosen, or, of too few different nodules, enough that are the least ``away``."""
    numbers, kept = library.name_numbers, np.flatnonzero(chosen)
    if np.count_nonzero(np.bincount(numbers[kept])) >= CANDIDATES_MIN_NODULES:
        return kept
    order, seen = np.argsort(away, kind="stable"), set[int]()
    for count, index in enumerate(order):
        seen.add(int(numbers[index]))
        if len(seen) > CANDIDATES_MIN_NODULES:
            return np.sort(order[:count])
    return np.sort(order)
