"""The path of a pixel: read, plan, render, finish, write; one slice at a time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.blend import Blend, PlacedNodule
from nodegen.blend.harmonise import Harmonise
from nodegen.blend.paste import paste
from nodegen.blend.poisson import poisson
from nodegen.boxes import Box, read_boxes
from nodegen.cascade.cascade import Cascade
from nodegen.constants import CLASSES, RIM_EXPONENT
from nodegen.contrast import core_mean, match_contrast, normalise, realistic
from nodegen.crop import crop_window
from nodegen.errors import RecipeError
from nodegen.files import write_text
from nodegen.finish import finish
from nodegen.grey import to_output, to_unit
from nodegen.library import Library
from nodegen.progress import track
from nodegen.recipe import Draw, Recipe, draw, dump, finish_stream, load, seed_of
from nodegen.resample import centred, resample, resample_mask
from nodegen.settings import Settings, choose_device
from nodegen.signal import signal_class, top_threshold
from nodegen.stack import Stack, find_image, read_stack
from nodegen.stack_writer import StackWriter

MODEL = Path(__file__).resolve().parent.parent / "model"  # beside the package, in image and clone
BOXES = "nodules.json"
RECIPES = "recipes.json"


@dataclass(frozen=True)
class Run:
    """What a run left: the image's path, the recipes and their header as in ``recipes.json``."""

    image: Path
    recipes: list[dict[str, Any]]
    header: dict[str, Any]

    @property
    def seed(self) -> int:
        """Of the run, given or drawn from its inputs."""
        return int(self.header["seed"])


def generate(
    input_dir: Path,
    output_dir: Path,
    settings: Settings | None = None,
    *,
    recipes: Path | None = None,
    masks: Path | None = None,
    progress: bool = True,
) -> Run:
    """Draw a synthetic nodule into each box of a stack.

    Parameters
    ----------
    input_dir : Path
        Holds one image and ``nodules.json``.
    output_dir : Path
        Gets the image under the same name, and ``recipes.json``.
    settings : Settings, optional
        None: the defaults, or those in ``recipes``.
    recipes : Path, optional
        A ``recipes.json`` to be rendered again instead of drawing anew.
    masks : Path, optional
        Folder that gets the nodules' masks, a stack of the same name and geometry.
    progress : bool
        Whether stdout shows how far the run is.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault; then no image is left.
    """
    stack = read_stack(find_image(Path(input_dir)))
    header, todo = load(recipes) if recipes else ({}, [])
    settings = settings or Settings(**settings_of(recipes))
    workshop = Workshop(settings)
    if recipes is None:
        boxes = read_boxes(Path(input_dir) / BOXES, stack.pixels.shape)
        seed = settings.seed if settings.seed is not None else _seed_of_inputs(stack, boxes)
        todo = list(plan(stack, boxes, seed, workshop)) if boxes else []
    else:
        seed = int(header["seed"])
        _check_replay(recipes, header, todo, stack, workshop)
    header = {
        "nodegen": __version__,
        "input": stack.path.name,
        "seed": seed,
        "settings": {k: v for k, v in asdict(settings).items() if k in _REPLAYED},
        "model_sha256": workshop.model_sha256 if todo else None,
        "library_sha256": workshop.library.sha256 if todo else None,
    }
    image = Path(output_dir) / stack.path.name
    kind = np.uint8 if settings.intensity == "challenge" else stack.pixels.dtype
    with ExitStack() as outputs:
        form = stack.geometry, stack.pixels.shape
        writers = [StackWriter(image, *form, kind)]
        if masks:
            writers.append(StackWriter(Path(masks) / stack.path.name, *form, np.uint16))
        for writer in writers:
            outputs.push(writer)  # before it is opened, so that no interrupt falls in between
            writer.open()
        slices = track(
            enumerate(stack.pixels), len(stack.pixels), "nodules", "slice", show=progress
        )
        for number, pixels in slices:
            here = [recipe for recipe in todo if recipe.slice == number]
            rendered, mask = render(pixels, here, workshop)
            if settings.finish:
                rendered = finish(rendered, finish_stream(seed, number))
            made = to_output(pixels, rendered, settings.intensity), mask
            for writer, done in zip(writers, made, strict=False):  # the mask where it is wanted
                writer.write(done)
        for writer in writers:
            writer.finish()
        write_text(Path(output_dir) / RECIPES, dump(header, todo))
    return Run(image, [asdict(recipe) for recipe in todo], header)


# --- plan: everything random, before anything is rendered -----------------------------------------


def plan(
    stack: Stack, boxes: list[Box], seed: int, workshop: Workshop, signal: str | None = None
) -> Iterator[Recipe]:
    """Draw the recipe of each box, in the order in which they will be rendered.

    Boxes of one slice come by their corners, so that their order in the file does not matter.

    Parameters
    ----------
    signal : {"hyposignal", "hypersignal"}, optional
        The class of all boxes; None: decided for each box by Otsu.
    """
    seen: Counter[tuple[int, ...]] = Counter()
    thresholds: dict[int, tuple[np.ndarray, float]] = {}
    for box in sorted(boxes, key=_place):
        if box.slice not in thresholds:
            slice01 = to_unit(stack.pixels[box.slice])
            thresholds = {box.slice: (slice01, top_threshold(slice01))}
        slice01, threshold = thresholds[box.slice]
        drawn = draw(seed, box, seen[_place(box)], workshop.library)
        seen[_place(box)] += 1
        own = signal or signal_class(slice01, box, threshold)
        yield _recipe(box, drawn, own, slice01, workshop)


def _place(box: Box) -> tuple[int, ...]:
    return box.slice, box.top, box.left, box.bottom, box.right


def _recipe(box: Box, drawn: Draw, signal: str, slice01: np.ndarray, workshop: Workshop) -> Recipe:
    recipe = Recipe(
        index=box.index,
        slice=box.slice,
        left=box.left,
        top=box.top,
        right=box.right,
        bottom=box.bottom,
        nodule=drawn.nodule,
        name=workshop.library.names[drawn.nodule],
        mirror=drawn.mirror,
        turn_deg=drawn.turn_deg,
        signal=signal,
        n0=drawn.n0[signal],
        weight=drawn.weight[signal],
        contrast=1.0,
        noise=drawn.noise,
    )
    nodule = place(recipe, slice01.shape, workshop)
    background = slice01[box.top : box.bottom, box.left : box.right]
    contrast = match_contrast(nodule.shadow[nodule.mask], background, signal)
    if workshop.settings.contrast == "real":
        window = crop_window(box, slice01.shape)
        core = core_mean(nodule.shadow, box, window)
        contrast = realistic(contrast * drawn.contrast_share[signal], core, background)
    return replace(recipe, contrast=round(contrast, 4))


# --- render: recipes into one slice ---------------------------------------------------------------


class Workshop:
    """What rendering needs besides the slice: the blend and the library, opened when first used."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.device = choose_device(settings.device)

    @cached_property
    def library(self) -> Library:
        """The nodules."""
        return Library.open(self.settings.nodules or MODEL / "nodules")

    @cached_property
    def cascades(self) -> dict[str, Cascade]:
        """The cascade of each class of signal."""
        folder = self.settings.model or MODEL
        return {name: Cascade.open(folder / name, self.device) for name in CLASSES}

    @cached_property
    def blend(self) -> Blend:
        """The method of blending."""
        if self.settings.method == "singan":
            return Harmonise(self.cascades, self.settings.add_back, self.settings.windows)
        return {"poisson": poisson, "paste": paste}[self.settings.method]

    @property
    def model_sha256(self) -> str | None:
        """One hash of both cascades; None for the methods that use none."""
        if self.settings.method != "singan":
            return None
        parts = "".join(self.cascades[name].sha256 for name in CLASSES)
        return hashlib.sha256(parts.encode()).hexdigest()


def render(
    pixels: np.ndarray, recipes: list[Recipe], workshop: Workshop
) -> tuple[np.ndarray, np.ndarray]:
    """Render the recipes of one slice, one after the other.

    Parameters
    ----------
    pixels : ndarray, shape (row, column)
        The untouched slice.

    Returns
    -------
    slice01 : ndarray of float32, shape (row, column)
        The slice with its nodules, in 0..1.
    mask : ndarray of uint16, shape (row, column)
        0, or 1 + the box's index.
    """
    slice01 = to_unit(pixels)
    mask = np.zeros(pixels.shape, dtype=np.uint16)
    for recipe in recipes:
        window = crop_window(recipe.box, pixels.shape)
        nodule = place(recipe, pixels.shape, workshop)
        slice01[window] = workshop.blend(slice01[window], nodule, recipe)
        mask[window][nodule.mask] = 1 + recipe.index
    return slice01, mask


def place(recipe: Recipe, shape: tuple[int, int], workshop: Workshop) -> PlacedNodule:
    """Bring the recipe's nodule to its box's size and lay it into the middle of its box.

    Returns
    -------
    PlacedNodule
        In the box's crop of a slice of ``shape`` (row, column).
    """
    nodule = workshop.library[recipe.nodule].oriented(recipe.mirror, recipe.turn_deg)
    rows, columns = crop_window(recipe.box, shape)
    x, y = recipe.box.centre
    canvas = rows.stop - rows.start, columns.stop - columns.start
    at = y - rows.start, x - columns.start
    density = normalise(nodule.projection)
    if workshop.settings.contrast == "real":
        density **= RIM_EXPONENT
    density = resample(density, recipe.box.side)
    mask = resample_mask(nodule.mask, recipe.box.side)
    return PlacedNodule(
        shadow=centred(density * np.float32(recipe.contrast), canvas, *at),
        mask=centred(mask, canvas, *at) > 0,
    )


# --- seed and replay -------------------------------------------------------------------------


def _seed_of_inputs(stack: Stack, boxes: list[Box]) -> int:
    places = repr(sorted(_place(box) for box in boxes))
    return seed_of(np.ascontiguousarray(stack.pixels).data, places.encode())


_REPLAYED = ("method", "intensity", "finish", "add_back", "contrast", "windows")


def settings_of(recipes: Path | None) -> dict[str, Any]:
    """The settings that a ``recipes.json`` was rendered with; none without a file.

    Raises
    ------
    RecipeError
        Where the file cannot be read.
    """
    known = load(recipes)[0].get("settings") if recipes else {}
    return {k: v for k, v in known.items() if k in _REPLAYED} if isinstance(known, dict) else {}


def _check_replay(
    path: Path, header: dict[str, Any], recipes: list[Recipe], stack: Stack, workshop: Workshop
) -> None:
    """Refuse recipes that this stack, model or library cannot follow."""
    for name, have in (
        ("library_sha256", workshop.library.sha256 if recipes else None),
        ("model_sha256", workshop.model_sha256 if recipes else None),
    ):
        if have and header.get(name) and header[name] != have:
            raise RecipeError(
                f"{path} was made with {name} {str(header[name])[:12]}, and {have[:12]} is in use; "
                "give the same --model and --nodules as in that run."
            )
    for recipe in recipes:
        if recipe.slice >= len(stack.pixels) or recipe.nodule >= len(workshop.library):
            raise RecipeError(
                f"{path} asks for slice {recipe.slice} and nodule {recipe.nodule}, and there are "
                f"{len(stack.pixels)} slices and {len(workshop.library)} nodules; give the stack "
                "and the library of that run."
            )
