"""The picture before and after: what it shows, and in which order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nodegen.cli import main
from nodegen.errors import OutputError, SettingError
from nodegen.evaluation.pictures import CAPTION_PX, _visible, before_after
from nodegen.io.boxes import Box
from nodegen.io.image import XMP_PNG
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
    assert picture.size == (3 * SIDE, shown * (SIDE + CAPTION_PX))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["p.png"]
    assert "Synthetic lung nodules by nodegen" in picture.text[XMP_PNG]


def test_the_nodules_that_are_seen_best_come_first(stacks, tmp_path):
    before, after = stacks
    faint, strong = BOXES[0], BOXES[2]
    after[faint.slice, faint.top : faint.bottom, faint.left : faint.right] = 2100
    order = sorted(
        BOXES, key=lambda box: -_visible(before[box.slice] / 4095, after[box.slice] / 4095, box)
    )
    assert order[-1] == faint
    before_after(before, after, [faint, strong], tmp_path / "p.png", rows=1, side=SIDE)
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    middle = picture[CAPTION_PX + SIDE // 2, 2 * SIDE + SIDE // 2]
    assert (middle >= 254).all(), "the strong one, enlarged, after"


def test_every_box_of_the_slice_is_marked(stacks, tmp_path):
    before_after(*stacks, BOXES, tmp_path / "p.png", rows=3, side=200)
    picture = np.asarray(Image.open(tmp_path / "p.png")).astype(int)
    for row in range(3):
        whole = picture[row * (200 + CAPTION_PX) :][: 200 + CAPTION_PX, :200]
        marked = (whole[..., 0] > 230) & (whole[..., 2] < 120)
        assert marked.sum() > 100
    two = BOXES[0], BOXES[1]
    assert {box.slice for box in two} == {0}


def test_challenge_output_has_its_own_grey_scale(stacks, tmp_path):
    before, _ = stacks
    after = ((before - 1000) / 2000 * 255).round().astype(np.uint8)
    before_after(before, after, BOXES, tmp_path / "p.png", rows=1, side=SIDE)
    picture = np.asarray(Image.open(tmp_path / "p.png")).astype(int)
    old, new = picture[CAPTION_PX:, SIDE : 2 * SIDE], picture[CAPTION_PX:, 2 * SIDE :]
    assert np.abs(old - new).max() <= 6  # the window stretches the bytes' steps


def test_faults_are_named(stacks, tmp_path):
    before, after = stacks
    with pytest.raises(SettingError, match="same shape"):
        before_after(before, after[:1], BOXES, tmp_path / "p.png", rows=1, side=SIDE)
    with pytest.raises(SettingError, match="at least one box"):
        before_after(before, after, [], tmp_path / "p.png", rows=1, side=SIDE)
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
    arguments = [
        "--radiographs",
        str(SAMPLE),
        "--synthetic",
        str(SAMPLE),
        "--rows",
        "5",
        "--side",
        "64",
    ]
    assert main(["picture", *arguments, "--output", str(tmp_path / "p.png")]) == 0
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    assert picture.shape == (5 * (64 + CAPTION_PX), 3 * 64, 3)
    assert capsys.readouterr() == (f"{tmp_path / 'p.png'}\n", "")
