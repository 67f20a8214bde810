import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nodegen.cascade.cascade import Cascade
from nodegen.cascade.weights import load_layers, read_index, save_cascade
from nodegen.constants import SCALES
from nodegen.errors import ModelError, TrainingError
from nodegen.training import run as runs
from nodegen.training import scale as loop
from nodegen.training.generator import Generator, paper_channels
from nodegen.training.profiles import PAPER, Profile
from nodegen.training.recorded import Recorded
from nodegen.training.scale import Training, pad

TINY = Profile("tiny", (4,) * SCALES, (6,) * SCALES, 2, 40, 2)
CPU = torch.device("cpu")


def image(seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1, (256, 256)).astype(np.float32)


def weights_of(folder):
    return {path.name: load_file(path) for path in sorted((folder / "scales").iterdir())}


def run_scales(folder, count, stop_at=None):
    """Train ``count`` scales; at ``stop_at``, (scale, iteration), leave as a kill does."""
    training = Training(image() * 2 - 1, folder, TINY, 3, CPU)
    training.restore()
    while len(training.scales) < count:
        for losses in training.train_scale():
            if stop_at == (losses["scale"], losses["iteration"]):
                return
    return


def test_the_papers_widths_and_iterations():
    assert [paper_channels(n) for n in range(SCALES)] == [32] * 4 + [64] * 4 + [128] * 8
    assert PAPER.iterations == (2000,) * SCALES
    assert (PAPER.steps, PAPER.window_px, PAPER.redraw_every) == (3, None, 1)


def test_a_killed_run_ends_in_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)  # a checkpoint after every iteration
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    run_scales(tmp_path / "whole", 3)
    run_scales(tmp_path / "broken", 3, stop_at=(0, 4))
    run_scales(tmp_path / "broken", 3, stop_at=(1, 1))
    run_scales(tmp_path / "broken", 3, stop_at=(2, 5))
    run_scales(tmp_path / "broken", 3)
    whole, broken = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert whole.keys() == broken.keys()
    for name, tensors in whole.items():
        for key, value in tensors.items():
            torch.testing.assert_close(broken[name][key], value, atol=0, rtol=0)


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
    folder = runs.train(image(), tmp_path, resume=True, **options)
    cascade = Cascade.open(folder)
    assert cascade.channels == [4] * SCALES
    assert json.loads((folder / "cascade.json").read_text())["card"]["profile"] == "tiny"
    assert len(list(tmp_path.glob("scale_*.png"))) == SCALES
    with pytest.raises(TrainingError, match="--resume"):
        runs.train(image(), tmp_path, **options)
    with pytest.raises(TrainingError, match="image_sha256"):
        runs.train(image(1), tmp_path, resume=True, **options)


@pytest.mark.parametrize(
    ("crop", "says"),
    [
        (np.zeros((255, 256)), r"256 x 256"),
        (np.full((256, 256), 5000.0), r"0\.\.4095"),
        (np.full((256, 256), np.nan), r"0\.\.4095"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(tmp_path, crop, says):
    with pytest.raises(TrainingError, match=says):
        runs.train(crop, tmp_path)


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
        torch.testing.assert_close(cascade._generate(n, x), wanted, atol=2e-3, rtol=0)


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

    recorded = trained(lambda step: Recorded(step, torch.device("cuda")))
    torch.testing.assert_close(recorded, trained(lambda step: step))
