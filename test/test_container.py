"""The built image, run as the platform runs it."""

import json
import os
import subprocess
import sys
import uuid
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

SERVER = os.environ.get("NODEGEN_INVOKE_IMAGE", "")

PLATFORM = (
    ("--cap-drop", "ALL"),
    ("--security-opt", "no-new-privileges"),
    ("--read-only",),  # only /output and /tmp can be written
    ("--tmpfs", "/tmp"),
    ("--pids-limit", "256"),
    ("--shm-size", "128m"),
    ("--memory", "4g"),
)
FLAGS = [word for flag in PLATFORM for word in flag]
PACKAGES = ("torch", "numpy", "scipy")
VERSIONS = f"import json\nprint(json.dumps([__import__(p).__version__ for p in {PACKAGES!r}]))"


def docker_run(source: Path, output: Path) -> subprocess.CompletedProcess:
    """Run the image on a folder as the platform does."""
    output.chmod(0o777)  # the container's user is not the one who runs the tests
    mounts = ("--volume", f"{source}:/input:ro", "--volume", f"{output}:/output")
    flags = ["--network", "none", *FLAGS]  # nothing can be fetched
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


def docker(*words: str | Path) -> str:
    """What a command of docker's prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("method", ["exec", "invoke"])
def test_image_is_what_the_platform_accepts(method):
    image = {"exec": IMAGE, "invoke": SERVER}[method]
    if not image:
        pytest.skip("NODEGEN_INVOKE_IMAGE names no image; ./test.sh builds one")
    label = '{{index .Config.Labels "org.grand-challenge.api-method"}} {{.Config.User}}'
    assert docker("inspect", "--format", label, image) == f"{method} nodegen"


ASK = """
import sys, time, urllib.error, urllib.request
host = "http://" + sys.argv[1] + ":4743"
def ask(method, path):
    try:
        with urllib.request.urlopen(urllib.request.Request(host + path, method=method)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
for path in sys.argv[2:]:
    if path == "health":
        while ask("GET", "/health") != 200:
            time.sleep(0.2)
        print(200)
    else:
        print(ask("POST", "/invoke"))
"""


@pytest.fixture
def server(tmp_path):
    """The server's container in a network without a way out; asks it from a second container."""
    if not SERVER:
        pytest.skip("NODEGEN_INVOKE_IMAGE names no image; ./test.sh builds one")
    name = f"nodegen-{uuid.uuid4().hex[:12]}"
    (tmp_path / "output").mkdir()
    tmp_path.chmod(0o755)  # the container's user is not the one who runs the tests
    (tmp_path / "output").chmod(0o777)
    docker("network", "create", "--internal", name)
    try:
        docker(
            "run", "--detach", "--name", name, "--network", name, *FLAGS,
            "--volume", f"{tmp_path}:/cases", SERVER,
            "--input", "/cases/input", "--output", "/cases/output",
        )  # fmt: skip

        def ask(*what: str) -> list[int]:
            said = docker(
                "run", "--rm", "--network", name, "--entrypoint", "python3", SERVER,
                "-c", ASK, name, *what,
            )  # fmt: skip
            return [int(line) for line in said.splitlines()]

        yield tmp_path, ask, lambda: docker("exec", name, "ls", "-A", "/tmp"), name
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        docker("network", "rm", name)


def test_server_does_what_a_single_run_does(run, server):
    """Two cases and a bad one between, asked from a second container, the input's link moved."""
    cases, ask, temporary, name = server
    for case in ("good", "bad", "again"):
        (cases / case).mkdir()
        for path in SAMPLE.iterdir():
            (cases / case / path.name).write_bytes(path.read_bytes())
    (cases / "bad" / "nodules.json").write_text("{}")
    assert ask("health") == [200]
    for case, status in (("good", 201), ("bad", 422), ("again", 201)):
        (cases / "input").unlink(missing_ok=True)
        (cases / "input").symlink_to(case)  # within what is mounted
        for path in (cases / "output").iterdir():
            path.unlink()
        assert ask("invoke") == [status]
        made = {path.name: path.read_bytes() for path in (cases / "output").iterdir()}
        expected = {path.name: path.read_bytes() for path in run[1].iterdir()}
        assert made == ({} if status == 422 else expected)
    assert temporary() == ""
    docker("stop", "--time", "5", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0", "137: it was killed"
