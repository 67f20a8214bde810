"""What one slice costs, step by step, with one box in it."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.generators import SIDES_PX, interleaved_ms, median_ms
from nodegen.io.boxes import Box, Recipe
from nodegen.io.stack import Stack, read_stack, stack_writer
from nodegen.lungs.region import find_region
from nodegen.renderer import Renderer
from nodegen.settings import METHODS, Settings
from nodegen.synthesis.context import SliceContext, to_output, to_unit, top_threshold
from nodegen.synthesis.fit_to_box import crop_window
from nodegen.synthesis.harmonise import Harmonise
from nodegen.synthesis.noise_and_blur import noise_and_blur, noise_and_blur_stream
from research.phantom import GEOMETRY

CHALLENGE = Settings().intensity


def box_of(side_px: int, shape: tuple[int, ...]) -> Box:
    """A square box of ``side_px`` in the left half of a slice of ``shape`` (row, column)."""
    top, left = shape[0] // 2 - side_px // 2, shape[1] * 3 // 10 - side_px // 2
    return Box(0, left, top, left + side_px, top + side_px, 0)


def measure_methods(stack: Stack, seed: int, repeats: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one box by method and box side: fitting and blending, not the slice."""
    results: dict[str, dict[str, float]] = {}
    slice01 = to_unit(stack.pixels[0])
    for method in METHODS:
        renderer = Renderer(Settings(method=method))
        results[method] = {}
        for side in SIDES_PX:
            (recipe,) = renderer.plan(stack.pixels, [box_of(side, slice01.shape)], seed)
            work = partial(_fit_and_blend, renderer, stack.pixels[0], slice01.copy(), recipe)
            results[method][str(side)] = median_ms(work, repeats)
    return results


def _fit_and_blend(
    renderer: Renderer, untouched: np.ndarray, slice01: np.ndarray, recipe: Recipe
) -> None:
    renderer.blend(slice01, renderer.fit_nodule(SliceContext(untouched), recipe), recipe)


def measure_steps(stack: Stack, seed: int, repeats: int) -> dict[str, float]:
    """Milliseconds a slice of each step, for one box of the median size.

    ``read`` and ``write`` are those of a stack, over its slices; ``plan`` holds the fit to the box.
    """
    renderer = Renderer(Settings())
    pixels, box = stack.pixels[0], box_of(54, stack.pixels.shape[1:])
    context = SliceContext(pixels)
    (recipe,) = renderer.plan_slice(context, [box], seed)
    window = crop_window(box, pixels.shape)
    crop, nodule = context.slice01[window], renderer.fit_nodule(context, recipe)
    blend, without = renderer.blend, Harmonise(None)
    assert isinstance(blend, Harmonise)
    reach = nodule.seen_from(window).reach
    images = np.stack([nodule.seen_from(window).pasted(crop), crop])
    slice01, _ = renderer.render(context, [recipe])
    output = to_output(context, noise_and_blur(slice01, noise_and_blur_stream(seed, 0)), CHALLENGE)
    with tempfile.TemporaryDirectory() as folder:
        path, written = Path(folder) / "read.mha", Path(folder) / "written.mha"

        def write(target: Path = written, image: np.ndarray = output) -> None:
            with stack_writer(target, GEOMETRY, (4, *image.shape), image.dtype) as put:
                for _ in range(4):
                    put(image)

        write(path, pixels)
        works = {
            "read": lambda: read_stack(path),
            "scale": lambda: to_unit(pixels),
            "otsu": lambda: top_threshold(context.slice01),
            "lungs": lambda: find_region(context.slice01),
            "plan": lambda: renderer.plan_slice(context, [box], seed),
            "generators": lambda: blend.harmonised(images, reach, recipe),
            "add_back": lambda: without(slice01, nodule, recipe),
            "noise_and_blur": lambda: noise_and_blur(slice01, noise_and_blur_stream(seed, 0)),
            "output": lambda: to_output(context, slice01, CHALLENGE),
            "write": write,
        }
        ms = interleaved_ms(works, repeats)
    for step in ("read", "write"):
        ms[step] /= 4
    return ms


def fixed_ms(steps: dict[str, float]) -> float:
    """Everything but the generators."""
    return sum(value for step, value in steps.items() if step != "generators")
