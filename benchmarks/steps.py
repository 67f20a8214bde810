"""What one slice costs, step by step, with one box in it."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.generators import SIDES_PX, interleaved_ms, median_ms
from nodegen.io.boxes import Box
from nodegen.io.stack import Stack, read_stack
from nodegen.io.stack_writer import StackWriter
from nodegen.phantom import GEOMETRY
from nodegen.renderer import Renderer
from nodegen.settings import METHODS, Settings
from nodegen.synthesis.crop import crop_window, support
from nodegen.synthesis.grey import to_output, to_unit
from nodegen.synthesis.harmonise import Harmonise
from nodegen.synthesis.noise_and_blur import noise_and_blur
from nodegen.synthesis.paste import paste
from nodegen.synthesis.recipe import Recipe, noise_and_blur_stream
from nodegen.synthesis.signal_class import top_threshold

CHALLENGE = Settings().intensity


def box_of(side_px: int, shape: tuple[int, ...]) -> Box:
    """A square box of ``side_px`` in the left half of a slice of ``shape`` (row, column)."""
    top, left = shape[0] // 2 - side_px // 2, shape[1] * 3 // 10 - side_px // 2
    return Box(0, left, top, left + side_px, top + side_px, 0)


def measure_methods(stack: Stack, seed: int, repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one box by method and box side: placing and blending, not the slice."""
    results: dict[str, dict[str, float]] = {}
    slice01 = to_unit(stack.pixels[0])
    for method in METHODS:
        renderer = Renderer(Settings(method=method))
        results[method] = {}
        for side in SIDES_PX:
            box = box_of(side, slice01.shape)
            (recipe,) = renderer.plan(stack.pixels, [box], seed)
            crop = slice01[crop_window(box, slice01.shape)].copy()

            work = partial(_place_and_blend, renderer, crop, recipe, slice01.shape)
            results[method][str(side)] = median_ms(work, repeats)
    return results


def _place_and_blend(
    renderer: Renderer, crop: np.ndarray, recipe: Recipe, shape: tuple[int, int]
) -> None:
    renderer.blend(crop, renderer.fit_nodule(recipe, shape), recipe)


def measure_steps(stack: Stack, seed: int, repeats: int) -> dict[str, float]:
    """Milliseconds a slice of each step, for one box of the median size.

    ``read`` and ``write`` are those of a stack, over its slices; ``other`` steps are timed alone.
    """
    renderer = Renderer(Settings())
    pixels = stack.pixels[0]
    slice01 = to_unit(pixels)
    box = box_of(54, pixels.shape)
    (recipe,) = renderer.plan(stack.pixels, [box], seed)
    crop = slice01[crop_window(box, pixels.shape)].copy()
    nodule = renderer.fit_nodule(recipe, pixels.shape)
    blend = renderer.blend
    assert isinstance(blend, Harmonise)
    images, window = np.stack([crop + nodule.contribution, crop]), support(nodule.mask)
    harmonised = blend.harmonised(images, window, recipe)
    done, _ = renderer.render(pixels, [recipe])
    output = to_output(pixels, noise_and_blur(done, noise_and_blur_stream(seed, 0)), CHALLENGE)
    with tempfile.TemporaryDirectory() as folder:
        path, written = Path(folder) / "read.mha", Path(folder) / "written.mha"

        def write(target: Path = written, image: np.ndarray = output) -> None:
            with StackWriter(target, GEOMETRY, (4, *image.shape), image.dtype) as writer:
                for _ in range(4):
                    writer.write(image)

        write(path, pixels)
        works = {
            "read": lambda: read_stack(path),
            "scale": lambda: to_unit(pixels),
            "otsu": lambda: top_threshold(slice01),
            "fit_to_box": lambda: renderer.fit_nodule(recipe, pixels.shape),
            "paste": lambda: paste(crop, nodule),
            "generators": lambda: blend.harmonised(images, window, recipe),
            "add_back": lambda: blend.added_back(crop, nodule, window, harmonised, recipe.weight),
            "noise_and_blur": lambda: noise_and_blur(slice01, noise_and_blur_stream(seed, 0)),
            "output": lambda: to_output(pixels, done, CHALLENGE),
            "write": write,
        }
        ms = interleaved_ms(works, repeats)
    for step in ("read", "write"):
        ms[step] /= 4
    return ms


def fixed_ms(steps: dict[str, float]) -> float:
    """Everything but the generators; a slice is scaled twice, to plan and to render."""
    alone = sum(value for step, value in steps.items() if step != "generators")
    return alone + steps["scale"] + steps["fit_to_box"]
