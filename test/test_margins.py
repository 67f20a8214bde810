"""The shipped margins: the default windows against the full computation, after the add-back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cascades import random_cascade
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from thorough import cases

from nodegen.constants import CLASSES, N0, SCALES
from nodegen.io.boxes import Box
from nodegen.io.stack import find_image, read_stack
from nodegen.renderer import Renderer
from nodegen.settings import CONTRASTS, Settings
from nodegen.synthesis.context import SliceContext
from nodegen.synthesis.harmonise import Harmonise
from research.margins import measure
from research.margins.cases import draw_cases
from research.margins.measure import BOUND

SAMPLE = Path(__file__).parent / "sample" / "input"
# No shrinking: each case takes a full computation.
CASES = settings(
    max_examples=cases(6, 100),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def renderers():
    return {contrast: Renderer(Settings(contrast=contrast)) for contrast in CONTRASTS}


@pytest.fixture(scope="module", params=["simulated", "real"])
def stack(request):
    if request.param == "simulated":
        return read_stack(find_image(SAMPLE))
    return read_stack(find_image(request.getfixturevalue("shared") / "cxr" / "stacks" / "b"))


def harmonised(renderer, stack, recipe, add_back="grain", windows="default", cascades=None):
    context = SliceContext(stack.pixels[recipe.slice])
    made = context.slice01.copy()
    blend = Harmonise(cascades or renderer.cascades, add_back, windows)
    blend(made, renderer.fit_nodule(context, recipe), recipe)
    return made


@st.composite
def boxes(draw):
    width = draw(st.integers(12, 160))
    height = max(5, round(width * draw(st.floats(0.5, 2))))
    return draw(st.integers(0, 10**6)), width, height, draw(st.tuples(*[st.floats(0, 1)] * 2))


@CASES
@given(
    boxes(),
    st.sampled_from(CLASSES),
    st.sampled_from(CONTRASTS),
    st.integers(0, 2),
    st.integers(0, 2**40),
)
def test_default_windows_stay_within_the_bound(
    renderers, stack, where, signal, contrast, later, seed
):
    number, width, height, (right, down) = where
    slices, rows, columns = stack.pixels.shape
    left, top = round(right * (columns - width)), round(down * (rows - height))
    box = Box(number % slices, left, top, left + width, top + height, 0)
    renderer = renderers[contrast]
    (recipe,) = renderer.plan(stack.pixels, [box], seed, signal)  # both, whatever Otsu says
    recipe = replace(recipe, n0=min(N0[signal][0] + later, N0[signal][1]))
    default = harmonised(renderer, stack, recipe)
    whole = {name: measure.whole(cascade) for name, cascade in renderer.cascades.items()}
    full = harmonised(renderer, stack, recipe, cascades=whole)
    assert 2 * np.abs(default - full).max() <= BOUND  # of -1..1, where crops are 0..1


def test_exact_windows_are_exact_after_the_add_back_on_the_shipped_weights(renderers):
    renderer, stack = renderers["paper"], read_stack(find_image(SAMPLE))
    box = Box(0, 3, 300, 60, 350, 0)
    for signal in CLASSES:
        (recipe,) = renderer.plan(stack.pixels, [box], 1, signal)
        for add_back in ("grain", "paper"):
            exact, full = (
                harmonised(renderer, stack, recipe, add_back, windows)
                for windows in ("exact", "full")
            )
            np.testing.assert_allclose(2 * exact, 2 * full, atol=1e-5, rtol=0)


def test_measured_margins_keep_the_bound_and_none_do_not(renderers, monkeypatch):
    monkeypatch.setattr(measure, "BOUND", 1e-5)  # random weights reach less far than trained ones
    sample = read_stack(find_image(SAMPLE))
    cases = draw_cases([sample], renderers["paper"], "hyposignal", 2, 0)
    cascade = random_cascade()
    margins, error = measure.measure_margins(cascade, cases, progress=False)
    errors = [measure.windowing_error(cascade, case) for case in cases]
    assert max(errors) == pytest.approx(error)
    assert error <= measure.ROOM * 1e-5
    assert 0 < sum(margins) < 20 * SCALES
    cascade.margins = (0,) * SCALES
    assert max(measure.windowing_error(cascade, case) for case in cases) > error
