"""What a run ends its log with, on the command line and in the container alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodegen.pipeline import Run


def lines_of(run: Run, seconds: float) -> list[str]:
    """The lines to print of a run: notes on its boxes, then what was written where.

    Parameters
    ----------
    run : Run
        What :func:`nodegen.pipeline.generate` returned.
    seconds : float
        That it took.
    """
    boxes, slices = len(run.recipes), run.slices
    return [
        *run.notes,
        f"{boxes} nodule{'s' * (boxes != 1)} in {slices} slice{'s' * (slices != 1)}, "
        f"seed {run.seed}, {seconds:.1f} s: {run.image}",
    ]
