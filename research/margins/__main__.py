"""``python -m research.margins``: measure how far beyond the mask a cascade must compute."""

import sys
from pathlib import Path

from nodegen.cli.options import Positive, Seed, run_function


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(margins, "python -m research.margins", argv)


def margins(*, model: Path, radiographs: list[Path], cases: Positive = 80, seed: Seed = 0) -> None:
    """Measure how far beyond the mask the cascades must compute.

    Stores the measured margin of each scale with the cascades: after training, and before they are
    used. Without margins the windows are larger and slower than they need to be.

    Parameters
    ----------
    model
        Folder of hyposignal and hypersignal; gets the margins.
    radiographs
        Stacks to measure on.
    cases
        Boxes for each cascade.
    seed
        Of the boxes.
    """
    from nodegen.constants import CLASSES
    from nodegen.io.stack import read_stack
    from nodegen.renderer import Renderer
    from nodegen.settings import Settings
    from research.margins.cases import draw_cases
    from research.margins.measure import BOUND, measure_margins, store_margins

    # The paper's contrast: what holds for it holds for weaker nodules, too.
    renderer = Renderer(Settings(model=model, contrast="paper"))
    stacks = [read_stack(path) for path in radiographs]
    for name in CLASSES:
        drawn = draw_cases(stacks, renderer, name, cases, seed)
        measured, error = measure_margins(renderer.cascades[name], drawn)
        store_margins(model / name, measured, error, len(drawn))
        print(f"{name}: margins {' '.join(map(str, measured))} px, error {error:.4f} of {BOUND}")


if __name__ == "__main__":
    sys.exit(main())
