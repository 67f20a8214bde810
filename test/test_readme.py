"""The README is short, and its links lead somewhere; its commands are there."""

import re
from pathlib import Path

import pytest

from nodegen.cli import COMMANDS, build

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_it_is_short():
    assert len(README.encode()) <= 10_000


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_its_commands_and_their_options_are_there():
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))
    lines = blocks.replace("\\\n", " ").splitlines()
    calls = [line for line in lines if line.startswith("nodegen ")]
    assert len(calls) >= 3
    for call in calls:
        command, *words = call.split()[1:]
        assert command in COMMANDS
        app = build(command).parse_commands([command])[1][-1]
        known = {name for argument in app.assemble_argument_collection() for name in argument.names}
        assert {word for word in words if word.startswith("--")} <= known
