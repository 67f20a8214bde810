"""Cases on which windows are held against the full computation: boxes of any size, anywhere."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nodegen.constants import N0, WEIGHT
from nodegen.io.boxes import Box
from nodegen.io.stack import Stack
from nodegen.renderer import Renderer
from nodegen.synthesis.context import SliceContext
from nodegen.synthesis.fit_to_box import crop_window
from research.margins.measure import Case

WIDTHS_PX = (12, 160)  # NODE21's boxes, from the smallest to the 99th percentile
ASPECTS = (0.5, 2.0)  # height over width


def draw_cases(
    stacks: Sequence[Stack], renderer: Renderer, signal: str, count: int, seed: int
) -> list[Case]:
    """Draw ``count`` cases of one class, its strongest weight, over all of the stacks' slices.

    Half of the boxes lie anywhere, image borders included, half in the inner part, where lungs are.
    """
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        stack = stacks[int(rng.integers(len(stacks)))]
        slices, rows, columns = stack.pixels.shape
        width = min(int(rng.integers(*WIDTHS_PX, endpoint=True)), columns)
        height = min(round(width * rng.uniform(*ASPECTS)), rows)
        across, down = rng.uniform(0, 1, 2) if number % 2 else rng.uniform(0.2, 0.8, 2)
        left, top = round(across * (columns - width)), round(down * (rows - height))
        box = Box(int(rng.integers(slices)), left, top, left + width, top + height, 0)
        (recipe,) = renderer.plan(stack.pixels, [box], int(rng.integers(2**40)), signal)
        n0 = int(rng.integers(N0[signal][0], N0[signal][1], endpoint=True))
        recipe = replace(recipe, n0=n0, weight=WEIGHT[signal][1])
        context = SliceContext(stack.pixels[box.slice])
        window = crop_window(box, context.shape)
        nodule = renderer.fit_nodule(context, recipe).seen_from(window)
        cases.append(Case(context.slice01[window].copy(), nodule, recipe))
    return cases
