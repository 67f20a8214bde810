"""One image of a set, in memory: places drawn, nodules rendered, measured, drawn again if poor.

Example of use, on the fly in a training loop, is :class:`nodegen.dataset.transform.AddNodules`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from nodegen.dataset.dataset_settings import DatasetSettings, derived_seed
from nodegen.io.boxes import Box, Recipe
from nodegen.io.radiograph import Radiograph
from nodegen.lungs.body import Body
from nodegen.lungs.frame import mm_per_px
from nodegen.lungs.prior import Places
from nodegen.renderer import Renderer, with_visibility
from nodegen.synthesis.context import SliceContext, to_output
from nodegen.synthesis.contribution import FittedNodule
from nodegen.synthesis.fit_to_box import Window, bounds, crop_window, grown, moved, within
from nodegen.synthesis.noise_and_blur import noise_and_blur, noise_and_blur_stream

# The gate. Chosen, not fitted: it is to keep out what an annotator would not box.
ATTEMPTS = 8  # at nodules that do not pass; the last ones are kept, and said so
VISIBLE_SHARE = 0.25  # of a nodule's greatest brightness at which what is seen of it ends
SMOOTH_PX = 1.5  # sigma that takes the grain out before it
SMOOTH_REACH_PX = int(4 * SMOOTH_PX + 0.5)  # as far as scipy's Gaussian goes
AROUND_PX = 6  # beyond a nodule's mask, where its blurred edge is looked for
LEAST_FILL = 0.35  # larger side of what is seen over that of the box
SIZE_TOLERANCE = (0.6, 1.25)  # of the asked range's ends, for what is seen
# Where visible nodules are preferred; as the detectors were trained whose gain is known.
CANDIDATES = 2.5  # nodules planned for each that is drawn
CHANCES = (0.5, 8.0)  # contrast-to-noise ratio between which chances grow with it

Corners = tuple[int, int, int, int]  # left, top, right, bottom, px, half-open


@dataclass(frozen=True)
class DrawnNodule:
    """One nodule of an image, measured."""

    given: Corners  # the box that was drawn
    tight: Corners  # around what is visible
    mask: np.ndarray  # bool (row, column), of the whole image
    size_mm: float  # larger side of the tight box
    contrast: float  # median brightness that was added where it is visible, of 0..1 of the range
    visibility: float  # contrast-to-noise ratio, see nodegen.synthesis.visibility
    region: str  # lung, hidden (behind heart or diaphragm), or edge (beyond the lungs)
    recipe: Recipe


@dataclass(frozen=True)
class Example:
    """One image of a set; arrays are (row, column)."""

    radiograph: Radiograph  # that nodules were drawn into
    image: np.ndarray  # with nodules, in the radiograph's pixel type
    untouched: np.ndarray | None  # without, with the same noise and blur, where it is asked for
    change: np.ndarray  # float32: what nodules change before noise and blur, in grey levels
    nodules: list[DrawnNodule]
    seed: int  # of all that was drawn
    mm: float  # size of a pixel, mm
    faults: list[list[str]]  # why nodules did not pass at each attempt; at last empty, if all did

    @property
    def passed(self) -> bool:
        """Whether the gate let the image through."""
        return not self.faults[-1]


def make_example(
    radiograph: Radiograph,
    places: Places,
    count: int,
    seed: int,
    renderer: Renderer,
    choices: DatasetSettings,
    *,
    boxes: Sequence[Box] | None = None,
    beside: Sequence[Box] = (),
) -> Example:
    """Draw nodules into a radiograph; those that do not pass the gate are drawn again.

    Each nodule is rendered over the untouched radiograph, and what it changes is added up. The
    choices are sizes, class and visibility of nodules, and whether the example holds the radiograph
    without them, too (pairs); noise and blur are the renderer's. Nodules at given boxes all stay;
    drawn ones keep away from those beside.
    """
    pixels = radiograph.pixels
    mm = mm_per_px(places.body.frame, radiograph.spacing)
    context = SliceContext(pixels)
    unit = context.slice01
    slice01 = unit.copy()  # each nodule is drawn here and taken away again, at last all of them
    kept: list[DrawnNodule] = []
    changes: list[tuple[Window, np.ndarray]] = []
    faults: list[list[str]] = []
    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1 or boxes is not None
        own = derived_seed(seed, "attempt", attempt)
        rng, drawn, wanted = np.random.default_rng(own), boxes, count - len(kept)
        if drawn is None:
            drawn = places.draw(
                round(wanted * (CANDIDATES if choices.prefer_visible else 1)),
                rng,
                choices.size_mm,
                radiograph.spacing,
                beside=[*beside, *(nodule.recipe.box for nodule in kept)],
            )
        missing = wanted - len(drawn)
        found = [f"room for {count - missing} of {count} nodules"] if missing > 0 else []
        chosen = partial(_more_visible, wanted, rng)
        for planned in renderer.plan_slice(context, drawn, own, choices.signal, chosen):
            window = crop_window(planned.box, pixels.shape)
            fitted = renderer.render_box(context, slice01, planned)
            change = slice01[window] - unit[window]
            slice01[window] = unit[window]
            recipe = with_visibility(planned, context, change)
            nodule = _measured(recipe, window, fitted, change, places.body, mm)
            why = _fault(nodule, choices)
            if why:
                found.append(why)
            if last or not why:
                kept.append(nodule)
                changes.append((window, change))
        faults.append(found)
        if last or not found:
            break
    for window, change in changes:
        slice01[window] += change
    levels, windows = np.zeros_like(unit), [window for window, _ in changes]
    for window in windows:
        np.clip(slice01[window], 0, 1, out=slice01[window])
        levels[window] = slice01[window] - unit[window]
        levels[window] *= np.float32(float(pixels.max()) - float(pixels.min()))

    def finished(slice01: np.ndarray) -> np.ndarray:
        """With and without nodules alike, so that they differ by these alone."""
        if renderer.settings.noise_and_blur:
            slice01 = noise_and_blur(slice01, noise_and_blur_stream(seed, 0))
        return to_output(context, slice01, "input")

    untouched = finished(unit) if choices.pairs else None
    return Example(radiograph, finished(slice01), untouched, levels, kept, seed, mm, faults)


def _more_visible(count: int, rng: np.random.Generator, asked: list[float]) -> list[int]:
    """Numbers of so many nodules, ascending, with chances in proportion to the contrast to noise.

    ``asked`` are their contrast-to-noise ratios.
    """
    if len(asked) <= count:
        return list(range(len(asked)))
    chances = np.clip(asked, *CHANCES)
    chosen = rng.choice(len(asked), count, replace=False, p=chances / chances.sum())
    return sorted(chosen.tolist())


def _measured(
    recipe: Recipe, window: Window, fitted: FittedNodule, change: np.ndarray, body: Body, mm: float
) -> DrawnNodule:
    """Measure one nodule by what it changes in its box's crop."""
    box = recipe.box
    whole = np.zeros(body.shape, bool)
    whole[fitted.window] = fitted.mask
    # All that may count as seen, and what it is smoothed with.
    part = grown(within(fitted.window, window), AROUND_PX + SMOOTH_REACH_PX, change.shape)
    near = ndimage.binary_dilation(whole[window][part], iterations=AROUND_PX)
    smooth = ndimage.gaussian_filter(change[part], SMOOTH_PX)
    peak = float(np.quantile(smooth[near], 0.98)) if near.any() else 0.0
    seen = near & (smooth >= max(VISIBLE_SHARE * peak, 1e-6))
    tight, contrast = (box.left, box.top, box.left, box.top), 0.0
    if seen.any():
        corner = window[0].start + part[0].start, window[1].start + part[1].start
        rows, columns = moved(bounds(seen), *corner)
        tight = (columns.start, rows.start, columns.stop, rows.stop)
        contrast = float(np.median(smooth[seen]))
    size_mm = max(tight[2] - tight[0], tight[3] - tight[1]) * mm
    given = box.edges
    region = body.region(box)
    return DrawnNodule(given, tight, whole, size_mm, contrast, recipe.visibility, region, recipe)


def _fault(nodule: DrawnNodule, choices: DatasetSettings) -> str | None:
    """Why a nodule does not pass; None where it does."""
    left, top, right, bottom = nodule.given
    seen = max(nodule.tight[2] - nodule.tight[0], nodule.tight[3] - nodule.tight[1])
    fill = seen / max(right - left, bottom - top)
    if not choices.visibility[0] <= nodule.visibility <= choices.visibility[1]:
        return f"a nodule has a visibility of {nodule.visibility:.2f}"
    if fill < LEAST_FILL:
        return f"a nodule fills {fill:.2f} of its box"
    low, high = choices.size_mm or (0.0, np.inf)
    if not SIZE_TOLERANCE[0] * low <= nodule.size_mm <= SIZE_TOLERANCE[1] * high:
        return f"a nodule is seen {nodule.size_mm:.1f} mm large"
    return None
