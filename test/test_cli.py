"""The command line: help, versions, and what each command writes to which stream."""

import inspect
import re
import subprocess
import sys

import pytest

from nodegen import __version__
from nodegen.cli import COMMANDS, build, main


def arguments_of(command):
    (app,) = build(command).parse_commands([command])[1][-1:]
    return app.assemble_argument_collection(parse_docstring=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_says_what_it_does(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert COMMANDS[command] in said
    for argument in arguments_of(command):
        if argument.show:
            assert argument.name in said
            assert argument.parameter.help, f"{argument.name} says nothing"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_listed_by_the_first_line_of_its_docstring(command):
    (app,) = build(command).parse_commands([command])[1][-1:]
    assert inspect.getdoc(app.default_command).splitlines()[0] == COMMANDS[command]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands_in_groups(capsys, arguments):
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert all(command in said for command in COMMANDS)
    groups = [said.index(title) for title in ("Everyday", "Training", "Evaluation")]
    assert groups == sorted(groups)
    assert said.index("generate") < said.index("dataset") < said.index("place ")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nodegen {__version__}\n"


def test_help_imports_nothing_heavy():
    heavy = ["torch", "numpy", "SimpleITK", "pandas", "skimage", "sklearn", "scipy", "evalutils"]
    code = (
        "import sys\nfrom nodegen.cli import main\nmain(['--help'])\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


GENERATE = ["generate", "--input", "a", "--output", "b"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["genrate"], 'Unknown command "genrate"; did you mean "generate"'),
        (["generate", "--inptu", "x", "--output", "b"], "did you mean --input instead of --inptu"),
        ([*GENERATE, "--sed", "3"], "Unknown option: --sed; did you mean --seed"),
        ([*GENERATE, "--method", "possion"], 'did you mean "poisson"'),
        ([*GENERATE, "--seed", "-1"], "--seed. Input should be greater than or equal to 0"),
        ([*GENERATE, "--seed", "x"], 'for --seed: unable to convert "x" into int'),
        ([*GENERATE, "more"], "['more']"),
        ([*GENERATE, "--output", "c"], "--output specified multiple times"),
        (["generate", "--input", "a"], "--output is missing"),
        (["dataset", "--input", "a", "--output", "b"], "did you mean --radiographs"),
        (["reader-study", "--untouched", "a"], "did you mean --radiographs"),
        (["utility", "--backgrounds", "a"], "--real is missing"),
        (["judge", "--before", "a", "--after", "b"], "did you mean --radiographs"),
        (["picture", "--radiographs", "a", "--synthetic", "b", "--output", "c", "--rows", "0"],
         "Must be >= 1"),
        (["training-crop", "--image", "a", "--output", "b", "--centre", "3"], "give two numbers"),
        (["training-crop", "--image", "a", "--output", "b", "--centre", "3,4", "--count", "0"],
         "--count"),
        (["train", "--image", "a", "--output", "b", "--stop-after", "17"], "Must be <= 16"),
        (["prepare", "--patches", "a", "--segmentations", "b", "--output", "c", "--axes", "3"],
         "0, 1 and 2 are allowed"),
        (["compare", "--input", "a", "--output", "b", "--seeds", "1,x"], "numbers from 0 on with"),
        (["compare", "--input", "a", "--output", "b", "--methods", "a,,c"], "words with commas"),
        (["utility", "--real", "a", "--boxes", "b", "--output", "c", "--detector", "deep"],
         'Choose from: "segresnet"'),
        (["utility", "--real", "a", "--boxes", "b", "--output", "c", "--networks", "0"],
         "greater than or equal to 1"),
        (["utility", "--real", "a", "--boxes", "b", "--output", "c", "--primary", "one"],
         "give two arms"),
        (["utility", "--real", "a", "--boxes", "b", "--output", "c", "--size-px", "140-15"],
         "the smaller number first"),
        (["place", "a", "--output", "b", "--nodules", "3-1"], '--nodules: "3-1"; a number or'),
        (["place", "a", "--output", "b", "--size-mm", "x"], "a number or a range as 6-30"),
        (["dataset", "a", "--output", "b"], "either --images or --copies"),
        (["dataset", "a", "--output", "b", "--images", "0"], "greater than or equal to 1"),
        (["dataset", "a", "--output", "b", "--images", "1", "--split", "80"], "three shares"),
        (["dataset", "a", "--output", "b", "--images", "1", "--pixels", "12"], "8, 16"),
        (["dataset", "a", "--output", "b", "--images", "1", "--shard", "3/2"], "a share as 1/4"),
        (["reader-study", "--output", "b", "--cases", "0"], "greater than or equal to 2"),
        (["generate", "--input", "a", "--output", ""], "a variable that is not set"),
    ],
)  # fmt: skip
def test_slips_of_the_hand_end_with_2_and_one_line(capsys, arguments, says):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says.lower() in said.err.lower()
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("nodegen: ")
    assert said.err.endswith(".\n")


def test_generate_says_where_the_result_lies_and_replaces_none_unasked(make_input, tmp_path, capfd):
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    command = ["generate", *arguments, "--method", "paste", "--seed", "3"]
    assert main(command) == 0
    said = capfd.readouterr()
    assert said.err == ""
    last = said.out.splitlines()[-1]
    assert re.fullmatch(rf"1 nodule in 2 slices, seed 3, [\d.]+ s: {tmp_path}/out/77.mha", last)
    assert main(command) == 2
    assert "is there already" in capfd.readouterr().err
    assert main([*command, "--overwrite"]) == 0


def test_what_is_not_given_comes_from_the_recipes(make_input, tmp_path, capfd):
    source = ["--input", str(make_input())]
    first = [*source, "--output", str(tmp_path / "a"), "--method", "paste", "--no-noise-and-blur"]
    assert main(["generate", *first, "--intensity", "input"]) == 0
    replay = [*source, "--recipes", str(tmp_path / "a" / "recipes.json")]
    assert main(["generate", *replay, "--output", str(tmp_path / "b")]) == 0
    assert main(["generate", *replay, "--output", str(tmp_path / "c"), "--noise-and-blur"]) == 0
    made = {name: (tmp_path / name / "77.mha").read_bytes() for name in "abc"}
    assert made["a"] == made["b"] != made["c"]
    for option in (["--contrast", "300"], ["--seed", "9"], ["--no-surroundings"]):
        assert main(["generate", *replay, "--output", str(tmp_path / "d"), *option]) == 2
        said = f"{option[0].replace('no-', '')} is given beside --recipes"
        assert said in capfd.readouterr().err
