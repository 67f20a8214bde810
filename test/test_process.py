"""The container's entry keeps the platform's contract; as a process, see test_extras.py."""

import pytest
from contract import keeps_the_contract
from evalutils import SegmentationAlgorithm

from grand_challenge import settings_of
from process import NoduleGeneration, main


def test_it_is_the_platforms_class():
    assert issubclass(NoduleGeneration, SegmentationAlgorithm)


@pytest.mark.parametrize("name", ["a", "b"])
def test_contract_on_real_radiographs(shared, tmp_path, capfd, name):
    source = shared / "cxr" / "stacks" / name
    code = main(["--input", str(source), "--output", str(tmp_path / "out")])
    keeps_the_contract(source, tmp_path / "out", code, *capfd.readouterr())


@pytest.mark.parametrize("holds", [(), ("hyposignal",), ("nodules",), ("hypersignal", "nodules")])
def test_an_unpacked_model_wins(tmp_path, holds):
    for name in holds:
        (tmp_path / name).mkdir()
    settings = settings_of(2, tmp_path)
    assert settings.workers == 2
    assert settings.model == (tmp_path if {*holds} - {"nodules"} else None)
    assert settings.library == (tmp_path / "nodules" if "nodules" in holds else None)
