"""Outputs: nothing of the user's is overwritten, a run's files appear together or not at all."""

import os
import stat

import pytest

from nodegen.errors import OutputError
from nodegen.io.files import WholeFile, check_writable, locked, write_bytes, write_text
from nodegen.io.outputs import Outputs
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
    with pytest.raises(OutputError, match="are one folder"):
        run(make_input(), output, masks=spelled(output, tmp_path, how))
    assert not list(output.iterdir())


def test_recipes_are_not_replayed_over_themselves(make_input, tmp_path):
    folder = make_input()
    run(folder, tmp_path / "out")
    with pytest.raises(OutputError, match=r"recipes\.json is the input itself"):
        run(folder, tmp_path / "out", recipes=tmp_path / "out" / "recipes.json")
    assert sorted(os.listdir(tmp_path / "out")) == ["77.mha", "recipes.json"]


def test_a_failed_run_sets_the_earlier_result_aside_and_says_so(make_input, tmp_path):
    folder, output = make_input(), tmp_path / "out"
    run(folder, output)
    before = (output / "77.mha").read_bytes()
    boxes = (folder / "nodules.json").read_text()
    (folder / "nodules.json").write_text("{")
    with pytest.raises(Exception, match=r"is now .*77\.mha\.earlier"):
        run(folder, output)
    assert sorted(os.listdir(output)) == ["77.mha.earlier", "recipes.json.earlier"]
    assert (output / "77.mha.earlier").read_bytes() == before
    (folder / "nodules.json").write_text(boxes)
    run(folder, output)
    assert sorted(os.listdir(output)) == ["77.mha", "recipes.json"]


def test_two_runs_into_one_folder_are_told_apart(make_input, tmp_path):
    folder, output = make_input(), tmp_path / "out"
    with locked(output), pytest.raises(OutputError, match="Another run is writing into"):
        run(folder, output)
    run(folder, output)


def test_what_a_killed_run_left_is_cleared_and_what_a_live_one_writes_is_not(tmp_path):
    (tmp_path / ".a.json.0123abcd.partial").write_text("left by a killed run")
    (tmp_path / ".b.json.0123abcd.partial").write_text("of another file")
    alive = WholeFile(tmp_path / "a.json")
    alive.open().write(b"alive")
    write_text(tmp_path / "a.json", "later")
    alive.finish()
    alive.publish()
    assert (tmp_path / "a.json").read_text() == "alive"
    assert sorted(os.listdir(tmp_path)) == [".b.json.0123abcd.partial", "a.json"]


def test_links_are_written_through_and_permissions_kept(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "a.json"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "a.json").symlink_to(target)
    write_text(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_devices_are_written_to_and_never_replaced(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")
    write_bytes(tmp_path / "null", b"nothing")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.listdir(tmp_path) == ["null"]


def test_long_names_fit(tmp_path):
    name = "ä" * 120 + ".json"
    write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"


def test_files_of_a_run_appear_together_or_not_at_all(tmp_path):
    def write(*names, then=None):
        with Outputs(tmp_path / "out") as outputs:
            for name in names:
                outputs.text(tmp_path / "out" / name, name)
            if then:
                raise then

    with pytest.raises(KeyboardInterrupt):
        write("a", then=KeyboardInterrupt)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out" / "b").mkdir(parents=True)
    with pytest.raises(OutputError, match="b cannot be written"):
        write("a", "b")
    assert os.listdir(tmp_path / "out") == ["b"]


def test_what_cannot_be_written_is_told_beforehand(tmp_path):
    check_writable(None)
    check_writable(tmp_path / "new" / "a.json")
    with pytest.raises(OutputError, match="is a folder where a file is wanted"):
        check_writable(tmp_path)
    with pytest.raises(OutputError, match="is no folder that may be written to"):
        check_writable("/proc/none/a.json")
