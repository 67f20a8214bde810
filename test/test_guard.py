"""Around every command: lost outputs, strange names and slips of the hand end in one sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nodegen.cli import main
from nodegen.io.boxes import Box, write_boxes

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "nodegen", "generate", "--method", "paste"]


def shell(line, *arguments, **env):
    return subprocess.run(
        ["bash", "-c", line, "bash", *arguments],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **env},
        check=False,
    )


@pytest.mark.parametrize(
    ("redirect", "code"), [(">&-", 0), ("2>&-", 0), (">&- 2>&- <&-", 0), ("> /dev/full", 2)]
)
def test_closed_and_full_outputs_are_no_traceback(make_input, tmp_path, redirect, code):
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    done = shell(f'"$@" {redirect}', *COMMAND, *arguments)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if code:
        assert b"stdout cannot be written (No space left on device)" in done.stderr


def test_names_that_are_not_utf8_go_through_an_ascii_terminal(make_input, tmp_path):
    folder = make_input()
    old, new = os.fsencode(folder / "77.mha"), os.fsencode(folder) + b"/r\xf6ntgen.mha"
    os.rename(old, new)
    arguments = ["--input", str(folder), "--output", str(tmp_path / "out")]
    done = shell('"$@"', *COMMAND, *arguments, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert os.path.exists(os.fsencode(tmp_path / "out") + b"/r\xf6ntgen.mha")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["genrate"], r"there is no command 'genrate'; did you mean generate\?"),
        (["generate", "--inptu", "x"], "did you mean --input"),
        (["generate", "--method", "possion"], r"did you mean poisson\?"),
        (["generate", "--seed", "-1"], r"argument --seed: it is '-1', where a whole number of 0"),
        (["generate", "--seed", "x"], r"argument --seed: it is 'x', where a whole number of 0"),
        (["phantom", "--slices", "0"], "a whole number from 1 on is allowed"),
        (["training-crop", "--peak", "nan"], "a number of 0 to 1 is allowed"),
        (["train", "--stop-after", "17"], "a whole number of 1 to 16 is allowed"),
        (["prepare", "--axes", "3"], "a whole number of 0 to 2 is allowed"),
        (["compare", "--seeds", "1,x"], "it is 'x', where a whole number of 0"),
        (["compare", "--methods", ""], "one or more with commas between them are wanted"),
        (["compare", "--methods", "a b,,c"], "one or more with commas between them are wanted"),
        (["utility", "--depth", "deep"], "choose from '?patches"),
        (["utility", "--networks", "0"], "a whole number from 1 on is allowed"),
        (["utility", "--primary", "one"], "2 values with commas between them are wanted"),
        (["utility", "--size-px", "x"], "a number or a range as 6-30 is allowed"),
        (["utility", "--size-px", "140-15"], "the smaller number comes first"),
        (["dataset", "--split", "80"], "3 values with commas between them are wanted"),
        (["dataset", "--pixels", "12"], "invalid choice: 12"),
        (["dataset", "--shard", "3/2"], "a share as 1/4 is wanted"),
        (["dataset", "--size-mm", "6.5.1"], "a number from 0 on is allowed"),
        (["reader-study", "--cases", "0"], "a whole number from 1 on is allowed"),
        (["training-crop", "--centre", "3"], "2 values with commas between them are wanted"),
    ],
)
def test_slips_of_the_hand_are_answered(capsys, arguments, says):
    wanted = {"generate": ["--input", "a", "--output", "b"]}.get(arguments[0], [])
    with pytest.raises(SystemExit) as leaving:
        main([*arguments, *wanted])
    assert leaving.value.code == 2
    assert re.search(says, capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["judge", "--before", "a", "--after", "b", "--boxes", "c", "--json", "/proc/none/x.json"],
        ["picture", "--before", "a", "--after", "b", "--output", "/proc/none/x.png"],
        ["generate", "--input", "a", "--output", "b", "--report", "/proc/none/x.html"],
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_the_work(capsys, arguments):
    assert main(arguments) == 2
    assert "cannot be written, since /proc" in capsys.readouterr().err


def test_an_image_deeper_down_is_named(make_input, tmp_path, capsys):
    folder = make_input()
    (tmp_path / "above").mkdir()
    folder.rename(tmp_path / "above" / "case")
    arguments = ["--input", str(tmp_path / "above"), "--output", str(tmp_path / "out")]
    assert main(["generate", *arguments]) == 2
    assert f"holds no image itself, and {tmp_path}/above/case does" in capsys.readouterr().err


def test_a_phantom_is_not_laid_over_somebodys_boxes(tmp_path, capsys):
    write_boxes(tmp_path / "nodules.json", [Box(0, 1, 1, 9, 9)])
    before = (tmp_path / "nodules.json").read_bytes()
    assert main(["phantom", "--output", str(tmp_path), "--slices", "1"]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert (tmp_path / "nodules.json").read_bytes() == before
