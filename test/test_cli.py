"""The command line: help, versions, and what each command writes to which stream."""

import argparse
import importlib
import subprocess
import sys

import pytest

from nodegen import __version__
from nodegen.cli import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_every_option_and_its_default(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    parser = argparse.ArgumentParser()
    importlib.import_module(f"nodegen.cli.{command.replace('-', '_')}").add_arguments(parser)
    for action in parser._actions[1:]:  # the first is --help
        assert (action.option_strings or [action.metavar])[0] in said
        assert action.help
        assert action.required or "default" in action.help, f"{action.option_strings} says none"


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(command in said for command in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    heavy = ["torch", "numpy", "SimpleITK", "pandas", "skimage", "sklearn", "scipy", "evalutils"]
    code = (
        "import sys\nfrom nodegen.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["generate"], ["generate", "--input", "a", "--output", "b", "--seed", "x"]],
)
def test_wrong_use_ends_with_2_and_a_line_on_stderr(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()


def test_generate_says_where_the_result_lies(make_input, tmp_path, capfd):
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    assert main(["generate", *arguments, "--method", "paste", "--seed", "3"]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert f"1 nodule, seed 3: {tmp_path / 'out' / '77.mha'}" in said.out.splitlines()
