"""Compare methods: the same nodules in the same places by each of them, judged alike."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, product
from pathlib import Path

from nodegen.errors import SettingError, StackError
from nodegen.evaluation.fidelity.judge import Verdict
from nodegen.evaluation.fidelity.reference import Reference
from nodegen.evaluation.fidelity.verdict_table import comma_separated, markdown
from nodegen.evaluation.report.report_page import Treated, write_report
from nodegen.evaluation.utility.arms import MADE
from nodegen.io.boxes import BOXES
from nodegen.io.files import write_text
from nodegen.io.tables import json_text
from nodegen.pipeline import generate
from nodegen.settings import METHODS, Settings

COMPARED = (*METHODS, "singan-paper")
TABLE, REPORT = "compare", "report.html"


def compare(
    inputs: Sequence[Path],
    output: Path,
    methods: Sequence[str],
    seeds: Sequence[int],
    settings: Settings,
    *,
    reference: Reference | None = None,
    overwrite: bool = False,
) -> dict[str, Verdict]:
    """Run each method on each input with each seed, and return the verdict on each method.

    Parameters
    ----------
    inputs : list of Path
        Folders with one image and ``nodules.json``, or folders of such folders. A folder that is
        given twice, by whatever path, counts once.
    output : Path
        Gets ``STACK/METHOD-SEED/`` for each run, ``compare.csv``, ``.json`` and ``.md``, and
        ``report.html``.
    methods : list of str
        Of ``COMPARED``.
    seeds : list of int
        The same for all methods, so that recipes are, too.
    settings : Settings
        Of all runs; method, seed and add-back are set for each.
    reference : Reference, optional
        Real nodules; None: those that are shipped.
    overwrite : bool
        Of each run, as :func:`nodegen.pipeline.generate` has it.

    Raises
    ------
    SettingError
        Where methods or seeds are none, unknown or given twice.
    StackError, BoxesError, OutputError
        As :func:`nodegen.pipeline.generate`; where a folder holds no case.
    """
    wanted = f"one or more of {', '.join(COMPARED)}"
    for name, given, allowed in (("methods", methods, wanted), ("seeds", seeds, "one or more")):
        if not given or len(set(given)) < len(given) or set(methods) - set(COMPARED):
            raise SettingError(
                f"The {name} are {', '.join(map(str, given)) or 'none'}, where {allowed} are "
                "allowed, each once; give others."
            )
    folders = list(dict.fromkeys(case.resolve() for given in inputs for case in _cases(given)))

    def runs() -> Iterator[Treated]:
        for folder, name in zip(folders, _names(folders), strict=True):
            for method, seed in product(methods, seeds):
                print(f"{method}, {name}, seed {seed}", flush=True)
                done = generate(
                    folder,
                    output / name / f"{method}-{seed}",
                    replace(settings, seed=seed, **MADE[method]),  # type: ignore[arg-type]
                    overwrite=overwrite,
                )
                yield Treated.by(done, folder, method, name)

    verdicts = write_report(output / REPORT, runs(), reference)
    write_text(output / f"{TABLE}.md", markdown(verdicts) + "\n")
    write_text(output / f"{TABLE}.csv", comma_separated(verdicts))
    write_text(output / f"{TABLE}.json", json_text(verdicts))
    return verdicts


def _cases(folder: Path) -> list[Path]:
    """The folder itself where it holds a case, or those of its folders that do."""
    if (folder / BOXES).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{BOXES}"))
    if not found:
        raise StackError(
            f"{folder} holds no {BOXES}, nor does any folder in it; give a folder with one image "
            "and its boxes, or a folder of such folders."
        )
    return found


def _names(folders: Sequence[Path]) -> list[str]:
    """Each folder's own name, with a number where one before it has the same."""
    names: list[str] = []
    for folder in folders:
        options = chain([folder.name], (f"{folder.name}-{number}" for number in count(2)))
        names.append(next(name for name in options if name not in names))
    return names
