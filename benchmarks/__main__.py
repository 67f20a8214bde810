"""``python -m benchmarks``: what a box, a slice and a stack cost.

Measures what a box, a slice and a stack cost; see [Speed](speed.md).
"""

import sys
from pathlib import Path

from nodegen.cli.options import Positive, run_function
from nodegen.settings import Integers


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(bench, "python -m benchmarks", argv)


def bench(
    *,
    stack: Path | None = None,
    boxes: Path | None = None,
    repeats: Positive = 7,
    slices: Integers = Integers((1, 5, 20, 80)),
    saving_slices: Positive = 20,
    workers: Integers = Integers(),
    on_the_fly: Positive | None = None,
    json: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Measure what a box, a slice and a stack cost.

    Parameters
    ----------
    stack
        A stack; if it is not given, a phantom of two slices.
    boxes
        Its nodules.json; if it is not given, the phantom's.
    repeats
        Of each timing.
    slices
        Sizes of the stacks that are timed whole.
    saving_slices
        Size of the stack that is also timed without windows and folding.
    workers
        Numbers of workers whose boxes a second are measured; if they are not given, 1, and one for
        each processor that may be used.
    on_the_fly
        Measure instead how many images a second one worker of a training loop gets, over so many
        of each method.
    json
        File that gets all figures.
    plot
        File that gets the plot, a PNG.
    """
    from json import dumps

    from benchmarks.run import measure
    from benchmarks.show import plot as draw
    from benchmarks.show import table
    from nodegen.errors import SettingError
    from nodegen.io.files import check_writable, write_text

    if (stack is None) != (boxes is None):
        raise SettingError("One of --stack and --boxes is missing; give both, or neither.")
    if 0 in (*slices, *workers):
        raise SettingError("--slices or --workers holds a 0; give numbers from 1 on.")
    for path in (json, plot):
        check_writable(path)
    if on_the_fly:
        from benchmarks import on_the_fly as loop

        figures = loop.measure_on_the_fly(on_the_fly)
        print(loop.table(figures))
    else:
        figures = measure(stack, boxes, repeats, slices, saving_slices, tuple(sorted(set(workers))))
        print(table(figures))
    if json:
        write_text(json, dumps(figures, indent=2) + "\n")
    if plot and not on_the_fly:
        draw(figures, plot)


if __name__ == "__main__":
    sys.exit(main())
