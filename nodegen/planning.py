"""Plan: decide what is drawn into each box, before anything is rendered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nodegen.constants import GREY_MAX
from nodegen.io.boxes import Box
from nodegen.settings import Settings, parse_contrast, parse_subtlety
from nodegen.synthesis.blend import FittedNodule
from nodegen.synthesis.contrast import match_contrast, normalise
from nodegen.synthesis.crop import Window, crop_window, support
from nodegen.synthesis.detector import detector_response, tapered
from nodegen.synthesis.fit_to_box import fit, warp_to_box
from nodegen.synthesis.flags import LIMIT, WHITE, edges_of, flags_of
from nodegen.synthesis.grey import to_unit
from nodegen.synthesis.library import Library
from nodegen.synthesis.recipe import Draw, Recipe, draw, position
from nodegen.synthesis.resample import centred, resample, resample_mask
from nodegen.synthesis.signal_class import signal_class, top_threshold
from nodegen.synthesis.visibility import (
    LEAST_MIDDLE,
    LEAST_ROOM,
    MOST_CONTRAST,
    as_real,
    central_disc,
    graded,
    surround,
)
from nodegen.synthesis.water_thickness import relative_density


class Planner:
    """Draws recipes for boxes, and lays a recipe's nodule into its box.

    Parameters
    ----------
    library : Library
    settings : Settings
        Of which contrast and subtlety count.
    """

    def __init__(self, library: Library, settings: Settings):
        self.library = library
        self._paper = settings.contrast == "paper"
        self._levels = parse_contrast(settings.contrast)
        self._grades = parse_subtlety(settings.subtlety)

    def plan(
        self, pixels: np.ndarray, boxes: Sequence[Box], seed: int, signal: str | None = None
    ) -> Iterator[Recipe]:
        """Draw the recipe of each box, in the order in which they will be rendered.

        Boxes of one slice come by their corners, so that their order in the file does not matter.

        Parameters
        ----------
        pixels : ndarray, shape (slice, row, column)
        signal : {"hyposignal", "hypersignal"}, optional
            The class of all boxes; None: decided for each box by Otsu.
        """
        edges = edges_of(boxes)
        seen: Counter[tuple[int, ...]] = Counter()
        thresholds: dict[int, tuple[np.ndarray, float]] = {}
        for box in sorted(boxes, key=position):
            if box.slice not in thresholds:
                slice01 = to_unit(pixels[box.slice])
                thresholds = {box.slice: (slice01, top_threshold(slice01))}
            slice01, threshold = thresholds[box.slice]
            drawn = draw(seed, box, seen[position(box)], self.library, self._paper)
            seen[position(box)] += 1
            own = signal or signal_class(slice01, box, threshold)
            recipe = self._recipe(box, drawn, own, slice01)
            yield replace(recipe, flags=[*flags_of(box, edges[box.slice], slice01), *recipe.flags])

    def _recipe(self, box: Box, drawn: Draw, signal: str, slice01: np.ndarray) -> Recipe:
        recipe = Recipe(
            index=box.index,
            slice=box.slice,
            left=box.left,
            top=box.top,
            right=box.right,
            bottom=box.bottom,
            nodule=drawn.nodule,
            name=self.library.names[drawn.nodule],
            mirror=drawn.mirror,
            turn_deg=drawn.turn_deg,
            signal=signal,
            n0=drawn.n0[signal],
            weight=drawn.weight[signal],
            contrast_fraction=0.0 if self._paper else 1.0,
            paper_contrast_factor=1.0 if self._paper else 0.0,
            noise=drawn.noise,
        )
        if not self._paper:
            return self._visible(recipe, drawn, slice01)
        nodule = self.fit_nodule(recipe, slice01.shape)
        background = slice01[box.top : box.bottom, box.left : box.right]
        contrast = match_contrast(nodule.contribution[nodule.mask], background, signal)
        return replace(recipe, paper_contrast_factor=round(contrast, 4))

    def _visible(self, recipe: Recipe, drawn: Draw, slice01: np.ndarray) -> Recipe:
        """Decide how far the nodule stands out of its place, as the settings ask."""
        box = recipe.box
        drawn_nodules = {index: self.library[index] for index in (recipe.nodule, *drawn.others)}
        fits = {
            index: fit(nodule, recipe.mirror, recipe.turn_deg, box.height / box.width)
            for index, nodule in drawn_nodules.items()
        }
        best = min(fits, key=lambda index: fits[index][0])
        nodule = drawn_nodules[best]
        level, spread = surround(slice01, box)
        grades = self._grades
        if self._levels is not None:
            low, high = self._levels
            asked = low * (high / low) ** drawn.shares[1] / GREY_MAX / spread
        elif grades is not None:
            asked = graded(grades, *drawn.shares)
        else:
            density = relative_density(nodule.plateau, nodule.disc, nodule.step_mm)
            window = crop_window(box, slice01.shape)
            covered = float(np.median(slice01[window][central_disc_of(box, window)]))
            level = max(level, covered)
            asked = as_real(box.side, spread, drawn.deviate, density, level) / spread
        contrast = asked * spread
        flags: list[str] = []
        if contrast > MOST_CONTRAST and grades is not None:
            contrast = MOST_CONTRAST
            flags.append(LIMIT)
        recipe = replace(
            recipe,
            nodule=best,
            name=nodule.name,
            turn_deg=fits[best][1],
            fill=drawn.fill,
            blur_px=drawn.blur_px,
            margin_exponent=drawn.margin_exponent,
            visibility_asked=round(asked, 4),
        )
        # No brighter than white: what a bright place has left is shared by the whole nodule.
        placed = self.fit_nodule(recipe, slice01.shape)
        crop = slice01[crop_window(box, slice01.shape)]
        most = float(np.percentile(placed.contribution[placed.mask], 90))
        left = max(1.0 - float(np.percentile(crop[placed.mask], 90)), LEAST_ROOM)
        if contrast * most > left:
            contrast = left / most
            flags.append(WHITE)
        return replace(recipe, contrast_fraction=round(contrast, 5), flags=flags)

    def fit_nodule(self, recipe: Recipe, shape: tuple[int, ...]) -> FittedNodule:
        """Scale the recipe's nodule to its box, and centre it there.

        Returns
        -------
        FittedNodule
            In the box's crop of a slice of ``shape`` (row, column).
        """
        nodule = self.library[recipe.nodule]
        window = rows, columns = crop_window(recipe.box, shape)
        x, y = recipe.box.centre
        canvas = rows.stop - rows.start, columns.stop - columns.start
        at = y - rows.start, x - columns.start
        if not self._paper:
            size = recipe.box.height, recipe.box.width
            thickness, mask = warp_to_box(
                nodule, recipe.mirror, recipe.turn_deg, size, recipe.fill, canvas, at
            )
            part = support(mask)
            contribution = np.zeros_like(thickness)
            steep = thickness[part] ** np.float32(recipe.margin_exponent)
            contribution[part] = tapered(detector_response(steep, recipe.blur_px), mask[part])
            middle = central_disc_of(recipe.box, window)
            mean = max(
                float(contribution[middle].mean()), LEAST_MIDDLE * float(contribution.max()), 1e-6
            )
            return FittedNodule(
                contribution * np.float32(recipe.contrast_fraction / mean), mask, middle
            )
        nodule = nodule.oriented(recipe.mirror, recipe.turn_deg)
        density = resample(normalise(nodule.projection), recipe.box.side)
        mask = resample_mask(nodule.mask, recipe.box.side)
        return FittedNodule(
            contribution=centred(density * np.float32(recipe.paper_contrast_factor), canvas, *at),
            mask=centred(mask, canvas, *at) > 0,
        )


def central_disc_of(box: Box, window: Window) -> np.ndarray:
    """The disc in which a box's contrast is measured, as a mask of its crop's window."""
    rows, columns = window
    x, y = box.centre
    shape = rows.stop - rows.start, columns.stop - columns.start
    return central_disc(shape, y - rows.start, x - columns.start, box.side)
