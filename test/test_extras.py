"""What is core and what is an extra: nothing that generates imports more than the core."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from nodegen.cli.guard import EXTRAS

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
# Rooms that .dockerignore keeps out of the image.
OUTSIDE = [
    line.removeprefix("nodegen/")
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line.startswith("nodegen/")
]

# An entry on a stack, with some of what can be imported taken away.
ENTRIES = """
import json, sys
sys.path[:0] = {root!r}, {root!r} + "/test"
from without import finders_without
sys.meta_path[:] = finders_without(*{blocked!r})
import {entry}
{call}
print(json.dumps(sorted(sys.modules)))
"""


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


def run_without(package, code):
    """Run code in an interpreter that does not know a package."""
    taken = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'test')!r})\n"
        "from without import finders_without\n"
        f"sys.meta_path[:] = finders_without({package!r})\n"
    )
    command = [sys.executable, "-c", taken + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_guarded_without(package):
    return run_without(
        package,
        f"from nodegen.cli import guarded\nsys.exit(guarded(lambda: __import__({package!r})))",
    )


@pytest.mark.parametrize("package", EXTRAS)
def test_a_missing_extra_is_told_in_one_sentence(package):
    done = run_guarded_without(package)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert done.stderr.endswith(f"pip install 'nodegen[{EXTRAS[package]}]'`.\n")


DATASET = ["dataset", "in", "--images", "1", "--output", "out", "--format"]


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("mlcroissant", [*DATASET, "coco"]),
        ("SimpleITK", [*DATASET, "nndetection"]),
        ("highdicom", [*DATASET, "coco,dicom"]),
        ("jinja2", ["generate", "--input", "in", "--output", "out", "--report", "report.html"]),
    ],
)
def test_a_missing_extra_is_told_before_the_work(package, command):
    """There is nothing to work on: that would be said next."""
    done = run_without(package, f"from nodegen.cli import main; sys.exit(main({command!r}))")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"nodegen: This needs {package}, which is not installed")


def test_what_is_no_extra_keeps_its_traceback():
    done = run_guarded_without("numpy")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: No module named 'numpy'")


def test_a_command_that_the_image_lacks_is_told():
    done = run_guarded_without("nodegen.evaluation")
    assert done.returncode == 2
    assert "by pip for its other commands" in done.stderr


DISTRIBUTIONS = packages_distributions()


def distributions(package):
    return {name.lower() for name in DISTRIBUTIONS.get(package, [package])}


@pytest.mark.parametrize("entry", ["process", "nodegen.cli"])
def test_what_generates_imports_no_more_than_it_is_given(make_input, tmp_path, entry):
    """The image has requirements.lock and not every room, the wheel has its own dependencies."""
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    command = ["generate", *arguments] if entry == "nodegen.cli" else arguments
    blocked = {*EXTRAS, *(f"nodegen.{room}" for room in OUTSIDE)}
    if entry == "process":
        blocked = {name for name in {*blocked, "cyclopts"} if not distributions(name) & LOCKED}
    code = ENTRIES.format(
        root=str(ROOT), blocked=sorted(blocked), entry=entry,
        call=f"assert {entry}.main({command!r}) == 0",
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "77.mha").is_file()
