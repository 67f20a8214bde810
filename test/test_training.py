import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nodegen.cascade.cascade import Cascade, load_layers, read_index
from nodegen.constants import SCALES
from nodegen.errors import ModelError, TrainingError
from nodegen.io.stack import find_image, read_stack
from nodegen.settings import Settings
from nodegen.synthesis.context import to_unit
from nodegen.training import run as runs
from nodegen.training import scale as loop
from nodegen.training.card import save_cascade
from nodegen.training.crop import draw_boxes, training_crop
from nodegen.training.iteration import LOSSES, recorded
from nodegen.training.networks import Generator
from nodegen.training.profiles import PROFILES, Profile
from nodegen.training.scale import Training, pad

TINY = Profile((4,) * SCALES, (6,) * SCALES, 2, 40, 2)
CPU = torch.device("cpu")
SAMPLE = Path(__file__).parent / "sample" / "input"


def image(seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1, (256, 256)).astype(np.float32)


def weights_of(folder):
    return {
        (path.name, name, key): value
        for path in sorted((folder / "scales").iterdir())
        for name, state in torch.load(path, weights_only=True).items()
        for key, value in (state.items() if name != "amplitude" else [("", torch.tensor(state))])
    }


def run_scales(folder, count, stop_at=None):
    """Train ``count`` scales; at ``stop_at``, (scale, iteration), leave as a kill does."""
    training = Training(image() * 2 - 1, folder, TINY, 3, CPU)
    while len(training.scales) < count:
        for losses in training.train_scale():
            if stop_at == (losses["scale"], losses["iteration"]):
                return


def test_the_papers_widths_and_iterations():
    paper = PROFILES["paper"]
    assert paper.channels == (32,) * 4 + (64,) * 4 + (128,) * 8
    assert paper.iterations == (2000,) * SCALES
    assert (paper.steps, paper.window_px, paper.redraw_every) == (3, None, 1)


def test_a_killed_run_ends_in_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)  # a checkpoint after every iteration
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    run_scales(tmp_path / "whole", 3)
    run_scales(tmp_path / "broken", 3, stop_at=(0, 4))
    run_scales(tmp_path / "broken", 3, stop_at=(1, 4))
    run_scales(tmp_path / "broken", 3, stop_at=(2, 5))
    run_scales(tmp_path / "broken", 3)
    whole, broken = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert whole.keys() == broken.keys()
    for key, value in whole.items():
        torch.testing.assert_close(broken[key], value, atol=0, rtol=0)


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A run that was killed in its second scale, after a checkpoint at iteration 4."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    run_scales(tmp_path, 2, stop_at=(1, 5))
    return Training(image() * 2 - 1, tmp_path, TINY, 3, CPU)


def test_a_resumed_run_starts_at_its_checkpoint(stopped):
    assert len(stopped.scales) == 1
    assert next(stopped.train_scale())["iteration"] == 5


def test_a_scale_starts_with_the_networks_of_the_one_below(stopped):
    below = torch.load(stopped.folder / "scales" / "00.pt", weights_only=True)
    for name, network in zip(("generator", "discriminator"), stopped._new_networks(1), strict=True):
        for key, value in network.state_dict().items():
            torch.testing.assert_close(value, below[name][key], atol=0, rtol=0)


def test_the_learning_rate_falls_after_four_fifths(tmp_path, monkeypatch):
    rates = []

    def iterate(scale, *_):
        rates.append([adam.param_groups[0]["lr"] for _, adam in scale.networks.values()])
        return [torch.zeros(())] * len(LOSSES)

    monkeypatch.setattr(loop.ScaleInTraining, "iterate", iterate)
    run_scales(tmp_path, 1)
    assert rates == [[5e-4] * 2] * 5 + [[pytest.approx(5e-5)] * 2]


@pytest.mark.parametrize("damaged", ["checkpoint.pt", "scales/00.pt"])
def test_a_damaged_file_of_a_run_is_named(stopped, damaged):
    path = stopped.folder / damaged
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TrainingError, match=f"{damaged} cannot be read"):
        run_scales(stopped.folder, 2)


def test_a_window_is_trained_on_as_that_part_of_the_whole_image(tmp_path):
    # In evaluation mode the generator's output on a window with its true surroundings is the
    # window of its output on the whole image.
    torch.manual_seed(0)
    generator = Generator(4).eval()
    whole = torch.randn(1, 1, 60, 60)
    padded = pad(whole)
    with torch.no_grad():
        full = generator(padded, padded)
        part = generator(padded[..., 5:55, 8:58], padded[..., 5:55, 8:58])
    torch.testing.assert_close(part, full[..., 5:35, 8:38])


def test_a_run_ends_in_a_cascade_that_loads(tmp_path, monkeypatch):
    monkeypatch.setitem(runs.PROFILES, "tiny", replace(TINY, iterations=(2,) * SCALES))
    options = {"profile": "tiny", "seed": 3, "progress": False}
    assert runs.train(image(), tmp_path, stop_after=2, **options) is None
    folder = runs.train(image(), tmp_path, **options)
    cascade = Cascade.open(folder)
    assert cascade.channels == [4] * SCALES
    assert json.loads((folder / "cascade.json").read_text())["card"]["profile"] == "tiny"
    assert len(list(tmp_path.glob("scale_*.png"))) == SCALES
    with pytest.raises(TrainingError, match="image_sha256"):
        runs.train(image(1), tmp_path, **options)


@pytest.mark.parametrize(
    ("crop", "says"),
    [
        (np.zeros((255, 256)), r"256 x 256"),
        (np.full((256, 256), 5000.0), r"0\.\.4095"),
        (np.full((256, 256), -1.5), r"-1\.\.1"),
        (np.full((256, 256), np.nan), r"0\.\.4095"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(tmp_path, crop, says):
    with pytest.raises(TrainingError, match=says):
        runs.train(crop, tmp_path)


RAMP = np.tile(np.arange(256, dtype=np.uint8), (256, 1))


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        (RAMP, RAMP / 255),
        (RAMP.astype(np.uint16), RAMP / 4095),
        (RAMP / 255, RAMP / 255),
        (RAMP / 127.5 - 1, RAMP / 255),  # SinGAN's own scale
        (0.3 * RAMP / 255 - 0.2, (0.3 * RAMP / 255 + 0.8) / 2),  # part of it
    ],
)
def test_the_training_images_scale_is_found(given, unit):
    np.testing.assert_allclose(runs._to_unit(given), unit, atol=1e-7)


def test_the_authors_own_crop_is_taken(shared):
    crop = read_stack(shared / "cxr" / "training" / "n0908_crop.mha").pixels[0]
    np.testing.assert_allclose(runs._to_unit(crop), (crop + 1) / 2, atol=1e-7)


def test_without_a_terminal_a_scale_prints_plain_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(runs.PROFILES, "tiny", TINY)
    monkeypatch.setattr(runs, "LINE_EVERY_S", 0.0)
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    runs.train(image(), tmp_path, profile="tiny", stop_after=2)
    lines = capsys.readouterr().out.splitlines()
    starts = [line.partition(", reconstruction")[0] for line in lines]
    assert starts == [
        f"scale {scale} of 16, {px} px: iteration {done} of 6"
        for scale, px in ((" 1", " 25"), (" 2", " 29"))
        for done in (2, 4, 6)
    ]
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(entry["scale"], entry["iteration"]) for entry in log] == [
        (scale, done) for scale in (0, 1) for done in (2, 4, 6)
    ]


@pytest.mark.parametrize("count", [1, 4, 9, 25])
def test_a_training_crop_holds_its_nodules_and_changes_nothing_else(count):
    stack = read_stack(find_image(SAMPLE)).pixels[0]
    settings = Settings(subtlety="obvious", surroundings=False, device="cpu")
    crop = training_crop(stack, (300, 500), count, 3, settings)
    before = to_unit(stack)[372:628, 172:428]
    assert crop.shape == (256, 256)
    assert crop.dtype == np.float32
    assert 0 <= crop.min() < crop.max() <= 1
    boxes = draw_boxes(np.random.default_rng(3), count, 0, 0)
    outside = np.ones(crop.shape, bool)
    for box in boxes:
        place = (
            slice(max(box.top - 14, 0), box.bottom + 14),
            slice(max(box.left - 14, 0), box.right + 14),
        )
        outside[place] = False
        assert (crop - before)[box.top : box.bottom, box.left : box.right].max() > 0.05
    assert (crop - before)[outside].max(initial=0) < 0.02  # darker halos may reach farther


@pytest.mark.parametrize(
    ("radiograph", "says"),
    [(np.zeros((255, 400)), "400 x 255 px"), (np.ones((300, 300)), "single grey level")],
)
def test_a_radiograph_without_room_or_contrast_is_refused(radiograph, says):
    with pytest.raises(TrainingError, match=says):
        training_crop(radiograph, (9, 9), 4, 0, Settings())


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    generators = [Generator(4).train() for _ in range(SCALES)]
    for generator in generators:
        generator(torch.randn(2, 1, 40, 40), torch.zeros(2, 1, 40, 40))  # moves batch norm
        generator.eval()
    save_cascade(tmp_path, [g.state_dict() for g in generators], [0.1] * SCALES, {})
    return tmp_path, generators


def test_folding_batch_norm_changes_nothing(saved):
    folder, generators = saved
    cascade = Cascade(load_layers(folder, read_index(folder)), [0.1] * SCALES)
    x = torch.randn(1, 1, 50, 50)
    for n, generator in enumerate(generators):
        with torch.no_grad():
            wanted = generator(x, torch.zeros_like(x))
        # Half-precision weights: about three digits.
        torch.testing.assert_close(cascade.generate(n, x, quick=False), wanted, atol=2e-3, rtol=0)


@pytest.mark.parametrize("fault", ["missing index", "missing", "truncated", "altered", "malformed"])
def test_a_damaged_cascade_is_refused(saved, fault):
    folder, _ = saved
    weights = next(folder.glob("scales-04*"))
    if fault == "missing index":
        (folder / "cascade.json").unlink()
    elif fault == "missing":
        weights.unlink()
    elif fault == "truncated":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif fault == "altered":
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(bytes(data))
    else:
        (folder / "cascade.json").write_text("{}")
    with pytest.raises(ModelError, match=r"[.]$"):
        Cascade.open(folder)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_replays_what_it_recorded():
    def trained(call):
        weight = torch.ones(8, device="cuda", requires_grad=True)
        adam = torch.optim.Adam([weight], 0.1, capturable=True)

        def step(x):
            adam.zero_grad(set_to_none=True)
            loss = ((weight * x) ** 2).sum()
            loss.backward()
            adam.step()
            return [loss.detach()]

        work = call(step)
        for i in range(8):
            loss = work(torch.full((8,), 1.0 + i, device="cuda"))[0].item()
        return weight.detach(), loss

    replayed = trained(lambda step: recorded(step, torch.device("cuda")))
    torch.testing.assert_close(replayed, trained(lambda step: step))
