"""The path of one radiograph: plan, then render; in memory, without files.

A box passes, in this order: choice, fit to box, detector response, contrast
(:func:`nodegen.synthesis.choice.plan_box`), then one way of blending: paste, Poisson, or harmonise
(:meth:`Renderer.render`), and with its whole slice noise and blur (:meth:`Renderer.render_stack`).
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nodegen.constants import CLASSES
from nodegen.errors import SettingError
from nodegen.io.boxes import Box, Recipe, fit_boxes, position
from nodegen.io.image import Image, dimension_of, to_array, to_image
from nodegen.io.library import Library
from nodegen.processes import Processes, ask
from nodegen.settings import MODEL, Settings, choose_device
from nodegen.synthesis.choice import draft_box, plan_box, seed_of_inputs
from nodegen.synthesis.context import SliceContext, to_output
from nodegen.synthesis.contribution import FittedNodule, central_disc_of, fit_nodule, through_tone
from nodegen.synthesis.fit_to_box import crop_window
from nodegen.synthesis.noise_and_blur import noise_and_blur, noise_and_blur_stream
from nodegen.synthesis.paste import paste
from nodegen.synthesis.poisson import poisson
from nodegen.synthesis.visibility import HIDDEN, HIDDEN_BELOW, NEAR, OFF, flags_of, with_lungs
from nodegen.workers import keep_memory, side_by_side, workers_for

if TYPE_CHECKING:
    import torch

    from nodegen.cascade.cascade import Cascade

# Blends a nodule into a slice (row, column) in 0..1, in place; what it does not reach stays as it
# is, bit for bit.
Blend = Callable[[np.ndarray, FittedNodule, Recipe], None]
# Slices and workers from which on processes pay: they start in six seconds, and Python's lock lets
# some three threads work at once.
LONG_STACK, MANY_WORKERS = 64, 4


class RenderedSlice(NamedTuple):
    """One slice of a stack once it is rendered."""

    image: Any  # ndarray, (row, column); or what was made of it, and of the mask, in its worker
    mask: Any  # ndarray of uint16 or uint32, (row, column): 0, or 1 + the box's index
    recipes: list[Recipe]  # in their order, with the visibility that was got, and their flags


@dataclass(frozen=True)
class Rendered:
    """What :meth:`Renderer.apply` gives back.

    Attributes
    ----------
    image : ndarray or SimpleITK.Image
        As the one that was given: same type, shape, grey scale, geometry.
    mask : ndarray of uint16, shape ([slice,] row, column)
        0, or 1 + the index of the box whose nodule lies there, of several the last one's;
        uint32 where there are more boxes than uint16 has numbers.
    recipes : list of Recipe
        What was done in each box; :meth:`Renderer.render` follows them again.
    seed : int
        Given, from the settings, or drawn from the inputs.
    """

    image: Image
    mask: np.ndarray
    recipes: list[Recipe]
    seed: int


class Renderer:
    """Draws synthetic nodules into radiographs in memory.

    Library and cascades are opened once, when they are first needed. One renderer may serve several
    threads, and is pickled without them, so that worker processes open their own.

    Parameters
    ----------
    settings : Settings, optional
        None: the defaults. ``intensity`` concerns files alone: in memory, the grey scale stays.

    Raises
    ------
    SettingError
        Where CUDA is asked for and there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from nodegen import Box, Renderer, Settings
    >>> radiograph = np.tile(np.arange(512, dtype=np.uint16), (512, 1))
    >>> renderer = Renderer(Settings(method="poisson", noise_and_blur=False))
    >>> made = renderer.apply(radiograph, [Box(slice=0, left=200, top=150, right=260, bottom=210)],
    ...                       seed=1)
    >>> made.image.shape, made.image.dtype, made.mask.max(), made.recipes[0].signal
    ((512, 512), dtype('uint16'), np.uint16(1), 'hyposignal')
    """

    def __init__(self, settings: Settings | None = None):
        self.settings = settings or Settings()
        self._processes: Processes | None = None
        keep_memory()
        if self.settings.device == "cuda":
            choose_device("cuda")  # said now where there is none, not after the reading

    def __getstate__(self) -> Settings:
        return self.settings

    def __setstate__(self, settings: Settings) -> None:
        self.__init__(settings)  # type: ignore[misc]

    # --- what is opened once ----------------------------------------------------------------------

    @cached_property
    def device(self) -> torch.device:
        """Where the cascades run."""
        return choose_device(self.settings.device)

    @cached_property
    def library(self) -> Library:
        """The nodules."""
        return Library(self.settings.library or MODEL / "nodules")

    @cached_property
    def cascades(self) -> dict[str, Cascade]:
        """The cascade of each class of signal."""
        from nodegen.cascade.cascade import Cascade  # imports torch

        if self.settings.windows != "default" or self.settings.add_back == "paper":
            # Each box has windows of its own size, and so kernels of its own that hardly ever come
            # again. Kept, they cut up the heap, and memory grows with the number of boxes. oneDNN
            # reads this before its first convolution; who has set it already is left alone.
            os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
        folder = self.settings.model or MODEL
        return {name: Cascade.open(folder / name, self.device) for name in CLASSES}

    @cached_property
    def blend(self) -> Blend:
        """The method of blending."""
        plain: dict[str, Blend] = {"poisson": poisson, "paste": paste}
        if self.settings.method in plain:
            return plain[self.settings.method]
        from nodegen.synthesis.harmonise import Harmonise  # imports torch

        cascades = self.cascades if self.settings.method == "singan" else None
        return Harmonise(cascades, self.settings.add_back, self.settings.windows)

    @property
    def model_sha256(self) -> str | None:
        """One hash of both cascades; None for the methods that use none."""
        if self.settings.method != "singan":
            return None
        parts = "".join(self.cascades[name].sha256 for name in CLASSES)
        return hashlib.sha256(parts.encode()).hexdigest()

    def with_subtlety(self, subtlety: str) -> Renderer:
        """The same with nodules of another subtlety, as :class:`Settings` takes it.

        Both share what is opened.
        """
        other = Renderer(replace(self.settings, subtlety=subtlety))
        self.open()
        other.__dict__ = {**self.__dict__, "settings": other.settings}
        return other

    def open(self) -> None:
        """Open all that rendering needs, instead of when it is first needed."""
        _ = self.library, self.blend

    def expect(self, slices: int) -> Processes | None:
        """Start the processes that render a stack of so many slices; None where threads do.

        They are kept. Who knows the number before the stack is read need not wait for them later.
        """
        count = workers_for(self.settings.workers, slices)
        if slices < LONG_STACK or count < MANY_WORKERS or sys.platform != "linux":
            return None
        if self._processes is None or self._processes.broken:
            self._processes = Processes(count, partial(_open_elsewhere, self.settings))
        return self._processes

    # --- one radiograph, or a stack of them -------------------------------------------------------

    def apply(self, image: Image, boxes: Sequence[Box], seed: int | None = None) -> Rendered:
        """Draw a nodule into each box.

        Parameters
        ----------
        image : ndarray, shape ([slice,] row, column), or SimpleITK.Image
            Integers of up to 32 bit or floats; left as it is.
        boxes : sequence of Box
            Clipped to the image; of a single image all in slice 0.
        seed : int, optional
            None: the settings' one, or a hash of image and boxes.

        Raises
        ------
        StackError
            Where the image has another form or pixel type, or pixels that are not finite.
        BoxesError
            Where a box is none, or lies wholly outside.
        SettingError
            Where the seed is below 0 or no whole number.
        """
        pixels = to_array(image)
        kept = fit_boxes(boxes, pixels.shape)
        if seed is None:
            seed = self.settings.seed
        if seed is None:
            seed = seed_of_inputs(pixels, kept)
        if not (isinstance(seed, int | np.integer) and 0 <= seed < 2**63):
            raise SettingError(
                f"seed is {seed!r}, where a whole number from 0 to 2^63 - 1 is allowed; give one."
            )
        made, mask = np.empty_like(pixels), np.zeros(pixels.shape, dtype=label_type(kept))
        recipes: list[Recipe] = []
        for number, done in enumerate(self.render_stack(pixels, kept, seed, "input")):
            made[number], mask[number] = done.image, done.mask
            recipes += done.recipes
        whole = mask[0] if dimension_of(image) == 2 else mask
        return Rendered(to_image(made, image), whole, recipes, seed)

    def render_stack(
        self,
        pixels: np.ndarray,
        todo: Sequence[Box] | Sequence[Recipe],
        seed: int,
        intensity: str,
        then: Callable[[RenderedSlice], RenderedSlice] | None = None,
    ) -> Generator[RenderedSlice]:
        """Plan and render each slice of a stack, in their order.

        Slices are rendered side by side, as the settings say. The bytes do not depend on that: what
        is random in a slice follows from the seed and its number, and its boxes come one by one.

        Parameters
        ----------
        pixels : ndarray, shape (slice, row, column)
            The stack, in grey levels of any pixel type; not altered.
        todo : sequence of Box or of Recipe
            Boxes to be planned, or recipes to be followed.
        seed : int
            Of the run, 0 to 2^63 - 1.
        intensity : {"challenge", "input"}
            As :func:`nodegen.synthesis.context.to_output` takes it.
        then : callable, optional
            What a worker goes on to do with each slice, such as packing it; can be pickled.
        """
        processes = self.expect(len(pixels)) if todo else None
        if todo:
            self.open()  # before a thread asks for it, so that no two wait for each other
        by_slice = _by_slice(todo)

        def work(number: int) -> RenderedSlice:
            task = (pixels[number], by_slice.get(number, []), seed, number, intensity, then)
            if processes is None:
                return self.render_slice(*task)
            made: RenderedSlice = processes.run((self.settings, *task), self.blend)
            return made

        count = workers_for(self.settings.workers, len(pixels))
        yield from side_by_side(work, range(len(pixels)), count)

    def render_slice(
        self,
        pixels: np.ndarray,
        todo: list[Any],
        seed: int,
        number: int,
        intensity: str,
        then: Callable[[RenderedSlice], RenderedSlice] | None = None,
    ) -> RenderedSlice:
        """Plan and render slice ``number``, (row, column), of a stack; see :meth:`render_stack`."""
        context, recipes = SliceContext(pixels), list(todo)
        if recipes and isinstance(recipes[0], Box):
            recipes = self.plan_slice(context, recipes, seed)
        slice01, mask = self.render(context, recipes)
        for i, recipe in enumerate(recipes):
            window = crop_window(recipe.box, context.shape)
            change = slice01[window] - context.slice01[window]
            recipes[i] = with_visibility(recipe, context, change)
        if recipes:
            recipes = with_lungs(recipes, context.lungs)
        if self.settings.noise_in_stacks:
            slice01 = noise_and_blur(slice01, noise_and_blur_stream(seed, number))
        made = RenderedSlice(to_output(context, slice01, intensity), mask, recipes)
        return then(made) if then else made

    # --- plan: everything random, before anything is rendered -------------------------------------

    def plan(
        self, pixels: np.ndarray, boxes: Sequence[Box], seed: int, signal: str | None = None
    ) -> list[Recipe]:
        """Draw the recipe of each box of a stack, in the order in which they will be rendered.

        Parameters
        ----------
        pixels : ndarray, shape (slice, row, column)
            The stack, in grey levels of any pixel type; not altered.
        boxes : sequence of Box
            Of any of its slices; px.
        seed : int
            Of the run, 0 to 2^63 - 1.
        signal : {"hyposignal", "hypersignal"}, optional
            The class of all boxes; None: decided for each box by Otsu.
        """
        return [
            recipe
            for number, own in sorted(_by_slice(boxes).items())
            for recipe in self.plan_slice(SliceContext(pixels[number]), own, seed, signal)
        ]

    def plan_slice(
        self,
        context: SliceContext,
        boxes: Sequence[Box],
        seed: int,
        signal: str | None = None,
        chosen: Callable[[list[float]], Iterable[int]] | None = None,
    ) -> list[Recipe]:
        """Draw the recipe of each box of a slice; parameters as :meth:`plan`.

        Boxes come by their corners, so that their order in the file does not matter. Where not all
        are wanted, ``chosen`` says which, in that order, by the contrast-to-noise ratios that they
        ask for: the others cost a tenth of a recipe.
        """
        edges = np.array([position(box)[1:] for box in boxes])
        seen: Counter[tuple[int, ...]] = Counter()
        drafts = []
        for box in sorted(boxes, key=position):
            again = seen[position(box)]
            seen[position(box)] += 1
            drafts.append(draft_box(context, box, again, seed, self.library, self.settings, signal))
        if chosen is not None:
            asked = [draft.recipe.visibility_asked for draft in drafts]
            drafts = [drafts[number] for number in chosen(asked)]
        recipes = []
        for draft in drafts:
            recipe = plan_box(context, draft, self.library, self.settings)
            place = flags_of(recipe.box, edges, context.slice01)
            flags = [*place, *recipe.flags]
            recipes.append(replace(recipe, flags=flags) if place else recipe)
        return recipes

    # --- render: recipes into one slice -----------------------------------------------------------

    def render(
        self, context: SliceContext, recipes: Iterable[Recipe]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Render the recipes of one slice, of which the context is, one after the other.

        Returns
        -------
        slice01, mask : ndarray of float32, ndarray of uint16 or uint32, shape (row, column)
            The slice with its nodules, in 0..1 of its own range; 0, or 1 + the box's index.
        """
        recipes = list(recipes)
        slice01 = context.slice01.copy()
        mask = np.zeros(context.shape, dtype=label_type(recipes))
        for recipe in recipes:
            nodule = self.render_box(context, slice01, recipe)
            mask[nodule.window][nodule.mask] = 1 + recipe.index
        return slice01, mask

    def render_box(
        self, context: SliceContext, slice01: np.ndarray, recipe: Recipe
    ) -> FittedNodule:
        """Render one recipe into a slice in 0..1, in its box's crop; returns its nodule there."""
        nodule = self.fit_nodule(context, recipe)
        nodule = through_tone(nodule, slice01[nodule.window])
        self.blend(slice01, nodule, recipe)
        return nodule

    def fit_nodule(self, context: SliceContext, recipe: Recipe) -> FittedNodule:
        """The recipe's nodule where it lies in the slice, with its contrast."""
        fitted = context.fit(self.library, recipe)
        if fitted.central_disc is None:
            factor = np.float32(recipe.paper_contrast_factor)
            return replace(fitted, contribution=fitted.contribution * factor)
        return fitted.scaled(recipe.contrast_fraction)

    def mask_of(self, recipe: Recipe, shape: tuple[int, ...]) -> np.ndarray:
        """The mask of one nodule alone, whatever lies over it: uint8 (row, column), 0 or 1."""
        nodule = fit_nodule(self.library[recipe.nodule], recipe, shape)
        mask = np.zeros(shape, dtype=np.uint8)
        mask[nodule.window][nodule.mask] = 1
        return mask


def _by_slice(todo: Iterable[Any]) -> dict[int, list[Any]]:
    """Boxes or recipes by the numbers of their slices."""
    found: dict[int, list[Any]] = {}
    for one in todo:
        found.setdefault(one.slice, []).append(one)
    return found


def _open_elsewhere(settings: Settings, asked: bool = False) -> Callable[..., RenderedSlice]:
    """Open what processes render slices with, and return what does it.

    Cascades on a GPU, or where they are to be ``asked``, stay in the process that started these.
    """
    from nodegen.lungs.network import open_network
    from nodegen.synthesis.harmonise import Harmonise

    renderer = Renderer(replace(settings, device="cpu"))
    asked = asked or choose_device(settings.device).type == "cuda"
    if asked and settings.method == "singan":
        renderer.blend = Harmonise(None, settings.add_back, settings.windows)
        for method in ("changed", "harmonised"):
            setattr(renderer.blend, method, partial(ask, method))
    renderer.open()
    open_network(quick=True)

    def render(chosen: Settings, *task: Any) -> RenderedSlice:
        renderer.settings = chosen  # another subtlety, by the same processes
        return renderer.render_slice(*task)

    return render


def with_visibility(recipe: Recipe, context: SliceContext, change: np.ndarray) -> Recipe:
    """A recipe with the visibility of what was drawn, and its flags.

    ``context`` is of the untouched slice; ``change`` is what the nodule adds in its box's crop, in
    0..1.
    """
    disc = central_disc_of(recipe.box, crop_window(recipe.box, context.shape))
    got = float(change[disc].mean()) / context.surround(recipe.box)[1]
    flags = [flag for flag in recipe.flags if flag not in (HIDDEN, OFF)]
    if recipe.visibility_asked and got < HIDDEN_BELOW:
        flags.append(HIDDEN)
    if recipe.visibility_asked and abs(got / recipe.visibility_asked - 1) > NEAR:
        flags.append(OFF)
    return replace(recipe, visibility=round(got, 4), flags=flags)


def label_type(boxes: Iterable[Box | Recipe]) -> type[np.unsignedinteger]:
    """The pixel type of a mask that holds 1 + the index of each box or recipe."""
    largest = max((one.index for one in boxes), default=0)
    return np.uint16 if largest < np.iinfo(np.uint16).max else np.uint32
