"""Stores: a folder, memory and S3 hold the same files in the same way."""

from contextlib import suppress
from pathlib import Path

import pytest

from nodegen.errors import OutputError, SettingError
from nodegen.io import files
from nodegen.io.store import Store


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def store(request, tmp_path):
    if request.param in ("memory", "s3"):
        return Store.at(f"{request.getfixturevalue(request.param)}/set")
    return Store.at(f"{'file://' if request.param == 'file' else ''}{tmp_path / 'set'}")


def put(store, **contents):
    with store.staged("marker") as folder:
        for name, content in contents.items():
            files.write_bytes(folder / name.replace("_", "/"), content)


def test_what_is_written_is_there(store):
    assert store.sizes() == {}
    assert store.size("a") is None
    put(store, b_one=b"1", a=b"22", marker=b"")
    assert store.sizes() == {"a": 2, "b/one": 1, "marker": 0}
    assert store.size("a") == 2
    assert store.read("b/one") == b"1"
    assert list(store.read_many(["a", "none", "b/one"])) == [b"22", None, b"1"]
    assert store.parts([("a", 1, 9), ("none", 0, 1), ("b/one", 0, 1)]) == [b"2", b"", b"1"]
    with store.local("b/one") as path:
        assert (path.name, path.read_bytes()) == ("one", b"1")
    with pytest.raises(FileNotFoundError):
        store.read("none")


def test_a_header_comes_with_its_pixels(store):
    put(store, **{"b_a.mhd": b"header", "b_a.raw": b"pixels", "b_ab.raw": b"others"})
    with store.local("b/a.mhd") as path:
        assert path.with_suffix(".raw").read_bytes() == b"pixels"


@pytest.mark.parametrize("service", ["memory", "s3"])
def test_the_plan_of_who_came_first_stays(service, request):
    store = Store.at(f"{request.getfixturevalue(service)}/set")
    store.create("plan", b"mine")
    store.create("plan", b"yours")
    assert store.read("plan") == b"mine"


def test_the_marker_is_sent_last(monkeypatch):
    from nodegen.io import store as module

    sent, send = [], module._pipe

    def noted(service, contents, **how):
        sent.append(sorted(contents))
        send(service, contents, **how)

    monkeypatch.setattr(module, "_pipe", noted)
    put(Store.at("memory://bucket/last"), z=b"1", marker=b"2", a=b"3")
    assert sent == [
        ["a", "z"],
        ["marker"],
    ]


def test_nothing_is_sent_of_what_failed():
    store = Store.at("memory://bucket/failed")
    with suppress(ZeroDivisionError), store.staged("marker") as folder:
        (folder / "half").write_text("half")
        raise ZeroDivisionError
    assert store.sizes() == {}
    assert not folder.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere://bucket/set", "no address that can be opened"),
        (Path("s3://bucket/set"), "lost a slash"),
    ],
)
def test_addresses_that_are_none(given, words):
    with pytest.raises(SettingError, match=words):
        Store.at(given)


def test_what_a_service_says_is_told_in_one_sentence(monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(*_, **__):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "find", refuse)
    with pytest.raises(OutputError, match=r"cannot be used .*Access Denied"):
        Store.at("memory://bucket/set").sizes()
