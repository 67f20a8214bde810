"""The built image, run as the platform runs it."""

import json
import os
import subprocess
import tarfile
import uuid
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import process
from nodegen import __version__

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "test" / "sample" / "input"
EXPECTED = ROOT / "test" / "expected_output.json"
REPOSITORY = os.environ.get("NODEGEN_IMAGE", "")
EXEC, INVOKE = f"{REPOSITORY}:exec", f"{REPOSITORY}:invoke"

pytestmark = pytest.mark.skipif(
    not REPOSITORY,
    reason="NODEGEN_IMAGE names no images; ./test.sh builds them where Docker answers",
)

PLATFORM = (
    ("--cap-drop", "ALL"),
    ("--security-opt", "no-new-privileges"),
    ("--read-only",),  # only /output and /tmp can be written
    ("--volume", "/tmp"),
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
        ["docker", "run", "--rm", *flags, *mounts, EXEC],
        capture_output=True,
        text=True,
        check=False,
    )


def inside(*command: str, image: str = EXEC) -> str:
    """What a command prints in the image."""
    entry = ["docker", "run", "--rm", "--network", "none", "--entrypoint", command[0], image]
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


def test_log_ends_with_what_was_written(run):
    assert run[0].stdout.splitlines()[-1].endswith(" s: /output/phantom.mha")


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
    assert process.main(["--input", str(SAMPLE), "--output", str(tmp_path)]) == 0
    within, outside = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "phantom.mha"))).astype(int)
        for folder in (output, tmp_path)
    )
    here = [import_module(package).__version__ for package in PACKAGES]
    if here == json.loads(inside("python", "-c", VERSIONS)):
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


@pytest.mark.parametrize("image", [EXEC, INVOKE], ids=["exec", "invoke"])
def test_every_package_has_what_it_needs(image):
    assert inside("python", "-m", "pip", "check", image=image) == "No broken requirements found."


@pytest.mark.parametrize(("image", "method"), [(EXEC, "exec"), (INVOKE, "invoke")])
def test_an_image_is_what_the_platform_accepts(image, method):
    """Of amd64, its user is not root, and it has the label of its method."""
    (told,) = json.loads(docker("image", "inspect", image))
    assert told["Architecture"] == "amd64"
    assert told["Config"]["User"] == "nodegen"
    labels = told["Config"]["Labels"]
    assert labels["org.grand-challenge.api-method"] == method
    assert labels["org.opencontainers.image.version"] == __version__


def test_an_archive_holds_one_image():
    with subprocess.Popen(["docker", "save", EXEC], stdout=subprocess.PIPE) as saved:
        with tarfile.open(fileobj=saved.stdout, mode="r|", bufsize=2**20) as archive:
            files = {
                member.name: json.load(archive.extractfile(member))
                for member in archive
                if member.name.endswith(".json")
            }
        assert saved.wait() == 0
    (manifest,) = files["manifest.json"]
    assert manifest["RepoTags"] == [EXEC]
    assert files[manifest["Config"]]["config"]["User"] == "nodegen"


# What the platform's caller does with curl: no redirect is followed.
ASK = """
import http.client, sys, time
def ask(method, path, seconds):
    try:
        caller = http.client.HTTPConnection(sys.argv[1], 4743, timeout=seconds)
        caller.request(method, path)
        return caller.getresponse().status
    except OSError:
        return 0
if sys.argv[2] == "health":
    for _ in range(30):
        status = ask("GET", "/health", 10)
        if status in (200, 302):
            break
        time.sleep(1)
    print(status)
else:
    print(ask("POST", "/invoke", 3600))
"""


@pytest.fixture
def server(tmp_path):
    """The server as the platform's own test starts it, and a second container that calls it."""
    name = f"nodegen-{uuid.uuid4().hex[:12]}"
    folders = {folder: tmp_path / folder for folder in ("input", "output", "model")}
    for folder in folders.values():
        folder.mkdir()
    tmp_path.chmod(0o755)  # the container's user is not the one who runs the tests
    folders["output"].chmod(0o777)
    docker("network", "create", "--internal", name)
    try:
        docker(
            "run", "--detach", "--name", name, "--network", name, *FLAGS,
            "--volume", f"{folders['input']}:/input:ro",
            "--volume", f"{folders['output']}:/output",
            "--volume", f"{folders['model']}:/opt/ml/model:ro",
            INVOKE,
        )  # fmt: skip

        def ask(what: str) -> int:
            caller = ["run", "--rm", "--network", name, "--entrypoint", "python", INVOKE]
            return int(docker(*caller, "-c", ASK, name, what))

        yield name, folders, ask
    finally:
        subprocess.run(
            ["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False
        )
        docker("network", "rm", name)


def test_the_server_passes_the_platforms_own_test(run, server):
    """Health, two cases with a bad one between in one container, and SIGTERM within 5 s."""
    name, folders, ask = server
    expected = {path.name: path.read_bytes() for path in run[1].iterdir()}
    assert ask("health") == 200
    for boxes, status in ((None, 201), ("{}", 422), (None, 201)):
        for folder in ("input", "output"):
            for path in folders[folder].iterdir():
                path.unlink()
        for path in SAMPLE.iterdir():
            (folders["input"] / path.name).write_bytes(path.read_bytes())
        if boxes:
            (folders["input"] / "nodules.json").write_text(boxes)
        assert ask("invoke") == status
        made = {path.name: path.read_bytes() for path in folders["output"].iterdir()}
        assert made == (expected if status == 201 else {})
    assert docker("exec", name, "ls", "-A", "/tmp") == ""
    log = docker("logs", name)
    assert log.splitlines()[-1].endswith("/output/phantom.mha")
    docker("stop", "--time", "5", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0", "137: it was killed"
