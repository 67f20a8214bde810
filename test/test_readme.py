"""The README names every command and every option, and its links lead somewhere."""

import argparse
import importlib
import re
from pathlib import Path

import pytest

from nodegen.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def section(command: str) -> str:
    """What the README says under a command's heading."""
    found = re.search(rf"^#### `nodegen {command}`\n(.*?)(?=^##)", README, re.S | re.M)
    assert found, f"the README has no section on nodegen {command}"
    return found[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_told(command):
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(f"nodegen.cli.{command.replace('-', '_')}").add_arguments(parser)
    told = section(command)
    options = [word for action in parser._actions for word in action.option_strings]
    assert [word for word in options if f"`{word}" not in told] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_told_that_is_not_there(command):
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(f"nodegen.cli.{command.replace('-', '_')}").add_arguments(parser)
    options = {word for action in parser._actions for word in action.option_strings}
    assert set(re.findall(r"^\| `(--[a-z-]+)", section(command), re.M)) <= options


def test_links_lead_somewhere():
    headings = re.findall(r"^#+ (.*)$", README, re.M)
    anchors = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        path, _, anchor = link.partition("#")
        assert not path or (ROOT / path).exists(), link
        assert not anchor or anchor in anchors, link
