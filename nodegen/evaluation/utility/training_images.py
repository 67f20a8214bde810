"""An arm's radiographs with nodules: the same places and the same nodules for each method."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import DISCS, NULL, Arm
from nodegen.evaluation.utility.cache import Arrays, Cache, code_hash
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.evaluation.utility.discs import draw_discs
from nodegen.evaluation.utility.trained_detector import ScaledRadiograph, scaled, with_change
from nodegen.io.boxes import BOXES, Box, read_boxes, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.stack import StackWriter, find_image, read_stack
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import SliceContext, to_output

NULL_CONTRAST = 1e-6  # of 0..1: 0.004 of 4095 grey levels, which rounds to nothing
METHODS_CODE = code_hash("cascade", "synthesis", "renderer.py", "constants.py", "io/library.py",
                         "io/image.py", "evaluation/utility/training_images.py")  # fmt: skip
DISCS_CODE = code_hash("evaluation/utility/discs.py", "synthesis/context.py")


class TrainingImages:
    """Draws synthetic nodules into radiographs, and keeps what they change in a cache."""

    def __init__(self, cache: Cache, settings: Settings, seed: int):
        self.cache, self.seed = cache, seed
        self.settings = replace(settings, noise_and_blur=False, intensity="input")
        self._renderers: dict[str | None, Renderer] = {}

    def make(self, arm: Arm, pixels: np.ndarray, nodules: Sequence[Box]) -> np.ndarray:
        """A radiograph (row, column) with an arm's nodules, in its own grey levels."""
        if arm.made == DISCS:
            return to_output(SliceContext(pixels), draw_discs(pixels, nodules, self.seed), "input")
        renderer = self._renderer(arm)
        recipes = renderer.plan(pixels[None], nodules, self.seed)
        if arm.made == NULL:
            recipes = [replace(recipe, contrast_fraction=NULL_CONTRAST) for recipe in recipes]
        context = SliceContext(pixels)
        return to_output(context, renderer.render(context, recipes)[0], "input")

    def image(self, arm: Arm, one: BoxedRadiograph) -> ScaledRadiograph:
        """A background at the network's size, with what its nodules change, drawn now or before."""
        pixels = one.load()
        untouched = scaled(pixels, one.nodules)

        def draw() -> Arrays:
            drawn = scaled(self.make(arm, pixels, one.nodules), like=untouched)
            return {"change": drawn.image - untouched.image}

        boxes = [(box.left, box.top, box.right, box.bottom) for box in one.nodules]
        parts = pixels, boxes, arm.made, self.seed, self._identity(arm)
        return with_change(untouched, self.cache.once("drawn", parts, draw)["change"])

    def _renderer(self, arm: Arm) -> Renderer:
        """The renderer of an arm; the null control goes the default way.

        With the add-back ``grain`` the default's change without contrast is the difference of two
        equal images, so the generators may be left out: nothing comes of nothing.
        """
        if arm.made not in self._renderers:
            default = "none" if self.settings.add_back == "grain" else "singan"
            own = {"method": default} if arm.made == NULL else arm.settings
            self._renderers[arm.made] = Renderer(replace(self.settings, **own))  # type: ignore[arg-type]
        return self._renderers[arm.made]

    def _identity(self, arm: Arm) -> list[Any]:
        """What an arm's nodules depend on besides radiograph, boxes and seed."""
        if arm.made == DISCS:
            return [DISCS_CODE]
        renderer = self._renderer(arm)
        left = ("device", "workers", "seed", "model", "library", "intensity", "noise_and_blur")
        choices = {k: v for k, v in asdict(renderer.settings).items() if k not in left}
        return [renderer.model_sha256, renderer.library.sha256, METHODS_CODE, choices]


# --- nodules made elsewhere -----------------------------------------------------------------------


def write_places(folder: Path, backgrounds: Sequence[BoxedRadiograph]) -> None:
    """Write the backgrounds as one stack with its ``nodules.json``, for nodules made elsewhere.

    Raises
    ------
    UtilityError
        Where the backgrounds differ in shape or pixel type.
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


def made_elsewhere(folder: Path, backgrounds: Sequence[BoxedRadiograph]) -> list[ScaledRadiograph]:
    """The slices of a stack that was made from the one of :func:`write_places`."""
    pixels = read_stack(find_image(folder)).pixels
    shape = (len(backgrounds), *backgrounds[0].load().shape)
    if pixels.shape != shape:
        raise UtilityError(
            f"The stack in {folder} has the shape {pixels.shape} and the backgrounds have {shape} "
            "(slice, row, column); make it from the stack that --write-places writes."
        )
    boxes: Sequence[Sequence[Box]] = [one.nodules for one in backgrounds]
    if (folder / BOXES).is_file():
        own = read_boxes(folder / BOXES, shape)
        boxes = [[box for box in own if box.slice == i] for i in range(len(pixels))]
    return [scaled(*pair) for pair in zip(pixels, boxes, strict=True)]
