"""Around every command: lost outputs, strange names and slips of the hand end in one sentence."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
def test_closed_and_full_outputs_are_no_traceback(redirect, code):
    done = shell(f'"$@" {redirect}', *COMMAND[:3], "--version")
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    if code:
        assert b"stdout cannot be written (No space left on device)" in done.stderr


def test_a_run_needs_no_streams(make_input, tmp_path):
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    done = shell('"$@" >&- 2>&- <&-', *COMMAND, *arguments)
    assert done.returncode == 0
    assert (tmp_path / "out" / "77.mha").is_file()


def test_names_that_are_not_utf8_go_through_an_ascii_terminal(make_input, tmp_path, monkeypatch):
    folder = make_input()
    old, new = os.fsencode(folder / "77.mha"), os.fsencode(folder) + b"/r\xf6ntgen.mha"
    os.rename(old, new)
    arguments = ["--input", str(folder), "--output", str(tmp_path / "out")]
    for stream in ("stdout", "stderr"):
        terminal = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
        monkeypatch.setattr(sys, stream, terminal)
    assert main(["generate", "--method", "paste", *arguments]) == 0
    assert b"r\\udcf6ntgen.mha" in sys.stdout.buffer.getvalue()
    assert os.path.exists(os.fsencode(tmp_path / "out") + b"/r\xf6ntgen.mha")


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "judge",
            "--radiographs",
            "a",
            "--synthetic",
            "b",
            "--boxes",
            "c",
            "--json",
            "/proc/none/x.json",
        ],
        ["picture", "--radiographs", "a", "--synthetic", "b", "--output", "/proc/none/x.png"],
        ["generate", "--input", "a", "--output", "b", "--report", "/proc/none/x.html"],
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_the_work(capsys, arguments):
    assert main(arguments) == 2
    assert "cannot be written, since /proc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("picture --radiographs 77.png --synthetic 77.png --output 77.png", "the input itself"),
        ("picture --radiographs 77.png --synthetic 77.png --output in.csv", "not end in .png"),
        ("judge --radiographs . --synthetic . --json nodules.json", "the input itself"),
        ("reference --real . --boxes in.csv --output in.csv", "the input itself"),
        ("sheet --real . --boxes in.csv --synthetic . --output 77.png", "the input itself"),
        ("reader-study --real . --boxes in.csv --output in.csv", "not end in .html"),
        ("generate --input . --output out --report out/77.mha", "not end in .html"),
        ("standardise 77.png --output std --boxes std/boxes.csv", "the input itself"),
        ("training-crop --image 77.png --centre 9,9 --output 77.png", "where one of"),
    ],
)
def test_no_command_replaces_what_it_reads_or_a_file_of_another_kind(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.eye(64, dtype=np.uint8)).save("77.png")
    (tmp_path / "std").mkdir()
    (tmp_path / "std" / "crops.json").write_text("{}")
    for name in ("in.csv", "nodules.json", "std/boxes.csv"):
        (tmp_path / name).write_text("stem,x,y,width,height\n77,6,6,40,50\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    overwrite = [] if "training" in arguments else ["--overwrite"]
    assert main([*arguments.split(), *overwrite]) == 2
    assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_an_image_deeper_down_is_named(make_input, tmp_path, capsys):
    folder = make_input()
    (tmp_path / "above").mkdir()
    folder.rename(tmp_path / "above" / "case")
    arguments = ["--input", str(tmp_path / "above"), "--output", str(tmp_path / "out")]
    assert main(["generate", *arguments]) == 2
    assert f"holds no image itself, and {tmp_path}/above/case does" in capsys.readouterr().err


def test_the_sample_is_not_laid_over_somebodys_boxes(tmp_path, capsys):
    write_boxes(tmp_path / "nodules.json", [Box(0, 1, 1, 9, 9)])
    before = (tmp_path / "nodules.json").read_bytes()
    assert main(["sample", "--output", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "nodules.json").read_bytes() == before
