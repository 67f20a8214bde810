"""The command line: its modules are imported when their commands are called."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nodegen import __version__
from nodegen.cli.guard import STOPPED, USAGE_FAULT, Terminated, guarded
from nodegen.errors import SettingError

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

__all__ = ["COMMANDS", "USAGE_FAULT", "Terminated", "build", "guarded", "main", "run_app"]

# Each command under its group: what it does, as the list of commands says it.
GROUPS = {
    "Everyday": {
        "generate": "Draw a synthetic nodule into each box of a stack.",
        "dataset": "Make a training set from radiographs.",
        "place": "Draw boxes where nodules lie, for any radiographs.",
        "standardise": "Bring radiographs to NODE21's grey scale and crop.",
        "picture": "Show a stack before and after in one picture.",
        "sample": "Write a stack of simulated radiographs with boxes.",
    },
    "Training": {
        "train": "Train a cascade on one image.",
        "training-crop": "Cut a training image around pasted nodules.",
        "prepare": "Project CT nodules into a library.",
    },
    "Evaluation": {
        "judge": "Measure how real the nodules of a stack are.",
        "compare": "Run several methods with the same recipes, and judge them.",
        "reference": "Measure real nodules, for synthetic ones to be compared with.",
        "sheet": "Show real and synthetic nodules of like size side by side.",
        "reader-study": "Make a blinded study of real and synthetic nodules, or analyse one.",
        "utility": "Measure what a detector learns from synthetic nodules.",
    },
}
# The modules of the commands, where they have other names.
_MODULES = {
    **dict.fromkeys(("place", "standardise", "picture", "sample"), "radiographs"),
    **dict.fromkeys(("train", "training-crop", "prepare"), "training"),
    **dict.fromkeys(("judge", "compare", "reference", "sheet"), "fidelity"),
}
COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}
# What a stopped run of these commands has left, and how to resume it.
_RESUMED = {
    "dataset": "finished images are kept; run the same command to resume",
    "utility": "finished parts are kept; run the same command to resume",
    "train": "the last checkpoint is kept; run the same command to resume",
}
# Options of another name for what a command has under one of these names.
_SYNONYMS = {
    "--radiographs": ("--input", "--inputs", "--images", "--backgrounds", "--untouched",
                      "--before", "--healthy"),
    "--synthetic": ("--after",),
    "--output": ("--out", "--out-dir", "--destination"),
    "--input": ("--radiographs", "--stack", "--image"),
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run one command, of the words given or those of the process, and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    command = words[0] if words else ""
    return run_app(lambda: build(command), words, _RESUMED.get(command, STOPPED))


def build(command: str = "") -> App:
    """Build the application; a command is imported where it is the one that is called."""
    from cyclopts import Group

    from nodegen.cli.options import make_app

    app = make_app("nodegen", "Synthetic lung nodules, harmonised into chest radiographs.")
    app.version = f"nodegen {__version__}"
    order = list(COMMANDS)
    for title, commands in GROUPS.items():
        group = Group.create_ordered(title)
        for name, line in commands.items():
            function = name.replace("-", "_")
            app.command(
                f"nodegen.cli.{_MODULES.get(name, function)}:{function}",
                name=name,
                help=None if name == command else line,
                group=group,
                sort_key=order.index(name),
            )
    return app


def run_app(app: Callable[[], App], words: Sequence[str], stopped: str = STOPPED) -> int:
    """Build an application and run it on the words of a command line, without the program's name.

    ``stopped`` and the exit code are those of :func:`nodegen.cli.guard.guarded`.
    """

    def work() -> int | None:
        from cyclopts import CycloptsError

        if "" in words:
            raise SettingError(
                "A word of the command is empty, as from a variable that is not set; give a value, "
                "or leave the option out."
            )
        try:
            built = app()
            return built(words)  # type: ignore[no-any-return]
        except CycloptsError as error:
            raise SettingError(_sentence(error, built.name[0])) from None

    return guarded(work, stopped)


def _sentence(error: CycloptsError, name: str) -> str:
    """What is wrong with a command line, and where what is allowed stands."""
    from cyclopts import MissingArgumentError, UnknownOptionError
    from pydantic import ValidationError

    said, _, likely = " ".join(str(error).split()).partition(" Did you mean ")
    match error:
        case MissingArgumentError(argument=argument) if argument and not argument.tokens:
            said = f"{argument.name} is missing."
            for given in error.unused_tokens or ():
                if given in _SYNONYMS.get(argument.name, ()):
                    likely = f"{argument.name} instead of {given}"
        case UnknownOptionError(token=token):
            given = (token.keyword or token.value).partition("=")[0]
            for argument in error.argument_collection:
                if given in _SYNONYMS.get(argument.name, ()):
                    likely = argument.name
    if isinstance(error.__cause__, ValidationError):
        said = f"{said.partition('. ')[0]}. {error.__cause__.errors()[0]['msg']}"
        said = re.sub(r"unable to convert (.*) into \w+\. ", r"\1; ", said)  # a class's name
    said = said.removesuffix(".") + (f"; did you mean {likely}" if likely else "")
    command = " ".join((name, *(error.command_chain or ())))
    return f"{said.removesuffix('?')}; `{command} --help` lists what is allowed."
