"""The wheel and the sdist by themselves: they hold every module and the model, and generate."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from without import OUTSIDE, code_without

import nodegen
from nodegen.cli.guard import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = {"model": "model", "sample": "test/sample/input"}  # its folder in the clone
SOURCES = ("nodegen", *SHIPPED.values(), "pyproject.toml", "setup.py", "README.md")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the sdist, and of the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"  # the build leaves folders behind
    source.mkdir()
    for name in (*SOURCES, "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    subprocess.run(build, check=True, capture_output=True)
    return folder


def test_the_sdist_holds_all_that_the_wheel_holds(built):
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    version = nodegen.__version__
    assert wheel.name == f"nodegen-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(sdist) as archive:
        given = {name.removeprefix(f"nodegen-{version}/") for name in archive.getnames()}
    places = {f"nodegen/{name}": clone for name, clone in SHIPPED.items()}
    in_sdist = re.compile(f"^({'|'.join(places)})")
    assert {in_sdist.sub(lambda match: places[match[0]], name) for name in held} <= given
    assert not {name.partition("/")[0] for name in held} - {"nodegen"}
    for place, folder in {"nodegen": "nodegen", **places}.items():
        files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
        names = {f"{place}/{path.relative_to(ROOT / folder)}" for path in files}
        assert {name for name in names if "__pycache__" not in name} <= held


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The Python of an environment that has the wheel, and nothing of the clone.

    What nodegen needs is taken from this environment's packages, since installing torch anew takes
    minutes; nodegen itself is installed there as a link to the clone, which a path does not follow.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    (wheel,) = built.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (Path(site) / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    return python


@pytest.fixture(scope="module")
def run(installed, tmp_path_factory):
    """Run something of the installed package in an empty folder."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def call(*arguments):
        done = subprocess.run(
            [installed, "-I", *map(str, arguments)], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    call.folder = folder
    return call


def test_the_wheel_is_not_the_clone(run):
    home = Path(run("-c", "import nodegen.errors; print(nodegen.errors.__file__)").strip())
    assert ROOT not in home.parents
    assert "site-packages" in home.parts


def test_it_generates_from_its_own_sample_with_its_own_model_and_no_extra(run):
    run("-m", "nodegen", "sample", "--output", "in")
    options = ["--intensity", "input", "--no-noise-and-blur", "--seed", "1"]
    words = ["generate", "--input", "in", "--output", "out", *options]
    main = f"from nodegen.cli import main\nassert main({words!r}) == 0"
    run("-c", code_without([*EXTRAS, *OUTSIDE], main))
    header = json.loads((run.folder / "out" / "recipes.json").read_text())
    assert header["model_sha256"]


def test_its_command_is_there(installed):
    command = Path(installed).with_name("nodegen")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nodegen ")
