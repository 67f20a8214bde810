"""The picture before and after: what it shows, and in which order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nodegen.cli import main
from nodegen.errors import OutputError, SettingError
from nodegen.evaluation.picture import CAPTION_PX, before_after
from nodegen.io.boxes import Box
from nodegen.io.stack import read_stack

SAMPLE = Path(__file__).parent / "sample" / "input"
SIDE = 64
BOXES = [Box(0, 20, 30, 60, 70, 0), Box(0, 120, 100, 150, 140, 1), Box(1, 90, 20, 130, 60, 2)]


@pytest.fixture
def stacks():
    before = np.random.default_rng(0).integers(1000, 3000, (2, 160, 200)).astype(np.uint16)
    after = before.copy()
    for box in BOXES:
        after[box.slice, box.top : box.bottom, box.left : box.right] = 3000
    return before, after


@pytest.mark.parametrize(("rows", "shown"), [(1, 1), (2, 2), (9, 3)])
def test_one_row_for_each_box(stacks, tmp_path, rows, shown):
    before_after(*stacks, BOXES, tmp_path / "made" / "p.png", rows=rows, side=SIDE)
    picture = Image.open(tmp_path / "made" / "p.png")
    assert picture.size == (4 * SIDE, shown * (SIDE + CAPTION_PX))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["p.png"]


def test_each_slice_comes_first_with_its_first_box(stacks, tmp_path):
    before_after(*stacks, BOXES, tmp_path / "p.png", rows=2, side=SIDE)
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    enlarged_after = picture[:, 3 * SIDE :]
    for row, box in enumerate((BOXES[0], BOXES[2])):
        panel = enlarged_after[row * (SIDE + CAPTION_PX) + CAPTION_PX :][:SIDE]
        assert panel[SIDE // 2, SIDE // 2] == 255, box


def test_challenge_output_has_its_own_grey_scale(stacks, tmp_path):
    before, _ = stacks
    after = ((before - 1000) / 2000 * 255).round().astype(np.uint8)
    before_after(before, after, BOXES, tmp_path / "p.png", rows=1, side=SIDE)
    picture = np.asarray(Image.open(tmp_path / "p.png")).astype(int)
    old, new = picture[CAPTION_PX:, 2 * SIDE : 3 * SIDE], picture[CAPTION_PX:, 3 * SIDE :]
    assert np.abs(old - new).max() <= 2


def test_faults_are_named(stacks, tmp_path):
    before, after = stacks
    with pytest.raises(SettingError, match="same shape"):
        before_after(before, after[:1], BOXES, tmp_path / "p.png", rows=1, side=SIDE)
    with pytest.raises(SettingError, match="at least one box"):
        before_after(before, after, [], tmp_path / "p.png", rows=1, side=SIDE)
    with pytest.raises(SettingError, match="rows"):
        before_after(before, after, BOXES, tmp_path / "p.png", rows=0, side=SIDE)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        before_after(before, after, BOXES, tmp_path / "file" / "p.png", rows=1, side=SIDE)


def test_pixels_outlive_their_stack():
    # Whoever keeps only `read_stack(...).pixels` must not be left with freed memory.
    kept = read_stack(SAMPLE / "phantom.mha").pixels[1:]
    others = [read_stack(SAMPLE / "phantom.mha") for _ in range(2)]
    assert np.array_equal(kept, others[0].pixels[1:])
    assert kept.dtype == np.uint16
    assert not kept.flags.writeable


def test_command_draws_the_sample(tmp_path, capsys):
    arguments = ["--before", str(SAMPLE), "--after", str(SAMPLE), "--rows", "5", "--side", "64"]
    assert main(["picture", *arguments, "--output", str(tmp_path / "p.png")]) == 0
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    assert picture.shape == (5 * (64 + CAPTION_PX), 4 * 64)
    assert capsys.readouterr() == (f"{tmp_path / 'p.png'}\n", "")
