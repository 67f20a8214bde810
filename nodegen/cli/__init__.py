"""The command line: one module for each command, imported when that command is called."""

import argparse
import difflib
import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

from nodegen import __version__
from nodegen.cli.guard import STOPPED, USAGE_FAULT, Terminated, guarded

__all__ = ["COMMANDS", "USAGE_FAULT", "Terminated", "guarded", "main"]

COMMANDS = {
    "generate": "draw a synthetic nodule into each box of a stack",
    "phantom": "simulate a stack of radiographs with boxes",
    "place": "draw boxes where nodules lie, for any radiographs",
    "dataset": "make a training set from radiographs",
    "standardise": "bring radiographs to NODE21's grey scale and crop",
    "picture": "lay a stack before and after side by side",
    "judge": "measure how real the nodules of a stack are",
    "compare": "run several methods with the same recipes, and judge them",
    "reference": "measure real nodules, to hold synthetic ones against them",
    "sheet": "lay real and synthetic nodules side by side",
    "reader-study": "make a blinded study of real and synthetic nodules, or analyse one",
    "utility": "measure what a detector learns from synthetic nodules",
    "prepare": "project CT nodules into a library",
    "synthesise-nodules": "draw CT patches of nodules from the fitted model",
    "training-crop": "cut a training image around pasted nodules",
    "train": "train a cascade on one image",
    "margins": "measure how far beyond a mask the cascades must compute",
}
# Commands of which a stopped run is gone on with, and how.
_AGAIN = "what is done is kept, run the same command to go on"
RESUMED = {
    "dataset": _AGAIN,
    "utility": _AGAIN,
    "train": "the last checkpoint is kept, run it again with --resume to go on",
}


class _Parser(argparse.ArgumentParser):
    """Ends a usage fault with one clear line, the last on stderr."""

    def error(self, message: str) -> NoReturn:
        with suppress(OSError):
            sys.stderr.write(
                f"{self.prog}: {message}; `{self.prog} --help` lists what is allowed.\n"
            )
        raise SystemExit(USAGE_FAULT)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            likely = _likely(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f"{error.message}{likely}") from None


def _parser(command: str | None) -> tuple[_Parser, _Parser]:
    """The parser of everything, and that of the command that is called."""
    parser = _Parser(
        prog="nodegen",
        description="Synthetic lung nodules, harmonised into chest radiographs.",
    )
    parser.add_argument("--version", action="version", version=f"nodegen {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = parser
    for name, line in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == command:
            module = importlib.import_module(f"nodegen.cli.{name.replace('-', '_')}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
            called = sub
    return parser, called


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code, as :func:`nodegen.cli.guard.guarded` does."""
    arguments = sys.argv[1:] if argv is None else argv
    command = next((a for a in arguments if not a.startswith("-")), None)
    parser, called = _parser(command)
    if command is not None and command not in COMMANDS:
        parser.error(f"there is no command {command!r}{_likely(command, COMMANDS)}")
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0]
        likely = _likely(name, called._option_string_actions)
        called.error(f"unrecognized arguments: {' '.join(unknown)}{likely}")
    return guarded(lambda: args.run(args), RESUMED.get(str(command), STOPPED))


def _likely(word: str, allowed: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(allowed), n=1)
    return f"; did you mean {found[0]}?" if found else ""
