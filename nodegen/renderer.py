"""The path of one radiograph: plan, then render; in memory, without files."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nodegen.constants import CLASSES
from nodegen.io.boxes import Box, fit_boxes
from nodegen.io.image import Image, dimension_of, to_array, to_image
from nodegen.planning import Planner, central_disc_of
from nodegen.settings import MODEL, Settings, choose_device
from nodegen.synthesis.batch import render_together
from nodegen.synthesis.blend import Blend, FittedNodule
from nodegen.synthesis.crop import crop_window
from nodegen.synthesis.flags import HIDDEN, OFF, with_lungs
from nodegen.synthesis.grey import to_output, to_unit
from nodegen.synthesis.library import Library
from nodegen.synthesis.noise_and_blur import noise_and_blur
from nodegen.synthesis.paste import paste
from nodegen.synthesis.poisson import poisson
from nodegen.synthesis.recipe import Recipe, noise_and_blur_stream, seed_of_inputs
from nodegen.synthesis.tone import through_tone
from nodegen.synthesis.visibility import HIDDEN_BELOW, NEAR, deviation_around
from nodegen.workers import Workers, workers_for

if TYPE_CHECKING:
    import torch

    from nodegen.cascade.cascade import Cascade
    from nodegen.synthesis.harmonise import Harmonise

Watch = Callable[[Iterable[Recipe]], Iterator[Recipe]]

# On a GPU; chosen, not measured on one: sixteen slices of 1024 x 1024 px take some 100 MB, and
# evened sides leave few sizes of the windows that boxes of 30 to 110 px have.
SLICES_AT_ONCE = 16
EVENED_PX = 32


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
        self._lock = threading.RLock()
        self._opened: dict[str, Any] = {}
        if self.settings.device == "cuda":
            choose_device("cuda")  # said now where there is none, not after the reading

    def __getstate__(self) -> Settings:
        return self.settings

    def __setstate__(self, settings: Settings) -> None:
        self.__init__(settings)  # type: ignore[misc]

    # --- what is opened once ----------------------------------------------------------------------

    def _once(self, name: str, make: Any) -> Any:
        with self._lock:
            if name not in self._opened:
                self._opened[name] = make()
            return self._opened[name]

    @property
    def device(self) -> torch.device:
        """Where the cascades run."""
        device: torch.device = self._once("device", lambda: choose_device(self.settings.device))
        return device

    @property
    def library(self) -> Library:
        """The nodules."""
        folder = self.settings.library or MODEL / "nodules"
        library: Library = self._once("library", lambda: Library.open(folder))
        return library

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.library, self.settings)

    @property
    def cascades(self) -> dict[str, Cascade]:
        """The cascade of each class of signal."""
        cascades: dict[str, Cascade] = self._once("cascades", self._open_cascades)
        return cascades

    def _open_cascades(self) -> dict[str, Cascade]:
        from nodegen.cascade.cascade import Cascade  # imports torch

        # Each box has windows of its own size, and so kernels of its own that hardly ever come
        # again. Kept, they cut up the heap, and memory grows with the number of boxes. oneDNN reads
        # this before its first convolution; who has set it already is left alone.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
        folder = self.settings.model or MODEL
        opened = {name: Cascade.open(folder / name, self.device) for name in CLASSES}
        for cascade in opened.values():
            cascade.half = self.slices_at_once > 1
        return opened

    @property
    def blend(self) -> Blend:
        """The method of blending."""
        blend: Blend = self._once("blend", self._make_blend)
        return blend

    def _make_blend(self) -> Blend:
        plain: dict[str, Blend] = {"poisson": poisson, "paste": paste}
        if self.settings.method in plain:
            return plain[self.settings.method]
        from nodegen.synthesis.harmonise import Harmonise  # imports torch

        cascades = self.cascades if self.settings.method == "singan" else None
        step = EVENED_PX if self.slices_at_once > 1 else 1
        return Harmonise(cascades, self.settings.add_back, self.settings.windows, step)

    @property
    def slices_at_once(self) -> int:
        """Slices whose boxes go through the cascades together: 1 but on a GPU."""
        on_gpu = self.settings.method == "singan" and self.device.type == "cuda"
        return SLICES_AT_ONCE if on_gpu else 1

    @property
    def model_sha256(self) -> str | None:
        """One hash of both cascades; None for the methods that use none."""
        if self.settings.method != "singan":
            return None
        parts = "".join(self.cascades[name].sha256 for name in CLASSES)
        return hashlib.sha256(parts.encode()).hexdigest()

    def with_subtlety(self, subtlety: str) -> Renderer:
        """The same with nodules of another subtlety; both share what is opened.

        Raises
        ------
        SettingError
            Where it is none that :class:`Settings` takes.
        """
        other = Renderer(replace(self.settings, subtlety=subtlety))
        other._lock, other._opened = self._lock, self._opened
        return other

    def open(self) -> None:
        """Open all that rendering needs, instead of when it is first needed."""
        _ = self.library, self.blend

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
            Where a box lies wholly outside.
        """
        pixels = to_array(image)
        kept = fit_boxes(boxes, pixels.shape)
        if seed is None:
            seed = self.settings.seed
        if seed is None:
            seed = seed_of_inputs(pixels, kept)
        recipes = list(self.plan(pixels, kept, seed))
        made, mask = np.empty_like(pixels), np.zeros(pixels.shape, dtype=label_type(recipes))
        done: list[Recipe] = []
        with self.workers(len(pixels)) as workers:
            slices = self.render_slices(workers, pixels, recipes, seed, "input")
            for number, (image_made, mask_made, measured) in enumerate(slices):
                made[number], mask[number] = image_made, mask_made
                done += measured
        whole = mask[0] if dimension_of(image) == 2 else mask
        return Rendered(to_image(made, image), whole, done, seed)

    # --- plan: everything random, before anything is rendered -------------------------------------

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
        yield from self._planner.plan(pixels, boxes, seed, signal)

    # --- render: recipes into one slice -----------------------------------------------------------

    def workers(self, slices: int) -> Workers:
        """The threads that render a stack of so many slices, as the settings say."""
        return Workers(workers_for(self.settings.workers, slices))

    def render_slices(
        self,
        workers: Workers,
        pixels: np.ndarray,
        recipes: Sequence[Recipe],
        seed: int,
        intensity: str,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[Recipe]]]:
        """Yield what :meth:`render_slice` makes of each slice of a stack, in their order.

        The same bytes whatever the number of workers: a slice takes what is random from its recipes
        and its number, and its boxes come one after the other.
        """
        if recipes:
            self.open()  # before a thread asks for it, so that no two wait for each other

        at_once = self.slices_at_once if recipes else 1
        groups = [range(n, min(n + at_once, len(pixels))) for n in range(0, len(pixels), at_once)]

        def work(group: range) -> list[tuple[np.ndarray, np.ndarray, list[Recipe]]]:
            here = [[recipe for recipe in recipes if recipe.slice == number] for number in group]
            if at_once == 1:
                made = [self.render(pixels[group[0]], here[0], workers.wanted)]
            else:
                each = pixels[group.start : group.stop]
                blend = cast("Harmonise", self.blend)  # where it is not, slices come one by one
                made = render_together(each, here, self.fit_nodule, blend, workers.wanted)
            return [
                self._finished(pixels[number], *one, own, number, seed, intensity)
                for number, one, own in zip(group, made, here, strict=True)
            ]

        for done in workers.map(work, groups):
            yield from done

    def render_slice(
        self,
        untouched: np.ndarray,
        recipes: Sequence[Recipe],
        number: int,
        seed: int,
        intensity: str,
        watch: Watch = iter,
    ) -> tuple[np.ndarray, np.ndarray, list[Recipe]]:
        """Render one slice with noise and blur, and bring it to the grey scale of the output.

        Parameters
        ----------
        untouched : ndarray, shape (row, column)
        recipes : sequence of Recipe
            Those of this slice, in the order of :meth:`plan`.
        number : int
            Of the slice in its stack; with ``seed`` it decides the noise.
        intensity : {"challenge", "input"}
            As :func:`nodegen.synthesis.grey.to_output` takes it.
        watch : callable
            Yields the recipes one by one, and may end the work between two of them by an exception.

        Returns
        -------
        image : ndarray, shape (row, column)
        mask : ndarray of uint16, shape (row, column)
            0, or 1 + the box's index.
        recipes : list of Recipe
            Those given, with the visibility that was got, and flagged where they lie off the lungs.
        """
        slice01, mask = self.render(untouched, recipes, watch)
        return self._finished(untouched, slice01, mask, recipes, number, seed, intensity)

    def _finished(
        self,
        untouched: np.ndarray,
        slice01: np.ndarray,
        mask: np.ndarray,
        recipes: Sequence[Recipe],
        number: int,
        seed: int,
        intensity: str,
    ) -> tuple[np.ndarray, np.ndarray, list[Recipe]]:
        measured = with_lungs(self.measured(untouched, slice01, recipes), to_unit(untouched))
        if self.settings.noise_and_blur:
            slice01 = noise_and_blur(slice01, noise_and_blur_stream(seed, number))
        return to_output(untouched, slice01, intensity), mask, measured

    def render(
        self, untouched: np.ndarray, recipes: Sequence[Recipe], watch: Watch = iter
    ) -> tuple[np.ndarray, np.ndarray]:
        """Render the recipes of one slice, one after the other.

        Returns
        -------
        slice01 : ndarray of float32, shape (row, column)
            The slice with its nodules, in 0..1 of its own range.
        mask : ndarray of uint16, shape (row, column)
            0, or 1 + the box's index.
        """
        slice01 = to_unit(untouched)
        mask = np.zeros(untouched.shape, dtype=np.uint16)
        for recipe in watch(recipes):
            if 1 + recipe.index > np.iinfo(mask.dtype).max:
                mask = mask.astype(np.uint32)
            window = crop_window(recipe.box, untouched.shape)
            nodule = through_tone(self.fit_nodule(recipe, untouched.shape), slice01[window])
            slice01[window] = self.blend(slice01[window], nodule, recipe)
            mask[window][nodule.mask] = 1 + recipe.index
        return slice01, mask

    def measured(
        self, untouched: np.ndarray, slice01: np.ndarray, recipes: Sequence[Recipe]
    ) -> list[Recipe]:
        """The recipes of one slice with what was got, once it has been rendered.

        Parameters
        ----------
        untouched : ndarray, shape (row, column)
        slice01 : ndarray, the same shape
            As :meth:`render` gave it.
        """
        before = to_unit(untouched)
        done = []
        for recipe in recipes:
            window = crop_window(recipe.box, before.shape)
            middle = central_disc_of(recipe.box, window)
            contrast = float((slice01[window] - before[window])[middle].mean())
            got = contrast / deviation_around(before, recipe.box)
            flags = [flag for flag in recipe.flags if flag not in (HIDDEN, OFF)]
            if recipe.visibility_asked and got < HIDDEN_BELOW:
                flags.append(HIDDEN)
            if recipe.visibility_asked and abs(got / recipe.visibility_asked - 1) > NEAR:
                flags.append(OFF)
            done.append(replace(recipe, visibility=round(got, 4), flags=flags))
        return done

    def fit_nodule(self, recipe: Recipe, shape: tuple[int, ...]) -> FittedNodule:
        """Scale the recipe's nodule to its box, and centre it there.

        Returns
        -------
        FittedNodule
            In the box's crop of a slice of ``shape`` (row, column).
        """
        return self._planner.fit_nodule(recipe, shape)

    def mask_of(self, recipe: Recipe, shape: tuple[int, ...]) -> np.ndarray:
        """The mask of one nodule alone, whatever lies over it.

        Returns
        -------
        ndarray of uint8, shape (row, column)
            1 in the nodule, else 0.
        """
        mask = np.zeros(shape, dtype=np.uint8)
        mask[crop_window(recipe.box, shape)][self.fit_nodule(recipe, shape).mask] = 1
        return mask


def label_type(recipes: Iterable[Recipe]) -> type[np.unsignedinteger]:
    """The pixel type of a mask that holds 1 + each recipe's index."""
    largest = max((recipe.index for recipe in recipes), default=0)
    return np.uint16 if largest < np.iinfo(np.uint16).max else np.uint32
