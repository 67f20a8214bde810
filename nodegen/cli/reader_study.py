"""``nodegen reader-study``: make a study of real and synthetic nodules, or analyse one."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from nodegen.cli.options import AnyDevice, Flag, Overwrite, RealFolder, SyntheticFolders, flat
from nodegen.errors import SettingError
from nodegen.evaluation.reader_study.study_plan import StudyPlan
from nodegen.io.files import check_writable
from nodegen.settings import METHODS, Settings, Words

_MAKE, _ANALYSE = map(Group.create_ordered, ("To make a study", "To analyse it"))
_Make, _Read = Parameter(group=_MAKE), Parameter(group=_ANALYSE)
_Plan = Annotated[StudyPlan, _Make, flat(sides="size-px")]


def reader_study(
    *,
    output: Path | None = None,
    real: Annotated[RealFolder | None, _Make] = None,
    boxes: Annotated[Path | None, _Make] = None,
    radiographs: Annotated[list[Path] | None, _Make] = None,
    synthetic: Annotated[SyntheticFolders | None, _Make] = None,
    choices: _Plan = StudyPlan(),
    method: Annotated[Words, _Make] = Words(("singan",)),
    view: Annotated[Literal["crop", "radiograph"], _Make] = "crop",
    title: Annotated[str, _Make] = "Reader study",
    device: Annotated[AnyDevice, _Make] = "auto",
    analyse: Annotated[list[Path] | None, _Read] = None,
    key: Annotated[Path | None, _Read] = None,
    plan: Flag = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a blinded study of real and synthetic nodules, or analyse one.

    Makes one page that a reader opens offline and answers, with real nodules, synthetic ones and
    untouched places, and a key that stays with you. `--analyse` reads the answers that come back.
    See [Reader studies](reader-study.md).

    Parameters
    ----------
    output
        The page to write, its key beside it; with --analyse the folder of the results.
    boxes
        Table of their boxes: NODE21's metadata.csv, COCO, or a CSV of stem, x, y, width, height; if
        it is not given, boxes.csv in --real.
    radiographs
        Folders of radiographs without nodules; if they are not given, synthetic nodules go into the
        radiographs of --real, beside their own.
    method
        How nodules are blended in: of singan, poisson, paste; several draw equally many and are
        analysed separately.
    view
        What is seen around a place.
    title
        Of the page.
    analyse
        The answers that the readers sent back, one file a reader.
    key
        The study's key.json.
    plan
        Print how many cases and readers give which interval, and stop.
    """
    if plan:
        from nodegen.evaluation.reader_study.multireader import sample_sizes

        print("Half of the 95 % interval, over readers and cases, where readers are at chance:\n")
        print(sample_sizes())
        return
    if output is None:
        raise SettingError("--output is missing; give it, or --plan alone.")
    if analyse:
        if key is None:
            raise SettingError("--key is missing; give the study's key.json.")
        from nodegen.evaluation.reader_study import analysis

        for name in analysis.WRITTEN:
            check_writable(output / name, overwrite=overwrite)
        print(analysis.markdown(analysis.analyse(key, analyse, output)))
        print(f"analysis: {output / analysis.PAGE}")
        return
    if real is None:
        raise SettingError("--real is missing; give it, or --plan alone.")
    from nodegen.evaluation.boxed_images import read_real, read_synthetic
    from nodegen.evaluation.reader_study.design import Material, plan_study
    from nodegen.evaluation.reader_study.study_page import key_of, write_study
    from nodegen.io.read_box_table import read_box_table
    from nodegen.renderer import Renderer

    check_writable(output, overwrite=overwrite, suffix=".html")
    check_writable(key_of(output), overwrite=overwrite)
    if set(method) - set(METHODS[:3]):
        raise SettingError(
            f"--method is {method}, where one or more of {', '.join(METHODS[:3])} are allowed; "
            "choose among them."
        )
    found = list(read_real([real], [read_box_table(boxes or real / "boxes.csv")]))
    untouched = list(read_real(radiographs)) if radiographs else []
    made = [image for folder in synthetic or () for image in read_synthetic(folder)]
    # Real radiographs have no noise and blur of ours, so neither have the others.
    renderers = {
        name: Renderer(Settings(method=name, noise_and_blur=False, device=device))
        for name in method
    }
    cases = plan_study(choices, Material(found, untouched, made, renderers))
    secret = write_study(output, cases, choices, view, title)
    print(f"study for the readers: {output}")
    print(f"key, not for them: {secret}")
