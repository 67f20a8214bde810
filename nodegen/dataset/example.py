"""One image of a set, in memory: places drawn, nodules rendered, measured, drawn again if poor.

Example of use, on the fly in a training loop, is :class:`nodegen.dataset.transform.AddNodules`.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from nodegen.dataset.settings import VISIBILITY, derived_seed
from nodegen.io.boxes import Box
from nodegen.io.radiograph import Radiograph
from nodegen.lungs.fields import Lungs
from nodegen.lungs.frame import Frame, mm_per_px
from nodegen.lungs.grid import LEFT, RIGHT
from nodegen.lungs.prior import Prior, hull
from nodegen.renderer import Renderer
from nodegen.synthesis.context import SliceContext
from nodegen.synthesis.grey import to_output
from nodegen.synthesis.noise_and_blur import noise_and_blur
from nodegen.synthesis.recipe import Recipe, noise_and_blur_stream

# The gate. Chosen, not fitted: it is to keep out what an annotator would not box.
ATTEMPTS = 8  # at nodules that do not pass; the last ones are kept, and said so
VISIBLE_SHARE = 0.25  # of a nodule's greatest brightness at which what is seen of it ends
SMOOTH_PX = 1.5  # sigma that takes the grain out before it
AROUND_PX = 6  # beyond a nodule's mask, where its blurred edge is looked for
LEAST_FILL = 0.35  # larger side of what is seen over that of the box
SIZE_TOLERANCE = (0.6, 1.25)  # of the asked range's ends, for what is seen


@dataclass(frozen=True)
class Nodule:
    """One nodule as it was made.

    Attributes
    ----------
    given : tuple of int
        The box that was drawn: left, top, right, bottom, px, half-open.
    tight : tuple of int
        The box around what is visible.
    mask : numpy.ndarray of bool, shape (row, column)
        Of the whole image.
    size_mm : float
        Larger side of the tight box.
    contrast : float
        Median brightness that was added where it is visible, of 0..1 of the image's range.
    visibility : float
        What stands out in the middle of the box over the spread of the ground around it, see
        :mod:`nodegen.synthesis.visibility`.
    region : {"lung", "hidden", "edge"}
        Where its centre lies: in a lung field, behind heart or diaphragm, or beyond the lungs.
    recipe : Recipe
    """

    given: tuple[int, int, int, int]
    tight: tuple[int, int, int, int]
    mask: np.ndarray
    size_mm: float
    contrast: float
    visibility: float
    region: str
    recipe: Recipe


@dataclass(frozen=True)
class Example:
    """One image of a set.

    Attributes
    ----------
    image, untouched : numpy.ndarray, shape (row, column)
        With nodules and without, finished in the same way, in the radiograph's pixel type.
    change : numpy.ndarray of float32, shape (row, column)
        What the nodules change before noise and blur, in the radiograph's grey levels, not rounded.
    nodules : list of Nodule
    seed : int
        Of all that was drawn.
    mm : float
        Size of a pixel, mm.
    faults : list of list of str
        Why nodules did not pass at each attempt; the last is empty where all did in the end.
    """

    image: np.ndarray
    untouched: np.ndarray
    change: np.ndarray
    nodules: list[Nodule]
    seed: int
    mm: float
    faults: list[list[str]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the gate let the image through."""
        return not self.faults[-1]


def make_example(
    radiograph: Radiograph,
    lungs: Lungs,
    count: int,
    seed: int,
    renderer: Renderer,
    prior: Prior,
    *,
    size_mm: tuple[float, float] | None = None,
    signal: str | None = None,
    visibility: tuple[float, float] = VISIBILITY,
    boxes: list[Box] | None = None,
) -> Example:
    """Draw nodules into a radiograph; those that do not pass the gate are drawn again.

    Each nodule is rendered over the untouched radiograph, and what it changes is added up.

    Parameters
    ----------
    count : int
        Nodules.
    seed : int
        Of all that is random.
    size_mm : tuple of float, optional
        Range of the larger side; None: as NODE21's.
    signal : {"hyposignal", "hypersignal"}, optional
        None: decided for each by its place.
    visibility : tuple of float
        Range that passes.
    boxes : list of Box, optional
        Places of the nodules, which then all stay; None: drawn from `prior`.
    """
    pixels = radiograph.pixels
    mm = mm_per_px(Frame.of(lungs), radiograph.spacing)
    context = SliceContext(pixels)
    unit = context.slice01
    slice01 = unit.copy()
    kept: list[Nodule] = []
    faults: list[list[str]] = []
    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1 or boxes is not None
        own = derived_seed(seed, "attempt", attempt)
        drawn = boxes
        if drawn is None:
            drawn = prior.draw(
                lungs,
                pixels,
                count - len(kept),
                np.random.default_rng(own),
                size_mm,
                radiograph.spacing,
                beside=[nodule.recipe.box for nodule in kept],
            )
        found = [f"room for {len(kept) + len(drawn)} of {count} nodules"]
        found = found if len(kept) + len(drawn) < count else []
        for recipe in renderer.plan_slice(context, drawn, own, signal):
            made, mask = renderer.render(context, [recipe])
            change = made - unit
            (drawn_recipe,) = renderer.measured(context, made, [recipe])
            nodule = _measured(drawn_recipe, mask > 0, change, unit, lungs, mm)
            why = _fault(nodule, size_mm, visibility)
            if why:
                found.append(why)
            if last or not why:
                kept.append(nodule)
                slice01 += change
        faults.append(found)
        if last or not found:
            break
    slice01 = np.clip(slice01, 0, 1)
    change = (slice01 - unit) * (float(pixels.max()) - float(pixels.min()))
    if renderer.settings.noise_and_blur:  # with and without differ by the nodules alone
        slice01, unit = (
            noise_and_blur(one, noise_and_blur_stream(seed, 0)) for one in (slice01, unit)
        )
    return Example(
        image=to_output(pixels, slice01, "input"),
        untouched=to_output(pixels, unit, "input"),
        change=change.astype(np.float32),
        nodules=kept,
        seed=seed,
        mm=mm,
        faults=faults,
    )


def _measured(
    recipe: Recipe,
    mask: np.ndarray,
    change: np.ndarray,
    unit: np.ndarray,
    lungs: Lungs,
    mm: float,
) -> Nodule:
    box = recipe.box
    near = ndimage.binary_dilation(_cut(mask, box), iterations=AROUND_PX)
    smooth = ndimage.gaussian_filter(_cut(change, box), SMOOTH_PX)
    top = float(np.quantile(smooth[near], 0.98)) if near.any() else 0.0
    seen = near & (smooth >= max(VISIBLE_SHARE * top, 1e-6))
    rows, columns = np.nonzero(seen)
    window = _window(box, unit.shape)
    tight = (box.left, box.top, box.left, box.top)
    contrast = 0.0
    if len(rows):
        x, y = window[1].start, window[0].start
        tight = (x + columns.min(), y + rows.min(), x + columns.max() + 1, y + rows.max() + 1)
        contrast = float(np.median(smooth[seen]))
    return Nodule(
        given=(box.left, box.top, box.right, box.bottom),
        tight=tuple(int(v) for v in tight),  # type: ignore[arg-type]
        mask=mask,
        size_mm=max(tight[2] - tight[0], tight[3] - tight[1]) * mm,
        contrast=contrast,
        visibility=recipe.visibility,
        region=region_of(box, lungs),
        recipe=recipe,
    )


def _window(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Box and half of its size around it, clipped to the image."""
    x, y = box.width // 2 + AROUND_PX, box.height // 2 + AROUND_PX
    return (
        slice(max(box.top - y, 0), min(box.bottom + y, shape[0])),
        slice(max(box.left - x, 0), min(box.right + x, shape[1])),
    )


def _cut(image: np.ndarray, box: Box) -> np.ndarray:
    return image[_window(box, image.shape)]


def region_of(box: Box, lungs: Lungs) -> str:
    """Where a box's centre lies: "lung", "hidden" behind heart or diaphragm, or "edge"."""
    x, y = (int(value) for value in box.centre)
    if lungs.labels[y, x] in (RIGHT, LEFT):
        return "lung"
    return "hidden" if hull(lungs)[y, x] else "edge"


def _fault(
    nodule: Nodule, size_mm: tuple[float, float] | None, visibility: tuple[float, float]
) -> str | None:
    """Why a nodule does not pass; None where it does."""
    left, top, right, bottom = nodule.given
    seen = max(nodule.tight[2] - nodule.tight[0], nodule.tight[3] - nodule.tight[1])
    fill = seen / max(right - left, bottom - top)
    if not visibility[0] <= nodule.visibility <= visibility[1]:
        return f"a nodule has a visibility of {nodule.visibility:.2f}"
    if fill < LEAST_FILL:
        return f"a nodule fills {fill:.2f} of its box"
    low, high = size_mm or (0.0, np.inf)
    if not SIZE_TOLERANCE[0] * low <= nodule.size_mm <= SIZE_TOLERANCE[1] * high:
        return f"a nodule is seen {nodule.size_mm:.1f} mm large"
    return None
