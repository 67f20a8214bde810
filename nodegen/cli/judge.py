"""``nodegen judge``: measure how real the nodules of a stack are."""

from pathlib import Path

from nodegen.cli.options import Overwrite, ReferenceFile, Sources, refuse_results
from nodegen.settings import Words


def judge(
    *,
    radiographs: list[Path],
    synthetic: list[Path],
    boxes: list[Path] | None = None,
    reference: ReferenceFile = None,
    annotation_sources: Sources = Words(),
    json: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure how real the nodules of a stack are.

    Measures every box, whatever made the nodules; see [fidelity](fidelity.md) for what it measures.

    Parameters
    ----------
    radiographs
        Untouched stacks, or the folders that hold them.
    synthetic
        The same stacks with nodules, or their folders, in the same order.
    boxes
        Their boxes, in the same order; if they are not given, nodules.json beside each untouched
        stack.
    json
        File that gets all figures, box by box.
    """
    from itertools import starmap
    from json import dumps

    from nodegen.errors import SettingError
    from nodegen.evaluation.fidelity.judge import judge, read_pair
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.table import markdown
    from nodegen.io.boxes import BOXES
    from nodegen.io.files import write_text
    from nodegen.io.stack import image_at
    from nodegen.progress import track

    refuse_results(overwrite, json)
    if len({len(radiographs), len(synthetic), len(boxes or radiographs)}) != 1:
        raise SettingError(
            f"There are {len(radiographs)} of --radiographs, {len(synthetic)} of --synthetic and "
            f"{len(boxes or ())} of --boxes; give as many of each, in the same order."
        )
    before, after = ([image_at(place) for place in places] for places in (radiographs, synthetic))
    tables = boxes or [image.with_name(BOXES) for image in before]
    known = Reference.load(reference or SHIPPED).with_sources(annotation_sources)
    pairs = track(
        starmap(read_pair, zip(before, after, tables, strict=True)),
        len(before),
        "judging",
        "stack",
        show=len(before) > 1,
    )
    verdict = judge(pairs, known)
    print(markdown({"synthetic": verdict}))
    if json:
        write_text(json, dumps(verdict.as_dict(), indent=2) + "\n")
