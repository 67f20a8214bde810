"""The locks of what the image installs: they hold what requirements.txt asks for, by hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
WANTED = {
    "requirements.lock": (ROOT / "requirements.txt").read_text().splitlines(),
    "requirements-exec.lock": EXTRAS["exec"],
}
PYTHONS = ("3.11", "3.12", "3.13")


def locked(name):
    """Each locked package: its requirement, and the hashes under it."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        words, *hashes = line.split(" --hash=")
        found.append((Requirement(words.strip()), [each.strip() for each in hashes]))
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", WANTED)
def test_a_lock_holds_what_is_asked_for(name, python):
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    versions = {
        entry.name.lower(): str(entry.specifier).removeprefix("==")
        for entry, _ in locked(name)
        if entry.marker is None or entry.marker.evaluate(environment)
    }
    for line in WANTED[name]:
        if not line or line.startswith("#"):
            continue
        wanted = Requirement(line)
        if wanted.name == "torch":  # the base's own
            assert "torch" not in versions
            continue
        version = versions.get(wanted.name.lower())
        assert version, f"{wanted.name} is not in {name}; run .ci/lock"
        assert wanted.specifier.contains(version), f"{wanted} is not {version}; run .ci/lock"


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_names_every_package_by_hashes_and_no_registry(name):
    for entry, hashes in locked(name):
        assert re.fullmatch(r"==[\w.]+", str(entry.specifier)), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), entry
    assert "://" not in (ROOT / name).read_text()
    assert "--index" not in (ROOT / name).read_text()
