"""Rendering several slices at once, for a GPU, which a single box leaves mostly idle.

Boxes whose crops do not overlap depend on nothing of each other, so they are blended in one call.
What comes out is what comes one by one, but for half precision and slightly wider windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nodegen.synthesis.blend import FittedNodule
from nodegen.synthesis.crop import Window, crop_window
from nodegen.synthesis.grey import to_unit
from nodegen.synthesis.recipe import Recipe
from nodegen.synthesis.tone import through_tone

if TYPE_CHECKING:
    from nodegen.synthesis.harmonise import Harmonise  # imports torch

Wave = list[tuple[int, Recipe]]  # (place of the slice in its group, recipe)


def render_together(
    untouched: np.ndarray,
    recipes: Sequence[Sequence[Recipe]],
    place: Callable[[Recipe, tuple[int, ...]], FittedNodule],
    blend: Harmonise,
    watch: Callable[[list[Wave]], Iterable[Wave]] = iter,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Render the recipes of several slices.

    Parameters
    ----------
    untouched : ndarray, shape (slice, row, column)
    recipes : list of list of Recipe
        Of each slice, in the order in which they are rendered.
    place : callable
        As :meth:`nodegen.renderer.Renderer.fit_nodule`.
    watch : callable
        Yields the waves one by one, and may end the work between two of them by an exception.

    Returns
    -------
    list of (ndarray, ndarray)
        Of each slice, as :meth:`nodegen.renderer.Renderer.render` gives it.
    """
    shape = untouched.shape[1:]
    made = [to_unit(one) for one in untouched]
    masks = [np.zeros(shape, dtype=np.uint32) for _ in made]
    for wave in watch(waves(recipes, shape)):
        placed = []
        for n, recipe in wave:
            crop = made[n][crop_window(recipe.box, shape)]
            placed.append((crop, through_tone(place(recipe, shape), crop), recipe))
        for (n, recipe), (_, nodule, _), crop in zip(
            wave, placed, blend.together(placed), strict=True
        ):
            window = crop_window(recipe.box, shape)
            made[n][window] = crop
            masks[n][window][nodule.mask] = 1 + recipe.index
    return list(zip(made, masks, strict=True))


def waves(recipes: Sequence[Sequence[Recipe]], shape: tuple[int, ...]) -> list[Wave]:
    """Put the boxes of several slices in waves, within which none depends on another.

    A box comes in the wave after the last of those boxes of its slice that come before it and whose
    crops overlap its own: it reads what it would read if all came one by one.

    Parameters
    ----------
    shape : (rows, columns)
        Of the slices.
    """
    found: list[Wave] = []
    for number, here in enumerate(recipes):
        before: list[tuple[int, Window]] = []
        for recipe in here:
            window = crop_window(recipe.box, shape)
            wave = 1 + max((w for w, other in before if _overlap(window, other)), default=-1)
            before.append((wave, window))
            if wave == len(found):
                found.append([])
            found[wave].append((number, recipe))
    return found


def _overlap(one: Window, other: Window) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))
