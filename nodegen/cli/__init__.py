"""The command line: one module for each command, imported when that command is called."""

import argparse
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from nodegen import __version__
from nodegen.cli.extras import missing
from nodegen.errors import NodegenError

COMMANDS = {
    "generate": "draw a synthetic nodule into each box of a stack",
    "phantom": "simulate a stack of radiographs with boxes",
    "picture": "lay a stack before and after side by side",
    "judge": "measure how real the nodules of a stack are",
    "compare": "run several methods with the same recipes, and judge them",
    "reference": "measure real nodules, to hold synthetic ones against them",
    "sheet": "lay real and synthetic nodules side by side",
    "reader-study": "make a blinded study of real and synthetic nodules, or analyse one",
    "utility": "measure what a detector learns from synthetic nodules",
    "prepare": "project CT nodules into a library",
    "fit-nodules": "fit the model of lung nodules to CT patches",
    "synthesise-nodules": "draw CT patches of nodules from the fitted model",
    "training-crop": "cut a training image around pasted nodules",
    "train": "train a cascade on one image",
    "margins": "measure how far beyond a mask the cascades must compute",
    "bench": "measure what a box, a slice and a stack cost",
}
USAGE_FAULT = 2
# Objects between two passes of Python's collector. Its own 700 has it go hundreds of times over
# modules that stay: an eighth of the start.
COLLECT_AFTER = 50_000


class _Parser(argparse.ArgumentParser):
    """Ends a usage fault with one clear line, the last on stderr."""

    def error(self, message: str) -> None:  # type: ignore[override]
        sys.stderr.write(f"{self.prog}: {message}; `{self.prog} --help` lists what is allowed.\n")
        raise SystemExit(USAGE_FAULT)


def _parser(command: str | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nodegen",
        description="Synthetic lung nodules, harmonised into chest radiographs.",
    )
    parser.add_argument("--version", action="version", version=f"nodegen {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=line[0].upper() + line[1:] + ".")
        if name == command:
            module = importlib.import_module(f"nodegen.cli.{name.replace('-', '_')}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code.

    0: done. 2: a fault of the user's, told in one sentence on stderr. 130 or 143: interrupted.
    """
    arguments = sys.argv[1:] if argv is None else argv
    command = next((a for a in arguments if not a.startswith("-")), None)
    args = _parser(command).parse_args(arguments)
    return guarded(lambda: args.run(args))


def guarded(work: Callable[[], int | None]) -> int:
    """Call ``work`` and turn faults and interrupts into exit codes; see :func:`main`."""
    gc.set_threshold(COLLECT_AFTER)
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        return work() or 0
    except NodegenError as error:
        print(f"nodegen: {error}", file=sys.stderr)
        return USAGE_FAULT
    except ModuleNotFoundError as error:
        print(f"nodegen: {missing(error)}", file=sys.stderr)
        return USAGE_FAULT
    except KeyboardInterrupt:
        print("nodegen: interrupted; nothing was written.", file=sys.stderr)
        return 128 + signal.SIGINT
    except Terminated:
        print("nodegen: terminated; nothing was written.", file=sys.stderr)
        return 128 + signal.SIGTERM
    except BrokenPipeError:
        # Whoever read our output has gone: nothing to tell, and nobody to tell it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    finally:
        signal.signal(signal.SIGTERM, previous)


class Terminated(BaseException):
    """SIGTERM; travels up like Ctrl-C does, so that every file is cleared away."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
