"""``nodegen generate``: draw a synthetic nodule into each box of a stack."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, ArgumentCollection, Token

from nodegen.cli.options import Overwrite, flat, make_app
from nodegen.errors import SettingError
from nodegen.io.files import check_writable
from nodegen.settings import Settings


def _from_recipes(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take the settings that are not given from ``--recipes``, and refuse what these hold."""
    from nodegen.pipeline import PLANNED, settings_of

    given = arguments["--recipes"].tokens
    if not given:
        return
    path = Path(given[-1].value)
    for name in ("seed", *PLANNED):
        if arguments[f"--{name}"].tokens:
            raise SettingError(
                f"--{name} is given beside --recipes, which hold what was drawn by it; leave it "
                f"out, or edit {path}."
            )
    for name, value in settings_of(path).items():
        argument = arguments[f"--{name.replace('_', '-')}"]
        if not argument.tokens:
            argument.append(Token(keyword=argument.name, value=str(value), source=str(path)))


generate = make_app("generate")
generate.config = _from_recipes


@generate.default
def _generate(
    *,
    input: Path,
    output: Path,
    settings: Annotated[Settings, flat()] = Settings(),
    masks: Path | None = None,
    masks_by_box: Path | None = None,
    recipes: Path | None = None,
    report: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw a synthetic nodule into each box of a stack.

    Runs what the container runs, with every choice open. Writes the stack under its own name and
    `recipes.json` to the output folder.

    Parameters
    ----------
    input
        Folder of one image and its nodules.json.
    output
        Folder that gets the image under the same name, and recipes.json.
    masks
        Folder that gets the nodules' masks.
    masks_by_box
        Folder that gets each nodule's mask by itself, one slice a box, so that overlapping ones
        lose nothing.
    recipes
        Replay a run from its recipes.json, with its settings where no others are given.
    report
        File that gets an HTML report.
    """
    import time

    from nodegen.io.boxes import RECIPES
    from nodegen.pipeline import generate

    read = [*input.glob("*"), output / RECIPES, *filter(None, [recipes])]
    check_writable(report, overwrite=overwrite, inputs=read, suffix=".html")
    if report:
        from nodegen.evaluation.report.report_page import Treated, write_report
    start = time.perf_counter()
    done = generate(
        input,
        output,
        settings,
        recipes=recipes,
        masks=masks,
        masks_by_box=masks_by_box,
        overwrite=overwrite,
    )
    print(*done.lines(time.perf_counter() - start), sep="\n")
    if report:
        write_report(report, [Treated.by(done, input)])
        print(f"report: {report}")
