"""Making an arm's radiographs: the same places and the same nodules for each method."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import DISCS, NULL, Arm, settings_of
from nodegen.evaluation.utility.cache import Arrays, Cache, code_hash, content_hash
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.evaluation.utility.discs import draw_discs
from nodegen.io.boxes import BOXES, Box, read_boxes, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.stack import StackWriter, find_image, read_stack
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import SliceContext, to_output
from nodegen.synthesis.noise_and_blur import noise_and_blur, noise_and_blur_stream

NULL_CONTRAST = 1e-6  # of 0..1: 0.004 of 4095 grey levels, which rounds to nothing
METHODS_CODE = code_hash("cascade", "synthesis", "renderer.py", "constants.py",
                         "evaluation/utility/training_images.py")  # fmt: skip
DISCS_CODE = code_hash(
    "evaluation/utility/discs.py", "synthesis/context.py", "synthesis/noise_and_blur.py"
)


class ImageMaker:
    """Draws synthetic nodules into radiographs, and keeps the images.

    Parameters
    ----------
    cache : Cache
    settings : Settings
        Of the methods; ``method`` is set for each arm. ``noise_and_blur`` holds for every arm, so
        that no arm is known by it.
    seed : int
        Of all nodules.
    """

    def __init__(self, cache: Cache, settings: Settings, seed: int):
        self.cache, self.settings, self.seed = cache, settings, seed
        self._renderers: dict[str, Renderer] = {}

    def examples(self, arm: Arm, backgrounds: Sequence[BoxedRadiograph]) -> list[BoxedRadiograph]:
        """The arm's radiographs; pixels are drawn, or found, when they are asked for.

        Parameters
        ----------
        arm : Arm
            Says which synthetic nodules; one without any has no radiographs.
        backgrounds : sequence of BoxedRadiograph
            With the places of nodules.

        Raises
        ------
        UtilityError
            Where the folder of an arm does not fit the backgrounds.
        """
        if arm.made is None:
            return []
        if arm.folder is not None:
            return _from_folder(arm.name, arm.folder, backgrounds)
        return [replace(one, load=partial(self.kept, arm.made, one)) for one in backgrounds]

    def make(self, made: str, pixels: np.ndarray, nodules: Sequence[Box]) -> np.ndarray:
        """Draw nodules into a radiograph.

        Parameters
        ----------
        made : str
            One of :data:`nodegen.evaluation.utility.arms.MADE`.
        pixels : ndarray, shape (row, column)
            The radiograph, in its own grey levels; left as it is.
        nodules : sequence of Box
            Where the nodules go: boxes in slice 0, px of the radiograph.

        Returns
        -------
        ndarray, shape (row, column)
            In the radiograph's own grey scale.
        """
        if made == DISCS:
            slice01 = draw_discs(pixels, nodules, self.seed)
        else:
            renderer = self.renderer(made)
            recipes = renderer.plan(pixels[None], nodules, self.seed)
            if made == NULL:
                recipes = [replace(recipe, contrast_fraction=NULL_CONTRAST) for recipe in recipes]
            slice01 = renderer.render(SliceContext(pixels), recipes)[0]
        if self.settings.noise_and_blur:
            number = int(content_hash(pixels), 16) % 2**32
            slice01 = noise_and_blur(slice01, noise_and_blur_stream(self.seed, number))
        return to_output(pixels, slice01, "input")

    def renderer(self, made: str) -> Renderer:
        """The renderer of a method; the null control goes the default way.

        With the add-back ``grain`` the default's change without contrast is the difference of two
        equal images, so the generators may be left out: nothing comes of nothing.
        """
        if made not in self._renderers:
            default = "none" if self.settings.add_back == "grain" else "singan"
            own = {"method": default} if made == NULL else settings_of(made)
            settings = replace(self.settings, noise_and_blur=False, intensity="input")
            self._renderers[made] = Renderer(replace(settings, **own))  # type: ignore[arg-type]
        return self._renderers[made]

    def kept(self, made: str, one: BoxedRadiograph) -> np.ndarray:
        """As :meth:`make`, or what it gave before for the same radiograph, nodules and method."""
        pixels = one.load()
        boxes = [(box.left, box.top, box.right, box.bottom) for box in one.nodules]
        parts = (pixels, boxes, made, self.seed, self.settings.noise_and_blur, self.identity(made))
        change = self.cache.once(
            "made", parts, lambda: _change(pixels, self.make(made, pixels, one.nodules))
        )
        return _changed(pixels, change)

    def identity(self, made: str) -> list[Any]:
        """What a method's nodules depend on besides radiograph, boxes and seed."""
        if made == DISCS:
            return [DISCS_CODE]
        renderer = self.renderer(made)
        left = ("device", "workers", "seed", "model", "library", "intensity", "noise_and_blur")
        choices = {k: v for k, v in asdict(renderer.settings).items() if k not in left}
        return [renderer.model_sha256, renderer.library.sha256, METHODS_CODE, choices]


def _change(before: np.ndarray, after: np.ndarray) -> Arrays:
    """What is kept: of integers the difference, which packs small."""
    if before.dtype.itemsize > 2 or not np.issubdtype(before.dtype, np.integer):
        return {"after": after}
    return {"change": (after.astype(np.int32) - before).astype(np.int32)}


def _changed(before: np.ndarray, kept: Arrays) -> np.ndarray:
    if "after" in kept:
        return kept["after"]
    return np.asarray((before.astype(np.int32) + kept["change"]).astype(before.dtype))


# --- nodules made elsewhere -----------------------------------------------------------------------


def write_places(folder: Path, backgrounds: Sequence[BoxedRadiograph]) -> None:
    """Write the backgrounds as one stack with its ``nodules.json``, for nodules made elsewhere.

    Raises
    ------
    UtilityError
        Where the backgrounds have different shapes or pixel types.
    """
    forms = {(one.load().shape, one.load().dtype) for one in backgrounds}
    if len(forms) != 1:
        raise UtilityError(
            f"The backgrounds have {len(forms)} different shapes or pixel types, where one is "
            "wanted for a stack; bring them to one."
        )
    ((shape, dtype),) = forms
    with StackWriter(folder / "backgrounds.mha", Geometry.plain(3), (len(backgrounds), *shape),
                     dtype) as writer:  # fmt: skip
        for one in backgrounds:
            writer.write(one.load())
    boxes = [replace(box, slice=i) for i, one in enumerate(backgrounds) for box in one.nodules]
    write_boxes(folder / BOXES, boxes)


def _from_folder(
    name: str, folder: Path, backgrounds: Sequence[BoxedRadiograph]
) -> list[BoxedRadiograph]:
    pixels = read_stack(find_image(folder)).pixels
    shape = (len(backgrounds), *backgrounds[0].load().shape)
    if pixels.shape != shape:
        raise UtilityError(
            f"Arm {name}: the stack in {folder} has the shape {pixels.shape} and the "
            f"backgrounds have {shape} (slice, row, column); make it from the stack that "
            "--write-places writes."
        )
    nodules = [one.nodules for one in backgrounds]
    if (folder / BOXES).is_file():
        own = read_boxes(folder / BOXES, shape)
        nodules = [
            tuple(replace(box, slice=0) for box in own if box.slice == number)
            for number in range(len(backgrounds))
        ]
    return [
        replace(one, load=partial(_row, pixels, number), nodules=here)
        for number, (one, here) in enumerate(zip(backgrounds, nodules, strict=True))
    ]


def _row(pixels: np.ndarray, number: int) -> np.ndarray:
    return np.asarray(pixels[number])
