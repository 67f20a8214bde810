"""The path of a stack: read, plan, render and finish slice by slice, write; or replay."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.errors import RecipeError
from nodegen.io.boxes import BOXES, read_boxes
from nodegen.io.files import write_text
from nodegen.io.stack import Stack, find_image, read_stack
from nodegen.io.stack_writer import StackWriter
from nodegen.progress import track
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.steps.recipe import RECIPES, Recipe, dump, load, seed_of_inputs


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
    renderer: Renderer | None = None,
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
    renderer : Renderer, optional
        One that has its library and cascades open, and whose settings hold; None: a new one.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault; then no image is left.
    """
    stack = read_stack(find_image(Path(input_dir)))
    header, todo = load(recipes) if recipes else ({}, [])
    if renderer is None:
        renderer = Renderer(settings or Settings(**settings_of(recipes)))
    settings = renderer.settings
    if recipes is None:
        boxes = read_boxes(Path(input_dir) / BOXES, stack.pixels.shape)
        seed = seed_of_inputs(stack.pixels, boxes) if settings.seed is None else settings.seed
        todo = list(renderer.plan(stack.pixels, boxes, seed))
    else:
        seed = int(header["seed"])
        _check_replay(recipes, header, todo, stack, renderer)
    header = {
        "nodegen": __version__,
        "input": stack.path.name,
        "seed": seed,
        "settings": {k: v for k, v in asdict(settings).items() if k in _REPLAYED},
        "model_sha256": renderer.model_sha256 if todo else None,
        "library_sha256": renderer.library.sha256 if todo else None,
    }
    image = Path(output_dir) / stack.path.name
    kind = np.uint8 if settings.intensity == "challenge" else stack.pixels.dtype
    with renderer.workers(len(stack.pixels)) as workers, ExitStack() as outputs:
        form = stack.geometry, stack.pixels.shape
        writers = [StackWriter(image, *form, kind)]
        if masks:
            writers.append(StackWriter(Path(masks) / stack.path.name, *form, np.uint16))
        for writer in writers:
            outputs.push(writer)  # before it is opened, so that no interrupt falls in between
            writer.open()
        slices = renderer.render_slices(workers, stack.pixels, todo, seed, settings.intensity)
        done: list[Recipe] = []
        for made in track(slices, len(stack.pixels), "nodules", "slice", show=progress):
            for writer, written in zip(writers, made[:2], strict=False):  # the mask where wanted
                writer.write(written)
            done += made[2]
        for writer in writers:
            writer.finish()
        write_text(Path(output_dir) / RECIPES, dump(header, done))
    return Run(image, [asdict(recipe) for recipe in done], header)


# --- replay ---------------------------------------------------------------------------------------


_REPLAYED = ("method", "intensity", "finish", "add_back", "contrast", "subtlety", "windows")


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
    path: Path, header: dict[str, Any], recipes: list[Recipe], stack: Stack, renderer: Renderer
) -> None:
    """Refuse recipes that this stack, model or library cannot follow."""
    for name, have in (
        ("library_sha256", renderer.library.sha256 if recipes else None),
        ("model_sha256", renderer.model_sha256 if recipes else None),
    ):
        if have and header.get(name) and header[name] != have:
            raise RecipeError(
                f"{path} was made with {name} {str(header[name])[:12]}, and {have[:12]} is in use; "
                "give the same --model and --nodules as in that run."
            )
    paper = renderer.settings.contrast == "paper"
    for number, recipe in enumerate(recipes):
        if (recipe.fill == 0) != paper:
            raise RecipeError(
                f"Recipe {number} of {path} was drawn with{'out' * paper} the paper's contrast; "
                "leave --contrast out, and it is as in that run."
            )
        if recipe.slice >= len(stack.pixels) or recipe.nodule >= len(renderer.library):
            raise RecipeError(
                f"{path} asks for slice {recipe.slice} and nodule {recipe.nodule}, and there are "
                f"{len(stack.pixels)} slices and {len(renderer.library)} nodules; give the stack "
                "and the library of that run."
            )
