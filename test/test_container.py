"""The built image, run as the platform runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "test" / "sample" / "input"
EXPECTED = ROOT / "test" / "expected_output.json"
IMAGE = os.environ.get("NODEGEN_IMAGE", "")

pytestmark = pytest.mark.skipif(
    not IMAGE, reason="NODEGEN_IMAGE names no image; ./test.sh builds one where Docker answers"
)

PLATFORM = (
    ("--network", "none"),  # nothing can be fetched
    ("--cap-drop", "ALL"),
    ("--security-opt", "no-new-privileges"),
    ("--read-only",),  # only /output and /tmp can be written
    ("--tmpfs", "/tmp"),
    ("--pids-limit", "256"),
    ("--shm-size", "128m"),
    ("--memory", "4g"),
)
PACKAGES = ("torch", "numpy", "scipy", "skimage", "SimpleITK")
VERSIONS = f"import json\nprint(json.dumps([__import__(p).__version__ for p in {PACKAGES!r}]))"


def docker_run(source: Path, output: Path) -> subprocess.CompletedProcess:
    """Run the image on a folder as the platform does."""
    output.chmod(0o777)  # the container's user is not the one who runs the tests
    mounts = ("--volume", f"{source}:/input:ro", "--volume", f"{output}:/output")
    flags = [word for flag in PLATFORM for word in flag]
    return subprocess.run(
        ["docker", "run", "--rm", *flags, *mounts, IMAGE],
        capture_output=True,
        text=True,
        check=False,
    )


def inside(*command: str) -> str:
    """What a command prints in the image."""
    entry = ["docker", "run", "--rm", "--network", "none", "--entrypoint", command[0], IMAGE]
    return subprocess.run(
        [*entry, *command[1:]], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """The image's run on the sample, and its output folder."""
    output = tmp_path_factory.mktemp("container")
    return docker_run(SAMPLE, output), output


def test_succeeds_and_keeps_stderr_empty(run):
    result, _ = run
    assert (result.returncode, result.stderr) == (0, "")


def test_log_says_first_what_it_runs_on(run):
    first = run[0].stdout.splitlines()[0]
    assert "torch" in first
    assert "cpu" in first.lower()


def test_output_is_what_the_platform_expects(run):
    _, output = run
    names = sorted(path.name for path in output.iterdir())
    assert names == ["phantom.mha", "recipes.json", "results.json"]
    assert json.loads((output / "results.json").read_text()) == json.loads(EXPECTED.read_text())
    before = sitk.ReadImage(str(SAMPLE / "phantom.mha"))
    after = sitk.ReadImage(str(output / "phantom.mha"))
    for geometry in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(after, geometry)() == getattr(before, geometry)()
    assert after.GetPixelID() == sitk.sitkUInt8


def test_pixels_are_those_of_a_run_outside(run, tmp_path):
    _, output = run
    subprocess.run(
        [sys.executable, ROOT / "process.py", "--input", SAMPLE, "--output", tmp_path],
        check=True, capture_output=True,
    )  # fmt: skip
    within, outside = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "phantom.mha"))).astype(int)
        for folder in (output, tmp_path)
    )
    here = subprocess.run(
        [sys.executable, "-c", VERSIONS], capture_output=True, text=True, check=True
    ).stdout
    if json.loads(here) == json.loads(inside("python3", "-c", VERSIONS)):
        assert np.array_equal(within, outside)
    else:  # Other versions may add up in another order; of 255 levels hardly one changes.
        assert np.abs(within - outside).max() <= 3
        assert np.mean(within != outside) < 0.01


def test_bad_input_ends_in_one_sentence(tmp_path):
    source, output = tmp_path / "input", tmp_path / "output"
    source.mkdir()
    output.mkdir()
    result = docker_run(source, output)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines()[-1].endswith(".")
    assert "Traceback" not in result.stderr
    assert not list(output.glob("*.mha"))


def test_image_is_what_the_platform_accepts():
    assert inside("id", "-u") != "0"
    label = '{{index .Config.Labels "org.grand-challenge.api-method"}}'
    seen = subprocess.run(
        ["docker", "inspect", "--format", label, IMAGE], capture_output=True, text=True, check=True
    )
    assert seen.stdout.strip() == "exec"
