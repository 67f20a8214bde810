"""What is core and what is an extra: nothing that generates imports more than the core."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from contract import keeps_the_contract
from without import OUTSIDE, code_without, run_each_without

from nodegen.cli.guard import EXTRAS
from nodegen.io.image import Geometry

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
TILTED = Geometry((0.1, 0.2, 3.0), (1.0, 2.0, 3.0), (0, 1, 0, -1, 0, 0, 0, 0, 1), 3)


def requirements(extra):
    """Names of the distributions of an extra, those of the extras that it names included."""
    found = set()
    for line in PYPROJECT["project"]["optional-dependencies"][extra]:
        if own := re.fullmatch(r"nodegen\[(.*)\]", line):
            found.update(*map(requirements, own[1].split(",")))
        else:
            found.add(re.match(r"[\w-]+", line)[0].lower())
    return found


@pytest.mark.parametrize("package", EXTRAS)
def test_every_package_is_in_the_extra_that_is_named(package):
    assert distributions(package) & requirements(EXTRAS[package])


def asked_for(package):
    """Code in which a command needs a package."""
    work = f"lambda: __import__({package!r})"
    return f"import sys\nfrom nodegen.cli import guarded\nsys.exit(guarded({work}))"


def called(*words):
    return f"import sys\nfrom nodegen.cli import main\nsys.exit(main({[*words]!r}))"


DATASET = ["dataset", "in", "--images", "1", "--output", "out", "--format"]
REPORT = ["generate", "--input", "in", "--output", "out", "--report", "report.html"]
BEFORE_THE_WORK = [
    ("mlcroissant", called(*DATASET, "coco")),
    ("SimpleITK", called(*DATASET, "nndetection")),
    ("highdicom", called(*DATASET, "coco,dicom")),
    ("jinja2", called(*REPORT)),
]
NO_EXTRAS = ["tifffile", "nodegen.evaluation"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What each of these calls says, by what is not installed and the code."""
    calls = [(name, asked_for(name)) for name in (*EXTRAS, *NO_EXTRAS)] + BEFORE_THE_WORK
    return run_each_without(calls, tmp_path_factory.mktemp("without"))


@pytest.mark.parametrize("package", EXTRAS)
def test_a_missing_extra_is_told_in_one_sentence(done, package):
    run = done[package, asked_for(package)]
    assert run.returncode == 2
    assert run.stderr.splitlines() == [run.stderr.strip()]
    assert run.stderr.endswith(f"pip install 'nodegen[{EXTRAS[package]}]'`.\n")


@pytest.mark.parametrize(("package", "code"), BEFORE_THE_WORK)
def test_a_missing_extra_is_told_before_the_work(done, package, code):
    """There is nothing to work on: that would be said next."""
    run = done[package, code]
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"nodegen: This needs {package}, which is not installed")


def test_what_is_no_extra_keeps_its_traceback(done):
    run = done["tifffile", asked_for("tifffile")]
    assert run.returncode == 1
    assert run.stderr.startswith("Traceback")
    assert run.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'tifffile'"


def test_a_command_that_the_image_lacks_is_told(done):
    run = done["nodegen.evaluation", asked_for("nodegen.evaluation")]
    assert run.returncode == 2
    assert "by pip for its other commands" in run.stderr


distributions_of_packages = cache(packages_distributions)  # reads the lists of all files


def distributions(package):
    return {name.lower() for name in distributions_of_packages().get(package, [package])}


def test_process_keeps_the_contract_with_what_the_image_has(make_input, tmp_path):
    """Packages of requirements.lock alone, and not every room; for the wheel, see test_wheel.py."""
    source, output = make_input(((1, 60, 60, 100, 110),), geometry=TILTED), tmp_path / "out"
    absent = {name for name in (*EXTRAS, *OUTSIDE, "cyclopts") if not distributions(name) & LOCKED}
    code = f"import runpy; runpy.run_path({str(ROOT / 'process.py')!r}, run_name='__main__')"
    command = [sys.executable, "-c", code_without(absent, code)]
    folders = ["--input", source, "--output", output]
    run = subprocess.run([*command, *folders], capture_output=True, text=True, check=False)
    keeps_the_contract(source, output, run.returncode, run.stdout, run.stderr)
