"""What several commands share: how values are written, options of one meaning.

Several words or numbers stand with commas between them (``--seeds 1,2``), both ends of a range with
a dash (``--size-mm 6-30``). Several files or folders stand one after the other, or the option comes
several times (``--synthetic a b`` or ``--synthetic a --synthetic b``), so that a shell's ``*``
works.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from nodegen.cli import run_app
from nodegen.settings import Device, Words

Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Seed = Annotated[int, Parameter(validator=Number(gte=0, lt=2**63), help="Of all that is random.")]
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Overwrite = Annotated[
    bool,
    Parameter(negative=(), show_default=False, help="Replace a result that is there already."),
]
# Options of one meaning in several commands.
RealFolder = Annotated[
    Path, Parameter(help="Real radiographs with nodules, one a file, here or in folders below.")
]
SyntheticFolders = Annotated[
    list[Path],
    Parameter(
        help="Folders of a stack with synthetic nodules and its recipes.json or nodules.json."
    ),
]
ReferenceFile = Annotated[
    Path | None,
    Parameter(help="Measured real nodules, from `nodegen reference`; unless given, nodegen's own."),
]
Sources = Annotated[
    Words,
    Parameter(
        help="Compare with those nodules of the reference whose boxes are of these kinds; unless "
        "given, those that it names as its main ones."
    ),
]
AnyDevice = Annotated[Device, Parameter(help="auto: CUDA where there is one.")]


def flat(*only: str, but: Sequence[str] = (), **names: str) -> Parameter:
    """Make options of the fields of a dataclass, all, only these, or all ``but`` some.

    ``names`` are those of options by their fields, where they differ.
    """
    # cyclopts asks it of the parameter itself, too, which is called settings where few are taken.
    fields = f"(settings|{'|'.join(only)})$" if only else f"(?!({'|'.join(but)})$)"
    return Parameter(
        name="*",
        parse=re.compile(f"^{fields}"),
        name_transform=lambda field: names.get(field, field.replace("_", "-")),
    )


def make_app(name: str, help: str | None = None) -> App:
    """Make an application whose faults are raised, and what a command returns is returned.

    Without ``help`` it is the docstring of its function.
    """
    return App(
        name=name,
        help=help,
        default_parameter=Parameter(
            consume_multiple=True, negative_iterable=(), show_default=shown
        ),
        help_format="markdown",
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )


def shown(default: object) -> str | None:
    """A default as it is typed; None where there is none."""
    return None if default is None or default == "" or default == () else str(default)


def run_function(
    function: Callable[..., int | None], name: str, words: Sequence[str] | None
) -> int:
    """Run a function as a command of this name, with the exit codes of ``nodegen``.

    Its parameters are the options, its docstring is the help. Without words of a command line they
    are the process's.
    """
    app = make_app(name)
    app.default(function)
    return run_app(lambda: app, sys.argv[1:] if words is None else words)
