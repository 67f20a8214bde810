"""The manual's pages that are made from the code: the commands, the reference, the changes."""

import argparse
import importlib
import json
import re
from pathlib import Path

import mkdocs_gen_files

import nodegen
from nodegen.cli import COMMANDS
from nodegen.schemas import FILES


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def form(action: argparse.Action) -> str:
    """An option as it is typed: its name and what follows it."""
    if isinstance(action, argparse.BooleanOptionalAction) or action.nargs == 0:
        return ", ".join(f"`{word}`" for word in action.option_strings)
    choices = "|".join(map(str, action.choices)) if action.choices else ""
    value = choices or str(action.metavar or action.dest.upper())
    if isinstance(action.metavar, tuple):
        value = " ".join(action.metavar)
    more = " …" if action.nargs in ("+", "*") else ""
    name = action.option_strings[0] + " " if action.option_strings else ""
    return f"`{name}{value}{more}`".replace("|", "\\|")


def rows(parser: argparse.ArgumentParser) -> list[str]:
    """A table's rows, one for each option."""
    lines = ["| option | what |", "|---|---|"]
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        told = (action.help or "") % {**vars(action), "prog": parser.prog}
        required = " **Required.**" if action.required and action.option_strings else ""
        lines.append(f"| {form(action)} | {cell(told)}{required} |")
    return lines


def commands() -> str:
    """The page of all commands, from their own parsers."""
    parts = [
        "# Commands",
        "`nodegen COMMAND --help` shows the same in a shell. A fault in what was given ends in one "
        "sentence, the last line on stderr, and exit code 2.",
    ]
    for name, line in COMMANDS.items():
        module = importlib.import_module(f"nodegen.cli.{name.replace('-', '_')}")
        parser = argparse.ArgumentParser(prog=f"nodegen {name}")
        module.add_arguments(parser)
        more = (module.__doc__ or "").partition("\n")[2].strip()
        parts += [f"## nodegen {name}", line[0].upper() + line[1:] + ".", more]
        parts.append("\n".join(rows(parser)))
    return "\n\n".join(part for part in parts if part) + "\n"


def reference() -> str:
    """The page of the public names, in the order of ``__all__``."""
    names = [name for name in nodegen.__all__ if not name.startswith("__")]
    blocks = [f"::: {nodegen._HOMES[name]}.{name}" for name in names]
    intro = "# Python reference\n\nThese names are the public interface, all in `nodegen.__all__`."
    return intro + "\n\n" + "\n\n".join(blocks) + "\n"


root = Path(__file__).resolve().parents[2]


def cards() -> str:
    """The page of everything in model/ that was trained or fitted: each folder's own card."""
    parts = [
        (root / "model" / name / "README.md").read_text()
        for name in sorted(path.parent.name for path in (root / "model").glob("*/README.md"))
    ]
    below = [re.sub(r"^#", "##", part, flags=re.M) for part in parts]
    return "# Model cards\n\nWhat nodegen ships in `model/`.\n\n" + "\n\n".join(below)


pages = {
    "cards.md": cards(),
    "commands.md": commands(),
    "reference.md": reference(),
    "changelog.md": (root / "CHANGELOG.md").read_text(),
    "contributing.md": (root / "CONTRIBUTING.md").read_text(),
}
for page, text in pages.items():
    with mkdocs_gen_files.open(page, "w") as file:
        file.write(text)

for name, model in FILES.items():
    with mkdocs_gen_files.open(f"schemas/{name.replace('.json', '.schema.json')}", "w") as file:
        json.dump(model.model_json_schema(), file, indent=2)
