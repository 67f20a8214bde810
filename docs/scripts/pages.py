"""The manual's pages that are made from the code, and links that lead to files beside docs/."""

import inspect
import json
import re
from pathlib import Path

from cyclopts import Argument, ArgumentCollection
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import nodegen
from nodegen.cli import GROUPS, build
from nodegen.cli.options import shown
from nodegen.schemas import FILES

ROOT = Path(__file__).resolve().parents[2]

# Files beside docs/ as its pages link to them, which works on GitHub, and their pages in the
# manual.
BESIDE = {
    r"\.\./CONTRIBUTING\.md": "contributing.md",
    r"\.\./CHANGELOG\.md": "changelog.md",
    r"\.\./model/\w+/README\.md": "cards.md",
    r"\.\./research/": "research/",
}


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def form(argument: Argument) -> str:
    """An option as it is typed: its names and what follows it."""
    if argument.hint is bool:
        return ", ".join(f"`{name}`" for name in argument.names)
    name = argument.name.lstrip("-").upper()
    several = " …" if argument.token_count()[1] else ""
    if argument.index is not None:
        return f"`{name}{several}`"
    choices = argument.get_choices()
    value = f"{{{','.join(choices)}}}" if choices else name
    return f"`{argument.name} {value}{several}`"


def rows(arguments: ArgumentCollection) -> list[str]:
    """A table's rows, one for each option."""
    lines = ["| option | what it does | default |", "|---|---|---|"]
    for argument in arguments:
        if argument.show:
            default = "**required**"
            if not argument.required:
                default = shown(argument.field_info.default) or ""
            lines.append(
                f"| {form(argument)} | {cell(argument.parameter.help or '')} | {default} |"
            )
    return lines


def commands() -> str:
    """The page of all commands, from their own docstrings."""
    parts = [
        "# Commands",
        "`nodegen COMMAND --help` shows the same in a shell. A fault in what was given ends in one "
        "sentence, the last line on stderr, and exit code 2.",
    ]
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        for name in names:
            app = build(name).parse_commands([name])[1][-1]
            arguments = app.assemble_argument_collection(parse_docstring=True)
            text = inspect.getdoc(app.default_command) or ""
            parts += [f"### nodegen {name}", text.partition("\nParameters\n")[0]]
            parts.append("\n".join(rows(arguments)))
    return "\n\n".join(part for part in parts if part) + "\n"


def reference() -> str:
    """The page of the public names, in the order of ``__all__``."""
    names = [name for name in nodegen.__all__ if not name.startswith("__")]
    blocks = [f"::: {nodegen._HOMES[name]}.{name}" for name in names]
    intro = "# Python reference\n\nThese names are the public interface, all in `nodegen.__all__`."
    return intro + "\n\n" + "\n\n".join(blocks) + "\n"


def cards() -> str:
    """The page of everything in model/ that was trained or fitted: each folder's own card."""
    parts = [
        (ROOT / "model" / name / "README.md").read_text()
        for name in sorted(path.parent.name for path in (ROOT / "model").glob("*/README.md"))
    ]
    below = [re.sub(r"^#", "##", part, flags=re.M) for part in parts]
    return "# Model cards\n\nWhat nodegen ships in `model/`.\n\n" + "\n\n".join(below)


def generated() -> dict[str, str | bytes]:
    """Return the content of every page and file that is made from the code."""
    pages: dict[str, str | bytes] = {
        "cards.md": cards(),
        "commands.md": commands(),
        "reference.md": reference(),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(),
    }
    # The logs of research/, whose links to docs/ lead to the pages here.
    for path in (ROOT / "research").glob("*.md"):
        pages[f"research/{path.name}"] = path.read_text().replace("](../docs/", "](../")
    for path in (ROOT / "research").glob("*.png"):
        pages[f"research/{path.name}"] = path.read_bytes()
    for name, model in FILES.items():
        schema = json.dumps(model.model_json_schema(), indent=2)
        pages[f"schemas/{name.replace('.json', '.schema.json')}"] = schema
    return pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the manual; MkDocs calls this hook."""
    for page, content in generated().items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead a page's links to the manual's own pages; MkDocs calls this hook."""
    for link, target in BESIDE.items():
        markdown = re.sub(rf"\]\({link}", f"]({target}", markdown)
    return markdown
