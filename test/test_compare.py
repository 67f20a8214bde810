"""Compare: the same recipes by several methods, tables and report."""

import csv
import json
import shutil

import pytest

from nodegen.cli import main
from nodegen.evaluation.compare import _names
from nodegen.evaluation.fidelity.reference import Reference

BOXES = ((0, 60, 60, 100, 110), (1, 150, 30, 190, 80))


@pytest.fixture
def two_inputs(make_input, tmp_path):
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name in ("x", "y"):
        make_input(BOXES, name=name).rename(folder / name)
    return folder


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("nodegen.evaluation.fidelity.before_after.TREES", 10)
    monkeypatch.setattr("nodegen.evaluation.fidelity.comparison.RESAMPLES", 20)


def run(two_inputs, tmp_path, tiny_model, *more):
    paths = ["--input", str(two_inputs), "--output", str(tmp_path / "out")]
    return main(["compare", *paths, "--model", str(tiny_model), *more])


def test_methods_follow_the_same_recipes_and_are_judged(two_inputs, tmp_path, tiny_model, capfd):
    methods = "singan,poisson,paste,singan-paper"
    shutil.rmtree(two_inputs / "y")  # one is enough here
    assert run(two_inputs, tmp_path, tiny_model, "--methods", methods, "--seeds", "1,2") == 0
    said = capfd.readouterr()
    assert said.err == ""
    output = tmp_path / "out"
    table = (output / "compare.md").read_text()
    assert table.strip() in said.out
    content = json.loads((output / "compare.json").read_text())
    assert list(content) == methods.split(",")
    assert all(verdict["boxes"] == 2 * 2 for verdict in content.values())
    with open(output / "compare.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["method"] for row in rows} == set(content)
    assert (output / "report.html").is_file()
    drawn = {}
    for method in content:
        header = json.loads((output / "x" / f"{method}-2" / "recipes.json").read_text())
        drawn[method] = [{**r, "visibility": 0, "flags": ""} for r in header["recipes"]]
        assert header["settings"]["add_back"] == ("paper" if "paper" in method else "grain")
    assert drawn["singan"] == drawn["poisson"] == drawn["paste"]
    # The paper chooses among more nodules, and turns them as they come.
    shared = "index", "mirror", "signal", "n0", "weight", "noise"
    for one, other in zip(drawn["singan"], drawn["singan-paper"], strict=True):
        assert [one[name] for name in shared] == [other[name] for name in shared]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--methods", "singan,magic"], "methods are singan, magic"),
        (["--methods", "paste,paste"], "each once"),
        (["--seeds", "3,3"], "seeds are 3, 3"),
    ],
)
def test_wrong_choices_are_told(two_inputs, tmp_path, tiny_model, capfd, options, says):
    assert run(two_inputs, tmp_path, tiny_model, *options) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert says in line
    assert line.endswith(".")


def test_folders_of_one_name_get_names_of_their_own(tmp_path):
    folders = [tmp_path / place for place in ("x/a", "y/a", "z/a-2", "a-1", "v/a")]
    assert _names(folders) == ["a", "a-2", "a-2-2", "a-1", "a-3"]


def test_a_folder_given_twice_counts_once(two_inputs, tmp_path, tiny_model):
    (tmp_path / "link").symlink_to(two_inputs / "x")
    more = ["--input", str(two_inputs / "x"), "--input", str(tmp_path / "link")]
    assert run(two_inputs, tmp_path, tiny_model, "--methods", "paste", *more) == 0
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert content["paste"]["boxes"] == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["x", "y"]


def test_methods_are_held_against_the_reference_given(two_inputs, tmp_path, tiny_model, capfd):
    path = tmp_path / "reference.json"
    reference = Reference.load()
    reference.model_copy(update={"source": "mine", "main": ("hand",)}).write(path)
    more = ["--methods", "paste", "--reference", str(path)]
    assert run(two_inputs, tmp_path, tiny_model, *more) == 0
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert content["paste"]["comparison"]["source"] == "mine"
    assert content["paste"]["comparison"]["nodules"] == len(reference.table("hand"))
    assert "Reference: mine" in capfd.readouterr().out


def test_a_folder_without_cases_is_told(tmp_path, tiny_model, capfd):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", tmp_path, tiny_model) == 2
    assert "holds no nodules.json" in capfd.readouterr().err
