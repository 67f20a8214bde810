"""Outputs: nothing of the user's is overwritten, a run's files appear together or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from nodegen.errors import BoxesError, OutputError
from nodegen.io.files import check_writable, claim, locked, whole_file, write_bytes, write_text
from nodegen.pipeline import generate
from nodegen.settings import Settings

PASTE = Settings(method="paste", seed=1)


def run(folder, output, **options):
    return generate(folder, output, PASTE, progress=False, **options)


def spelled(folder, tmp_path, how):
    if how == "dots":
        return folder / ".." / folder.name
    if how == "link":
        (tmp_path / "link").symlink_to(folder)
        return tmp_path / "link"
    return folder


@pytest.mark.parametrize("how", ["plain", "dots", "link"])
@pytest.mark.parametrize("what", ["output", "masks", "masks_by_box"])
def test_the_input_is_never_overwritten(make_input, tmp_path, how, what):
    folder = make_input()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    other = spelled(folder, tmp_path, how)
    into = {"output": tmp_path / "out", what: other}
    with pytest.raises(OutputError, match="is the input itself"):
        run(folder, **into)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert not (tmp_path / "out").exists()


def test_a_link_to_the_input_in_the_output_folder_is_seen(make_input, tmp_path):
    folder = make_input()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "77.mha").symlink_to(folder / "77.mha")
    with pytest.raises(OutputError, match="is the input itself"):
        run(folder, tmp_path / "out")


@pytest.mark.parametrize("how", ["plain", "dots", "link"])
def test_masks_need_a_folder_of_their_own(make_input, tmp_path, how):
    output = tmp_path / "out"
    output.mkdir()
    with pytest.raises(OutputError, match="would be written twice"):
        run(make_input(), output, masks=spelled(output, tmp_path, how))
    assert not list(output.iterdir())


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".tif"])
def test_a_folder_that_holds_a_result_is_refused_unless_it_may_be_replaced(
    make_input, tmp_path, suffix
):
    folder, output = make_input(suffix=suffix), tmp_path / "out"
    run(folder, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    with pytest.raises(OutputError, match=r"is there already; .* or --overwrite"):
        run(folder, output)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    generate(folder, output, Settings(method="paste", seed=2), progress=False, overwrite=True)
    after = {path.name: path.read_bytes() for path in output.iterdir()}
    assert after.keys() == before.keys()
    assert after["recipes.json"] != before["recipes.json"]


def test_a_failed_run_leaves_an_earlier_result_as_it_was(make_input, tmp_path):
    folder, output = make_input(), tmp_path / "out"
    run(folder, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    (folder / "nodules.json").write_text("{")
    with pytest.raises(BoxesError):
        run(folder, output, overwrite=True)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_recipes_are_not_replayed_over_themselves(make_input, tmp_path):
    folder = make_input()
    run(folder, tmp_path / "out")
    recipes = tmp_path / "out" / "recipes.json"
    with pytest.raises(OutputError, match=r"recipes\.json is the input itself"):
        run(folder, tmp_path / "out", recipes=recipes, overwrite=True)
    assert sorted(os.listdir(tmp_path / "out")) == ["77.mha", "recipes.json"]


def test_two_runs_into_one_folder_are_told_apart(make_input, tmp_path):
    folder, output = make_input(), tmp_path / "out"
    with locked(output), pytest.raises(OutputError, match="Another run is writing into"):
        run(folder, output)
    run(folder, output)
    assert sorted(os.listdir(output)) == ["77.mha", "recipes.json"]


def test_a_run_waits_for_another_where_it_is_to(tmp_path):
    order = []

    def later():
        with locked(tmp_path / "out", wait=True):
            order.append("later")

    with locked(tmp_path / "out"):
        thread = threading.Thread(target=later)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "later"]


def test_what_a_killed_run_left_is_in_nobodys_way(make_input, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    for name in (".nodegen.lock", ".0123abcd.partial"):
        (output / name).write_bytes(b"")
    (output / ".nodegen-0123abcd").mkdir()
    assert run(make_input(), output).image.is_file()


def test_links_are_written_through(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "a.json"
    target.write_text("old")
    (tmp_path / "a.json").symlink_to(target)
    write_text(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").is_symlink()
    assert target.read_text() == "new"


def test_devices_are_written_to_and_never_replaced(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")
    write_bytes(tmp_path / "null", b"nothing")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.listdir(tmp_path) == ["null"]
    with pytest.raises(OSError, match="is no file"), whole_file(tmp_path / "null"):
        pass


def test_long_names_fit(tmp_path):
    name = "ä" * 120 + ".json"
    write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    def write(then):
        with whole_file(tmp_path / "new" / "a.json") as file:
            file.write(b"half")
            then()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(interrupt)
    assert not list((tmp_path / "new").iterdir())
    write(lambda: None)
    assert os.listdir(tmp_path / "new") == ["a.json"]


def test_files_of_a_run_appear_together_or_not_at_all(tmp_path):
    one, other = tmp_path / "out" / "a", tmp_path / "masks" / "b"

    def write(then=None):
        with claim(one, other) as staged:
            for path in (one, other):
                write_text(staged[path], path.name)
            if then:
                then()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(interrupt)
    assert not (tmp_path / "out").exists()
    with pytest.raises(OutputError, match="b cannot be written"):
        write(other.mkdir)  # while the run was at work
    assert not one.exists()
    other.rmdir()
    write()
    assert (one.read_text(), other.read_text()) == ("a", "b")
    held = claim(tmp_path / "out", overwrite=True)
    with pytest.raises(OutputError, match="is a folder where a file is wanted"), held:
        pass


def test_what_cannot_be_written_is_said_beforehand(tmp_path):
    check_writable(None)
    check_writable(tmp_path / "new" / "a.json")
    with pytest.raises(OutputError, match="is a folder where a file is wanted"):
        check_writable(tmp_path)
    with pytest.raises(OutputError, match="is no folder that may be written to"):
        check_writable(Path("/proc/none/a.json"))
