"""An arm's radiographs with nodules: the same places and the same nodules for each method."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from nodegen.constants import GREY_MAX
from nodegen.evaluation.utility.arms import DISCS, NULL, Arm
from nodegen.evaluation.utility.cache import Arrays, once
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.evaluation.utility.trained_detector import ScaledRadiograph, scaled, with_change
from nodegen.io.boxes import Box
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.context import SliceContext, to_output, to_unit


class TrainingImages:
    """Draws synthetic nodules into radiographs, and keeps what they change in a store."""

    def __init__(self, store: Path, settings: Settings, seed: int):
        self.store, self.seed = store, seed
        self.settings = replace(settings, noise_and_blur=False, intensity="input")
        self._renderers: dict[str | None, Renderer] = {}

    def make(
        self, arm: Arm, pixels: np.ndarray, nodules: Sequence[Box]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A radiograph (row, column) with an arm's nodules, and the contrast to noise of each.

        It is what was asked for; a disc, or nothing, has that of the nodule in whose place it is.
        """
        renderer, context = self._renderer(arm), SliceContext(pixels)
        recipes = renderer.plan_slice(context, nodules, self.seed)
        asked = {recipe.box.edges: recipe.visibility_asked for recipe in recipes}
        if arm.made == NULL:
            drawn = context.slice01
        elif arm.made == DISCS:
            drawn = draw_discs(pixels, nodules, self.seed)
        else:
            drawn = renderer.render(context, recipes)[0]
        visibility = np.array([asked[box.edges] for box in nodules])
        return to_output(context, drawn, "input"), visibility

    def image(self, arm: Arm, one: BoxedRadiograph) -> ScaledRadiograph:
        """A background at the network's size, with what its nodules change, drawn now or before."""
        pixels = one.load()
        untouched = scaled(pixels, one.nodules)

        def draw() -> Arrays:
            drawn, visibility = self.make(arm, pixels, one.nodules)
            change = scaled(drawn, like=untouched).image - untouched.image
            return {"change": change, "visibility": visibility}

        renderer, boxes = self._renderer(arm), [box.edges for box in one.nodules]
        parts = [pixels, boxes, arm.made, self.seed, asdict(renderer.settings),
                 renderer.model_sha256, renderer.library.sha256]  # fmt: skip
        return with_change(untouched, **once(self.store, "drawn", parts, draw))

    def _renderer(self, arm: Arm) -> Renderer:
        """The renderer of an arm; of discs and of nothing, one that plans as the others do."""
        if arm.made not in self._renderers:
            own = {"method": "none", **arm.settings}
            self._renderers[arm.made] = Renderer(replace(self.settings, **own))  # type: ignore[arg-type]
        return self._renderers[arm.made]


# --- the analytic-disc baseline -------------------------------------------------------------------

# Those of which a detector learned more than of any method so far.
POWER = (0.6, 1.2)  # of sqrt(1 - r^2): below 1 flatter than what a sphere adds
RADIUS = (0.75, 0.95)  # of the box's half sides
HARMONICS = (2, 3, 4, 5)  # of the outline
HARMONIC_SIGMA = 0.05  # of each one's amplitude, in radii
HEIGHT = 600 / GREY_MAX  # median of the log-normal height, in 0..1
HEIGHT_SIGMA = 0.5  # of its logarithm
BLUR_PX = (1.0, 2.5)  # sigma
RIM_PX = 12  # beyond the box that the blur may reach


def draw_discs(pixels: np.ndarray, boxes: Sequence[Box], seed: int) -> np.ndarray:
    """Add a disc in each box to a slice (row, column), float32 in 0..1, by seed and corners."""
    made = np.pad(to_unit(pixels), RIM_PX)
    for box in boxes:
        rng = np.random.default_rng((seed, *box.edges))
        window = np.s_[box.top : box.bottom + 2 * RIM_PX, box.left : box.right + 2 * RIM_PX]
        made[window] += _disc(box.width, box.height, rng)
    inner = made[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
    return np.asarray(np.clip(inner, 0.0, 1.0))


def _disc(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """One disc for a box of ``width`` x ``height`` px, with ``RIM_PX`` around it, in 0..1."""
    power, radius = rng.uniform(*POWER), rng.uniform(*RADIUS)
    amplitudes = rng.normal(0.0, HARMONIC_SIGMA, len(HARMONICS))
    phases = rng.uniform(0.0, 2 * np.pi, len(HARMONICS))
    peak = HEIGHT * np.exp(rng.normal(0.0, HEIGHT_SIGMA))
    blur = rng.uniform(*BLUR_PX)
    y, x = np.mgrid[-RIM_PX : height + RIM_PX, -RIM_PX : width + RIM_PX] + 0.5
    u, v = x / (width / 2) - 1, y / (height / 2) - 1
    angle = np.arctan2(v, u)
    outline = 1 + sum(
        amplitude * np.cos(k * angle + phase)
        for k, amplitude, phase in zip(HARMONICS, amplitudes, phases, strict=True)
    )
    r = np.hypot(u, v) / (radius * outline)
    flat = peak * np.sqrt(np.clip(1 - r**2, 0.0, 1.0)) ** power
    return np.asarray(gaussian_filter(flat, blur), dtype=np.float32)
