"""Making an arm's radiographs: the same places and the same nodules for each method."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import DISCS, NULL, synthetic
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
    """Draws synthetic nodules into radiographs, and keeps what they change.

    Parameters
    ----------
    cache : Cache
    settings : Settings
        Of the methods; ``method`` is set for each arm.
    seed : int
        Of all nodules.
    """

    def __init__(self, cache: Cache, settings: Settings, seed: int):
        self.cache, self.seed = cache, seed
        self.settings = replace(settings, noise_and_blur=False, intensity="input")
        self._renderers: dict[str, Renderer] = {}

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
            return to_output(pixels, draw_discs(pixels, nodules, self.seed), "input")
        renderer = self._renderer(made)
        recipes = renderer.plan(pixels[None], nodules, self.seed)
        if made == NULL:
            recipes = [replace(recipe, contrast_fraction=NULL_CONTRAST) for recipe in recipes]
        return to_output(pixels, renderer.render(SliceContext(pixels), recipes)[0], "input")

    def image(self, made: str, one: BoxedRadiograph) -> ScaledRadiograph:
        """A background at the network's size, with what its nodules change, drawn now or before."""
        made, pixels = synthetic(made).drawn_as, one.load()
        untouched = scaled(pixels, one.nodules)

        def draw() -> Arrays:
            drawn = scaled(self.make(made, pixels, one.nodules), like=untouched)
            return {"change": drawn.image - untouched.image}

        boxes = [(box.left, box.top, box.right, box.bottom) for box in one.nodules]
        parts = pixels, boxes, made, self.seed, self._identity(made)
        return with_change(untouched, self.cache.once("drawn", parts, draw)["change"])

    def _renderer(self, made: str) -> Renderer:
        """The renderer of a method; the null control goes the default way.

        With the add-back ``grain`` the default's change without contrast is the difference of two
        equal images, so the generators may be left out: nothing comes of nothing.
        """
        if made not in self._renderers:
            default = "none" if self.settings.add_back == "grain" else "singan"
            own = {"method": default} if made == NULL else synthetic(made).settings
            self._renderers[made] = Renderer(replace(self.settings, **own))  # type: ignore[arg-type]
        return self._renderers[made]

    def _identity(self, made: str) -> list[Any]:
        """What a method's nodules depend on besides radiograph, boxes and seed."""
        if made == DISCS:
            return [DISCS_CODE]
        renderer = self._renderer(made)
        left = ("device", "workers", "seed", "model", "library", "intensity", "noise_and_blur")
        choices = {k: v for k, v in asdict(renderer.settings).items() if k not in left}
        return [renderer.model_sha256, renderer.library.sha256, METHODS_CODE, choices]


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


def made_elsewhere(folder: Path, backgrounds: Sequence[BoxedRadiograph]) -> list[ScaledRadiograph]:
    """The slices of a stack that was made from the one of :func:`write_places`.

    Raises
    ------
    UtilityError
        Where it does not fit the backgrounds.
    """
    pixels = read_stack(find_image(folder)).pixels
    shape = (len(backgrounds), *backgrounds[0].load().shape)
    if pixels.shape != shape:
        raise UtilityError(
            f"The stack in {folder} has the shape {pixels.shape} and the backgrounds have {shape} "
            "(slice, row, column); make it from the stack that --write-places writes."
        )
    if not (folder / BOXES).is_file():
        return [
            scaled(*pair) for pair in zip(pixels, (b.nodules for b in backgrounds), strict=True)
        ]
    own = read_boxes(folder / BOXES, shape)
    return [scaled(one, [b for b in own if b.slice == i]) for i, one in enumerate(pixels)]
