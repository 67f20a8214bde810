"""The path of a stack: read, plan, render slice by slice, write; or replay."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from nodegen import __version__
from nodegen.errors import RecipeError, SettingError
from nodegen.io.boxes import (
    BOXES,
    RECIPES,
    Recipe,
    clipped_boxes,
    position,
    read_boxes,
    read_recipes,
    recipes_text,
)
from nodegen.io.files import claim, write_text
from nodegen.io.image import Mark, hash_of, run_hash
from nodegen.io.stack import (
    METAIMAGE,
    Stack,
    count_slices,
    find_image,
    output_name,
    packer_for,
    read_stack,
    stack_writer,
)
from nodegen.renderer import RenderedSlice, Renderer, label_type
from nodegen.schemas import ReplayedSettings
from nodegen.settings import Settings
from nodegen.synthesis.choice import seed_of_inputs
from nodegen.synthesis.visibility import note_on, notes_of
from nodegen.workers import track

PLANNED = ("contrast", "subtlety", "surroundings")  # settings that recipes follow from


@dataclass(frozen=True)
class Run:
    """What a run left."""

    image: Path
    recipes: list[dict[str, Any]]  # as in recipes.json, like its header
    header: dict[str, Any]
    notes: list[str] = field(default_factory=list)  # on boxes or a replay, in sentences
    slices: int = 1

    @property
    def seed(self) -> int:
        """Of the run, given or drawn from its inputs."""
        return int(self.header["seed"])

    def lines(self, seconds: float) -> list[str]:
        """What to print of it, after so many seconds: the notes, then what was written where."""
        boxes, slices = len(self.recipes), self.slices
        nodules = f"{boxes} nodule{'s' * (boxes != 1)} in {slices} slice{'s' * (slices != 1)}"
        return [*self.notes, f"{nodules}, seed {self.seed}, {seconds:.1f} s: {self.image}"]


def generate(
    input_dir: Path,
    output_dir: Path,
    settings: Settings | None = None,
    *,
    recipes: Path | None = None,
    masks: Path | None = None,
    masks_by_box: Path | None = None,
    progress: bool = True,
    renderer: Renderer | None = None,
    overwrite: bool = False,
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
        Folder that gets the nodules' masks, a stack of the same name and geometry: 1 + the index of
        the box whose nodule lies there, of several the last one's.
    masks_by_box : Path, optional
        Folder that gets each nodule's mask by itself, so that overlapping ones lose nothing: a
        stack of the same name, one slice for each box in the order of ``nodules.json``.
    progress : bool
        Whether stdout shows how far the run is.
    renderer : Renderer, optional
        One that has its library and cascades open, and whose settings hold; None: a new one.
    overwrite : bool
        Whether results that are in the folders already may be replaced.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault; then no image is left.
    """
    source, output_dir = find_image(Path(input_dir)), Path(output_dir)
    folders = [Path(folder) for folder in (output_dir, masks, masks_by_box) if folder]
    inputs = (source, Path(input_dir) / BOXES, *([Path(recipes)] if recipes else []))
    name = output_name(source)
    results = (output_dir / RECIPES, *(folder / name for folder in folders))
    with claim(*results, overwrite=overwrite, inputs=inputs) as staged, ExitStack() as files:
        if renderer is None:
            renderer = Renderer(settings or Settings(**settings_of(recipes)))
        if source.suffix.lower() in METAIMAGE:  # others may have to be read for it
            renderer.expect(count_slices(source))
        stack = read_stack(source)
        geometry, shape = stack.geometry, stack.pixels.shape
        header, todo, notes = _decide(stack, renderer, recipes)
        mark = Mark("Synthetic lung nodules", run=header["run"]) if todo else None
        own = renderer.settings.intensity == "input"
        form, dtype = (geometry, stack.pixels.dtype) if own else (geometry.black, np.dtype("uint8"))
        image = output_dir / name
        write = files.enter_context(stack_writer(staged[image], form, shape, dtype, mark))
        labels = np.dtype(label_type(todo))
        if masks:
            place = staged[Path(masks) / name]
            write_mask = files.enter_context(
                stack_writer(place, geometry.black, shape, labels, mark)
            )
        pack = partial(_packed, packer_for(image), labels if masks else None)
        slices = renderer.render_stack(
            stack.pixels, todo, header["seed"], renderer.settings.intensity, pack
        )
        files.enter_context(closing(slices))  # no worker goes on where a slice cannot be written
        done: list[Recipe] = []
        for made in track(slices, len(stack.pixels), "nodules", "slice", show=progress):
            write(made.image)
            if masks:
                write_mask(made.mask)
            done += made.recipes
        if masks_by_box and todo:
            place, by_box = staged[Path(masks_by_box) / name], (len(todo), *shape[1:])
            with stack_writer(place, geometry.black.stacked, by_box, np.uint8, mark) as write_box:
                for recipe in sorted(done, key=lambda recipe: recipe.index):
                    write_box(renderer.mask_of(recipe, shape[1:]))
        files.close()  # whole, before they get their names
        header["recipes_hash"] = _hash_of(done)
        written = to_jsonable_python(done)
        write_text(staged[output_dir / RECIPES], recipes_text(header, written))
    return Run(image, written, header, notes + notes_of(done), shape[0])


def _packed(
    pack: Callable[[np.ndarray], Any], labels: np.dtype | None, made: RenderedSlice
) -> RenderedSlice:
    """A slice as its files take it, without the mask where none is written."""
    mask = None if labels is None else pack(made.mask.astype(labels, copy=False))
    return RenderedSlice(pack(made.image), mask, made.recipes)


def _decide(
    stack: Stack, renderer: Renderer, recipes: Path | None
) -> tuple[dict[str, Any], list[Any], list[str]]:
    """The header of a run, the boxes or recipes that it renders, and notes on a replay."""
    settings, digest, notes = renderer.settings, hash_of(stack.pixels), list[str]()
    before: dict[str, Any] = {}
    if recipes is None:
        given = stack.path.with_name(BOXES), stack.pixels.shape
        todo: list[Any] = read_boxes(*given)
        if clipped := clipped_boxes(*given):
            said = "reach beyond their slice and are clipped"
            notes.append(note_on(clipped, len(todo), said))
        seed = settings.seed
        if seed is None:
            seed = seed_of_inputs(stack.pixels, todo, digest)
    else:
        before, todo = read_recipes(recipes)
        seed = int(before["seed"])
        _check_replay(recipes, before, todo, stack, renderer)
        if before.get("pixels_sha256") not in (None, digest.hexdigest()):
            notes.append(
                f"{recipes} was made for a stack of other pixels than {stack.path}: its contrasts "
                "and classes are that stack's."
            )
    header = {
        "nodegen": __version__,
        "input": stack.path.name,
        "pixels_sha256": digest.hexdigest(),
        "seed": seed,
        "settings": {
            k: v for k, v in asdict(settings).items() if k in ReplayedSettings.model_fields
        }
        | {"noise_and_blur": settings.noise_in_stacks}
        | {k: v for k, v in before.get("settings", {}).items() if k in PLANNED and v is not None},
        "model_sha256": renderer.model_sha256 if todo else None,
        "library_sha256": renderer.library.sha256 if todo else None,
    }
    drawn, run = _hash_of(todo), before.get("run")
    same = all(before.get(k) == v for k, v in {**header, "recipes_hash": drawn}.items())
    header["run"] = run if run and same else run_hash(header, drawn)  # a replay of it is that run
    return header, todo, notes


def _hash_of(drawn: list[Any]) -> str:
    """A hash of boxes or recipes; their order, and so their place in the file, does not count."""
    ordered = to_jsonable_python(sorted(drawn, key=position))
    return run_hash([{**one, "index": 0} for one in ordered])


# --- replay ---------------------------------------------------------------------------------------


def settings_of(recipes: Path | None) -> dict[str, Any]:
    """The settings that a ``recipes.json`` was rendered with; none without a file."""
    if recipes is None:
        return {}
    known = read_recipes(recipes)[0].get("settings", {}).items()
    chosen = {k: v for k, v in known if k in ReplayedSettings.model_fields and v is not None}
    try:
        Settings(**chosen)
    except SettingError as error:
        raise RecipeError(f"The settings in {recipes} are not allowed: {error}") from None
    return chosen


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
                "give the same --model and --library as in that run."
            )
    slices, rows, columns = stack.pixels.shape
    paper, names = renderer.settings.contrast == "paper", renderer.library.names
    for number, recipe in enumerate(recipes):
        if (recipe.paper_contrast_factor > 0) != paper:
            raise RecipeError(
                f"Recipe {number} of {path} was drawn with{'out' * paper} the paper's contrast; "
                "leave --contrast out, and it is as in that run."
            )
        if recipe.slice >= slices or recipe.right > columns or recipe.bottom > rows:
            asked = f"slice {recipe.slice} and a box up to x {recipe.right} and y {recipe.bottom}"
            there = f"there are {slices} slices of {columns} x {rows} px"
        elif names[recipe.nodule : recipe.nodule + 1] != (recipe.name,):
            asked = f"nodule {recipe.nodule} by the name {recipe.name}"
            there = (
                f"the library's {len(names)} nodules have it under another number, or not at all"
            )
        else:
            continue
        raise RecipeError(
            f"Recipe {number} of {path} asks for {asked}, and {there}; give the stack and the "
            "library of that run."
        )
