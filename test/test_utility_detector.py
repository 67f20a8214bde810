"""The detectors of utility: boxes with scores, training, and what runs without torchvision."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from nodegen.evaluation.utility import fasterrcnn, segresnet, trained_detector
from nodegen.evaluation.utility.cases import BoxedRadiograph
from nodegen.evaluation.utility.fasterrcnn import FASTER_RCNN
from nodegen.evaluation.utility.segresnet import SEGRESNET
from nodegen.evaluation.utility.trained_detector import ScaledRadiograph, scaled, with_change
from nodegen.io.boxes import Box

SIDE = 64
monai = pytest.importorskip("monai")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(trained_detector, "SIDE_PX", SIDE)
    monkeypatch.setattr(segresnet, "BLOCKS_DOWN", (1, 1))
    monkeypatch.setattr(segresnet, "BLOCKS_UP", (1,))
    monkeypatch.setattr(segresnet, "STRIDE", 2)
    monkeypatch.setattr(segresnet, "PEAK_PX", 9)


def bright_disc(seed):
    """A slice of 128 px with one bright disc, and its box."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(1000, 60, (128, 128))
    x, y = rng.integers(10, 94, 2)
    v, u = np.mgrid[:128, :128]
    pixels[(u - x - 12) ** 2 + (v - y - 12) ** 2 < 144] += 900
    box = Box(0, int(x), int(y), int(x) + 24, int(y) + 24)
    pixels = pixels.astype(np.uint16)
    return BoxedRadiograph(f"r{seed}", f"r{seed}", lambda: pixels, (box,))


def images(seeds):
    return [scaled(one.load(), one.nodules) for one in map(bright_disc, seeds)]


def test_a_radiograph_is_brought_to_the_networks_size_with_its_boxes():
    pixels = np.zeros((200, 100), np.uint16)
    pixels[:, :80] = np.random.default_rng(0).integers(500, 900, (200, 80))
    seen = scaled(pixels, [Box(0, 20, 40, 60, 80)])
    assert seen.image.shape == (SIDE, SIDE)
    assert seen.scale == 200 / SIDE
    np.testing.assert_allclose(seen.boxes[0] * seen.scale, [20, 40, 40, 40], rtol=1e-5)
    inside = seen.image[:, :24].astype(float)
    assert abs(inside.mean()) < 0.3  # where padding begins, pixels are mixed
    assert (seen.image[:, 33:] == 0).all()


def test_a_view_holds_the_change_of_the_chosen_nodules_alone():
    ground = scaled(np.random.default_rng(0).integers(500, 900, (SIDE, SIDE)).astype(np.uint16))
    boxes = np.array([[4.0, 4, 10, 10], [40, 40, 12, 12]], np.float32)
    change = np.zeros((SIDE, SIDE), np.float16)
    change[4:14, 4:14], change[40:52, 40:52] = -1, -2
    one = with_change(replace(ground, boxes=boxes), change, np.array([0.1, 30.0]))
    seen = [one.view(((1, 1), False), np.random.default_rng(seed)) for seed in range(8)]
    assert {round(float((view.image - one.image).min()), 1) for view in seen} == {-1.0, -2.0}
    assert all(len(view.boxes) == 1 and view.change is None for view in seen)
    assert len(one.view(((0, 0), False), np.random.default_rng(0)).boxes) == 0
    both = one.view(((4, 4), True), np.random.default_rng(0))
    np.testing.assert_allclose(both.image, one.image + change, atol=0.01)
    rng = np.random.default_rng(1)
    visible = np.mean([one.view(((1, 1), True), rng).boxes[0, 0] == 40 for _ in range(800)])
    assert visible == pytest.approx(8 / 8.5, abs=0.03), "chances of 0.5 and 8 to each other"


def test_the_mask_is_the_ellipse_of_the_box():
    image = np.zeros((SIDE, SIDE), np.float16)
    one = ScaledRadiograph(image, np.array([[10.0, 20.0, 20.0, 10.0]]), 1.0)
    mask = segresnet.nodule_mask(one)[0]
    assert mask[25, 20] == 1
    assert mask[21, 11] == 0
    assert mask.sum() == pytest.approx(np.pi * 10 * 5, rel=0.03)


def test_peaks_become_boxes_by_falling_score():
    y, x = np.mgrid[:SIDE, :SIDE]
    probability = sum(
        height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 4.0**2))
        for cx, cy, height in ((16, 20, 0.9), (48, 40, 0.5))
    )
    found = segresnet.boxes_with_scores(probability.astype(np.float32))
    assert len(found) >= 2
    assert (np.diff(found[:, 4]) <= 0).all()
    centres = found[:2, :2] + found[:2, 2:4] / 2
    np.testing.assert_allclose(centres, [[16.5, 20.5], [48.5, 40.5]], atol=1.0)


def test_an_empty_map_gives_no_box():
    assert segresnet.boxes_with_scores(np.zeros((SIDE, SIDE), np.float32)).shape == (0, 5)


def test_a_bright_disc_is_learned_and_found(monkeypatch):
    monkeypatch.setattr(segresnet, "LEARNING_RATE", 1e-2)
    model = replace(SEGRESNET, steps=70, batch=4)
    state = model.train(images(range(24)), 0)
    test = [bright_disc(s) for s in range(100, 106)]
    hit = 0
    found = model.detect(state, [scaled(one.load()) for one in test])
    for one, boxes in zip(test, found, strict=True):
        box, best = one.nodules[0], boxes[0]
        x, y = best[0] + best[2] / 2, best[1] + best[3] / 2
        hit += box.left <= x < box.right and box.top <= y < box.bottom
    assert hit >= 5


def test_training_is_deterministic_by_seed():
    data = images(range(3))
    first, again, other = (replace(SEGRESNET, steps=3).train(data, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


# --- Faster R-CNN ---------------------------------------------------------------------------------


BROKEN_TORCHVISION = """
import importlib.abc, sys
from nodegen.errors import SettingError
from nodegen.evaluation.utility.fasterrcnn import FASTER_RCNN
class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
sys.meta_path.insert(0, Broken())
try:
    FASTER_RCNN.network()
except SettingError as error:
    print(error)
"""


def test_a_torchvision_of_another_torch_is_one_sentence():
    command = [sys.executable, "-c", BROKEN_TORCHVISION]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"torchvision does not load .*segresnet\.\n", said)


def test_boxes_and_pictures_as_torchvision_wants_them():
    (seen,) = images([0])
    made = fasterrcnn.target(seen)
    x, y, width, height = seen.boxes[0]
    np.testing.assert_allclose(made["boxes"][0], [x, y, x + width, y + height])
    assert made["labels"].tolist() == [1]
    picture = fasterrcnn.picture(seen)
    assert picture.shape == (3, SIDE, SIDE)
    assert 0 <= picture.min() <= picture.max() <= 1
    mirror = fasterrcnn.mirrored(seen)
    assert mirror.boxes[0, 0] == pytest.approx(SIDE - x - width)
    assert (mirror.image[:, ::-1] == seen.image).all()


class StandIn(torch.nn.Module):
    """Takes and gives what torchvision's detectors do, and learns one number."""

    def __init__(self):
        super().__init__()
        self.score = torch.nn.Parameter(torch.zeros(1))

    def forward(self, pictures, targets=None):
        if self.training:
            assert all(t["boxes"].shape == (len(t["labels"]), 4) for t in targets)
            return {"loss": ((self.score - torch.rand(1)) ** 2).sum()}
        boxes = torch.tensor([[1.0, 2.0, 11.0, 22.0]])
        return [{"boxes": boxes, "scores": self.score.detach()} for _ in pictures]


def test_it_learns_and_its_boxes_are_in_px_of_the_radiograph():
    model = replace(FASTER_RCNN, network=StandIn, steps=8, batch=2)
    state = model.train(images(range(3)), 3)
    assert state["score"] > 0
    (found,) = model.detect(state, images([0]))
    np.testing.assert_allclose(found[0, :4], [2, 4, 20, 40])
