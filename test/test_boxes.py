import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegen.constants import SMALLEST_BOX_PX
from nodegen.io.boxes import KIND, Box, read_boxes, write_boxes

SHAPE = (3, 200, 300)  # (slice, row, column)


def read(tmp_path, *corners, shape=SHAPE):
    path = tmp_path / "nodules.json"
    path.write_text(json.dumps({"type": KIND, "boxes": [{"corners": c} for c in corners]}))
    return read_boxes(path, shape)


def corners(left, top, right, bottom, z=0):
    return [[left, top, z], [right, top, z], [right, bottom, z], [left, bottom, z]]


@pytest.mark.parametrize(
    ("four", "wanted"),
    [
        (corners(10, 20, 40, 60), (10, 20, 40, 60)),
        (corners(40, 60, 10, 20), (10, 20, 40, 60)),
        (corners(10.4, 19.6, 40.4, 59.6), (10, 20, 40, 60)),
        (corners(-30, -7, 40, 60), (0, 0, 40, 60)),
        (corners(250, 150, 900, 900), (250, 150, 300, 200)),
        (corners(10, 20, 10, 60), (8, 20, 13, 60)),
        (corners(0, 20, 1, 60), (0, 20, 5, 60)),
        (corners(299, 199, 310, 210), (295, 195, 300, 200)),
        (corners(-50, -50, 1000, 1000), (0, 0, 300, 200)),
    ],
)
def test_boxes_are_ordered_rounded_clipped_and_grown(tmp_path, four, wanted):
    (box,) = read(tmp_path, four)
    assert (box.left, box.top, box.right, box.bottom) == wanted


@given(
    st.lists(st.floats(-50, 350), min_size=2, max_size=2),
    st.lists(st.floats(-50, 250), min_size=2, max_size=2),
    st.permutations(range(4)),
)
def test_any_box_that_touches_the_slice_lies_inside_it(tmp_path_factory, xs, ys, order):
    if max(xs) < 1 or min(xs) > 299 or max(ys) < 1 or min(ys) > 199:
        return
    folder = tmp_path_factory.mktemp("boxes")
    four = corners(xs[0], ys[0], xs[1], ys[1], 2)
    straight, turned = read(folder, four, [four[i] for i in order])
    assert 0 <= straight.left < straight.right <= 300
    assert 0 <= straight.top < straight.bottom <= 200
    assert straight.side >= SMALLEST_BOX_PX
    assert straight.slice == 2
    assert (turned.left, turned.top, turned.right, turned.bottom) == (
        straight.left, straight.top, straight.right, straight.bottom,
    )  # fmt: skip


def test_a_slice_smaller_than_the_least_box_is_filled(tmp_path):
    (box,) = read(tmp_path, corners(0, 0, 3, 3), shape=(1, 4, 4))
    assert (box.left, box.top, box.right, box.bottom) == (0, 0, 4, 4)


@pytest.mark.parametrize("z", [[], [0.5009999871253967]], ids=["none", "the viewer's"])
def test_a_single_image_needs_no_z(tmp_path, z):
    given = [[*c[:2], *z] for c in corners(10, 20, 40, 60)]
    assert read(tmp_path, given, shape=(1, 200, 300)) == [Box(0, 10, 20, 40, 60, 0)]


def test_no_boxes_are_no_fault(tmp_path):
    assert read(tmp_path) == []


def test_what_is_written_is_read(tmp_path):
    boxes = [Box(0, 10, 20, 40, 60, 0), Box(2, 0, 0, 300, 200, 1)]
    write_boxes(tmp_path / "nodules.json", boxes)
    assert read_boxes(tmp_path / "nodules.json", SHAPE) == boxes


def test_side_and_centre():
    box = Box(0, 10, 20, 40, 60, 0)
    assert (box.width, box.height, box.side, box.centre) == (30, 40, 30, (25.0, 40.0))
