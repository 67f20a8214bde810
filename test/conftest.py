"""Fixtures. What they need is imported in them: xdist's controller, too, reads this file."""

import os
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
from thorough import THOROUGH, cases

if "PYTEST_XDIST_WORKER" in os.environ:
    # Beside other tests, threads of one computation wait for each other, and wait busily. Torch and
    # NumPy read this when they are imported, and so do the processes that tests start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Seconds are never asserted: a busy machine is no fault. A usual run draws the same cases each
# time, a thorough one others.
hypothesis.settings.register_profile(
    "nodegen",
    deadline=None,
    max_examples=cases(40, 400),
    derandomize=not THOROUGH,
    database=None,
)
hypothesis.settings.load_profile("nodegen")


@pytest.fixture(scope="session")
def shared():
    """The folder of real data: $NODEGEN_SHARED, or ``shared`` beside the project."""
    folder = Path(os.environ.get("NODEGEN_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "cxr").is_dir():
        pytest.skip(f"needs real radiographs, and {folder} has none; set NODEGEN_SHARED")
    return folder


@pytest.fixture(scope="session")
def chest():
    """A simulated radiograph that no training saw, the sample's first, and its exact lungs."""
    import numpy as np
    from radiographs import SAMPLE, SAMPLE_SEED

    from nodegen.io.stack import read_stack
    from research.lungs.cases import lung_fields
    from research.phantom.anatomy import Anatomy

    patient, _ = np.random.SeedSequence([SAMPLE_SEED, 0]).spawn(2)
    anatomy = Anatomy(np.random.default_rng(patient))
    return np.array(read_stack(SAMPLE).pixels[0]), lung_fields(anatomy)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """Two cascades of random weights, four channels wide, as files."""
    import torch

    from nodegen.constants import CLASSES, SCALES
    from nodegen.training.card import save_cascade
    from nodegen.training.networks import Generator

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    for name in CLASSES:
        states = [Generator(4).eval().state_dict() for _ in range(SCALES)]
        save_cascade(folder / name, states, [0.05] * SCALES, {})
    return folder


@pytest.fixture(scope="module")
def lungs_once():
    """Have the lung network answer once for each radiograph, for tests that share a few."""
    from nodegen.lungs import network

    answer, answers = network.mean_of_views, {}

    def once(net, grid):
        key = net, grid.tobytes()
        if key not in answers:
            answers[key] = answer(net, grid)
        return answers[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "mean_of_views", once)
        yield


def smooth_noise(shape, rng):
    """Radiograph-like ground: (slice, row, column) in 0..1, dark in the middle, bright outside."""
    import numpy as np

    _, rows, columns = shape
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    ground = 0.2 + 0.6 * (x**2 + y**2) / 2
    return np.clip(ground + rng.normal(0, 0.02, shape), 0, 1)


@pytest.fixture
def make_input(tmp_path):
    """Write a case's folder: a stack and boxes given as (slice, left, top, right, bottom)."""
    import numpy as np

    from nodegen.io.boxes import Box, write_boxes
    from nodegen.io.image import Geometry
    from nodegen.io.stack import stack_writer

    def make(
        boxes=((0, 60, 60, 100, 110),),
        shape=(2, 300, 320),
        dtype=np.uint16,
        suffix=".mha",
        geometry=None,
        name="case",
    ):
        folder = tmp_path / f"input-{name}"
        folder.mkdir()
        scale = 1.0 if np.issubdtype(dtype, np.floating) else min(np.iinfo(dtype).max, 4095)
        pixels = (smooth_noise(shape, np.random.default_rng(0)) * scale).astype(dtype)
        geometry = geometry or Geometry.plain(3)
        with stack_writer(folder / f"77{suffix}", geometry, shape, dtype) as write:
            for slice_ in pixels:
                write(slice_)
        write_boxes(folder / "nodules.json", [Box(*b, i) for i, b in enumerate(boxes)])
        return folder

    return make


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """One browser for all tests of pages; they are skipped where there is none."""
    from chromium import Chromium

    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture
def memory():
    """An address in memory, empty."""
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return "memory://bucket"


@pytest.fixture
def s3(monkeypatch):
    """An address in an S3 of our own, empty."""
    server = pytest.importorskip("moto.server", reason="needs an S3: pip install 'moto[server]'")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs: pip install nodegen[cluster]")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = uuid4().hex  # what is in them stays as long as the process
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}"
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()
