"""Utility on whole radiographs: boxes with scores, resuming, and what runs without torchvision."""

import importlib.util
import json

import numpy as np
import pytest
import torch

from nodegen.cli import main
from nodegen.errors import SettingError
from nodegen.evaluation.utility import detector, fasterrcnn, wholes
from nodegen.evaluation.utility.arms import Arm
from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.depths import Fly, WholeDepth
from nodegen.evaluation.utility.made import Maker
from nodegen.evaluation.utility.store import Store
from nodegen.io.boxes import Box
from nodegen.settings import Settings

SIDE = 64
monai = pytest.importorskip("monai")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(wholes, "SIDE_PX", SIDE)
    monkeypatch.setattr(detector, "CHANNELS", (4, 8))
    monkeypatch.setattr(detector, "PEAK_PX", 9)


def bright_disc(seed):
    """A slice of 128 px with one bright disc, and its box."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(1000, 60, (128, 128))
    x, y = rng.integers(10, 94, 2)
    v, u = np.mgrid[:128, :128]
    pixels[(u - x - 12) ** 2 + (v - y - 12) ** 2 < 144] += 900
    box = Box(0, int(x), int(y), int(x) + 24, int(y) + 24)
    pixels = pixels.astype(np.uint16)
    return Radiograph(f"r{seed}", f"r{seed}", lambda: pixels, (box,))


def test_a_radiograph_is_brought_to_the_networks_size_with_its_boxes():
    pixels = np.zeros((200, 100), np.uint16)
    pixels[:, :80] = np.random.default_rng(0).integers(500, 900, (200, 80))
    seen = wholes.whole(pixels, [Box(0, 20, 40, 60, 80)])
    assert seen.image.shape == (SIDE, SIDE)
    assert seen.scale == 200 / SIDE
    np.testing.assert_allclose(seen.boxes[0] * seen.scale, [20, 40, 40, 40], rtol=1e-5)
    inside = seen.image[:, :24].astype(float)
    assert abs(inside.mean()) < 0.3  # where padding begins, pixels are mixed
    assert (seen.image[:, 33:] == 0).all()


def test_the_mask_is_the_ellipse_of_the_box():
    mask = wholes.nodule_mask(np.array([[10.0, 20.0, 20.0, 10.0]]))[0]
    assert mask[25, 20] == 1
    assert mask[21, 11] == 0
    assert mask.sum() == pytest.approx(np.pi * 10 * 5, rel=0.03)


def test_peaks_become_boxes_by_falling_score():
    y, x = np.mgrid[:SIDE, :SIDE]
    probability = sum(
        height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 4.0**2))
        for cx, cy, height in ((16, 20, 0.9), (48, 40, 0.5))
    )
    found = detector.boxes_with_scores(probability.astype(np.float32))
    assert len(found) >= 2
    assert (np.diff(found[:, 4]) <= 0).all()
    centres = found[:2, :2] + found[:2, 2:4] / 2
    np.testing.assert_allclose(centres, [[16.5, 20.5], [48.5, 40.5]], atol=1.0)
    assert 8 <= found[0, 2] <= 14  # about the width at half height, 2.35 sigma


def test_an_empty_map_gives_no_box():
    assert detector.boxes_with_scores(np.zeros((SIDE, SIDE), np.float32)).shape == (0, 5)


def test_a_bright_disc_is_learned_and_found():
    training = wholes.wholes_of([bright_disc(s) for s in range(24)])
    settings = detector.DetectorTraining(steps=120, batch=4, learning_rate=1e-2)
    state = detector.train(lambda round_: training, 0, settings)
    test = [bright_disc(s) for s in range(100, 106)]
    hit = 0
    for one, found in zip(test, detector.detect(state, test), strict=True):
        box, best = one.nodules[0], found[0]
        x, y = best[0] + best[2] / 2, best[1] + best[3] / 2
        hit += box.left <= x < box.right and box.top <= y < box.bottom
    assert hit >= 5


class Killed(BaseException):
    """As a kill would end it."""


def killed_after_two_rounds(train):
    """What was kept last of a training that is killed after its second round."""
    kept = []

    def keep(state):
        # A deep copy, as a file is.
        import io

        made = io.BytesIO()
        torch.save(state, made)
        made.seek(0)
        kept.append(torch.load(made, weights_only=True))
        if len(kept) == 2:
            raise Killed

    with pytest.raises(Killed):
        train(None, keep)
    return kept[-1]


def test_a_killed_training_goes_on_to_the_same_end():
    data = wholes.wholes_of([bright_disc(s) for s in range(5)])
    settings = detector.DetectorTraining(steps=10, batch=2)

    def train(resume, keep):
        return detector.train(lambda round_: data, 3, settings, None, "cpu", resume, keep)

    whole = train(None, None)
    resumed = train(killed_after_two_rounds(train), None)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_on_the_fly_each_round_has_nodules_of_its_own(tmp_path):
    maker = Maker(Store(tmp_path), Settings(noise_and_blur=False, method="poisson"), seed=4)
    fly = Fly(maker, Arm("poisson", "poisson"), [bright_disc(1)])
    first, again, other = fly(0)[0].image, fly(0)[0].image, fly(1)[0].image
    assert (first == again).all()
    assert (first != other).any()
    depth = WholeDepth("detector", detector.DetectorTraining(steps=2, batch=1))
    state = depth.learn(fly, 0, None, Store(tmp_path), "key")
    assert not list(tmp_path.rglob("*.pt"))  # what was kept on the way is gone
    assert len(depth.test(state, [bright_disc(2)])) == 1
    assert depth.content(fly) == depth.content(fly)


@pytest.mark.parametrize("options", [[], ["--on-the-fly"]])
def test_the_command_at_depth_detector(tmp_path, capfd, options):
    from test_utility import SOURCE, write

    for name in ("real", "healthy"):
        (tmp_path / name).mkdir()
    lines = ["stem,x,y,width,height"]
    for seed in range(6):
        one = bright_disc(seed)
        write(tmp_path / ("real" if seed < 4 else "healthy"), one.name, one.load())
        box = one.nodules[0]
        lines += [f"{one.name},{box.left},{box.top},{box.width},{box.height}"] * (seed < 3)
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "places.csv").write_text(
        lines[0] + "\n" + "".join(f"a,{x},{y},{w},{h}\n" for x, y, w, h in SOURCE)
    )
    arms = "strawman,sham,untouched,real,strawman+real-1"
    code = main(["utility", "--detector", "detector", "--real", str(tmp_path / "real"), "--boxes",
                 str(tmp_path / "boxes.csv"), "--radiographs", str(tmp_path / "healthy"),
                 "--places", str(tmp_path / "places.csv"), "--output", str(tmp_path / "out"),
                 "--size-px", "8-140", "--steps", "3", "--networks", "1", "--per-image", "2",
                 "--folds", "2", "--arms", arms, "--primary", "strawman,sham",
                 *options])  # fmt: skip
    assert code == 0
    assert capfd.readouterr().err == ""
    content = json.loads((tmp_path / "out" / "utility-detector.json").read_text())
    for arm in content["arms"].values():
        assert {"AUC", "FROC", "sensitivity at 0.125"} <= set(arm["figures"])
    assert (tmp_path / "out" / "utility-detector.html").read_text().count("<svg") == 2


# --- Faster R-CNN ---------------------------------------------------------------------------------


@pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is not None, reason="torchvision is here"
)
def test_without_torchvision_the_depth_says_so_in_one_sentence():
    with pytest.raises(SettingError, match=r"^Depth fasterrcnn needs torchvision, .*depth\.$"):
        fasterrcnn.fasterrcnn_network()


def test_boxes_and_pictures_as_torchvision_wants_them():
    seen = wholes.whole(bright_disc(0).load(), bright_disc(0).nodules)
    made = fasterrcnn.target(seen)
    x, y, width, height = seen.boxes[0]
    np.testing.assert_allclose(made["boxes"][0], [x, y, x + width, y + height])
    assert made["labels"].tolist() == [1]
    picture = fasterrcnn.picture(seen)
    assert picture.shape == (3, SIDE, SIDE)
    assert 0 <= picture.min() <= picture.max() <= 1
    mirror = fasterrcnn.mirrored(seen, True)
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


def test_its_training_resumes_and_its_boxes_are_in_px_of_the_radiograph(monkeypatch):
    monkeypatch.setattr(fasterrcnn, "fasterrcnn_network", StandIn)
    data = wholes.wholes_of([bright_disc(s) for s in range(3)])
    settings = fasterrcnn.FasterRCNNTraining(epochs=4, batch=2)

    def train(resume, keep):
        return fasterrcnn.train(lambda round_: data, 1, settings, None, "cpu", resume, keep)

    whole = train(None, None)
    resumed = train(killed_after_two_rounds(train), None)
    assert torch.equal(whole["score"], resumed["score"])
    found = fasterrcnn.detect(whole, [bright_disc(0)])[0]
    np.testing.assert_allclose(found[0, :4], [2, 4, 20, 40])
