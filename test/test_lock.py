"""The lock of what the images install: it holds what requirements.txt asks for, by hashes."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
WANTED = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def locked():
    """Each locked package: its requirement, and the hashes under it."""
    found = []
    for line in LOCK.read_text().replace("\\\n", " ").splitlines():
        words, *hashes = line.split(" --hash=")
        found.append((Requirement(words.strip()), [each.strip() for each in hashes]))
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_holds_what_is_asked_for(python):
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    versions = {
        entry.name.lower(): str(entry.specifier).removeprefix("==")
        for entry, _ in locked()
        if entry.marker is None or entry.marker.evaluate(environment)
    }
    for wanted in WANTED:
        if wanted.name == "torch":  # the base's own
            assert "torch" not in versions
            continue
        version = versions.get(wanted.name.lower())
        assert version, f"{wanted.name} is not in the lock; run .ci/lock"
        assert wanted.specifier.contains(version), f"{wanted} is not {version}; run .ci/lock"


def test_the_lock_names_every_package_by_hashes_and_no_registry():
    for entry, hashes in locked():
        assert re.fullmatch(r"==[\w.]+", str(entry.specifier)), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), entry
    assert "://" not in LOCK.read_text()
    assert "--index" not in LOCK.read_text()


def test_the_base_has_a_torch_that_is_allowed():
    base = re.search(r"^ARG BASE_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text(), re.M)[1]
    (torch,) = (wanted for wanted in WANTED if wanted.name == "torch")
    assert torch.specifier.contains(re.search(r"pytorch:([\d.]+)", base)[1])
    assert base in (ROOT / ".ci" / "run").read_text()
