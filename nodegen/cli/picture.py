"""``nodegen picture``: show a stack before and after in one picture."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from nodegen.cli.options import Overwrite, Positive, refuse_results


def picture(
    *,
    radiographs: Path,
    synthetic: Path,
    boxes: Path | None = None,
    output: Path,
    rows: Positive = 4,
    side: Annotated[int, Parameter(validator=Number(gte=1, lte=4096))] = 320,
    overwrite: Overwrite = False,
) -> None:
    """Show a stack before and after in one picture.

    One PNG: a row for each box, those seen best first, with its slice after, every box marked, and
    the box enlarged before and after.

    Parameters
    ----------
    radiographs
        Untouched stack, or the folder that holds it.
    synthetic
        The same stack with nodules, or its folder.
    boxes
        Its boxes; if they are not given, nodules.json beside the untouched stack.
    output
        The PNG to write.
    rows
        Boxes to show.
    side
        Side of each panel, px.
    """
    from nodegen.evaluation.picture import before_after
    from nodegen.io.boxes import BOXES, read_boxes
    from nodegen.io.stack import image_at, read_stack

    refuse_results(overwrite, output)
    untouched = image_at(radiographs)
    before = read_stack(untouched).pixels
    after = read_stack(image_at(synthetic)).pixels
    found = read_boxes(boxes or untouched.with_name(BOXES), before.shape)
    before_after(before, after, found, output, rows=rows, side=side)
    print(output)
