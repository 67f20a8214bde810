"""The library: opened without reading, checked by hash, picked by diameter."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegen.constants import EMPTY_RAY, PROJECTION_AXIS
from nodegen.errors import LibraryError, OutputError
from nodegen.io.library import ARRAY, INDEX, TABLE, WATER, Library, Nodule, write_library
from nodegen.settings import MODEL
from nodegen.synthesis.choice import CANDIDATES_MIN_NODULES, alike, larger
from nodegen.synthesis.fit_to_box import bounds
from nodegen.synthesis.projection import oriented
from research.nodule_model.synthesise import LARGEST_MM, SMALLEST_MM


def nodule(rows=9, columns=7, name="a_dcm_0", axis=1, seed=0):
    """An ellipse that touches all four sides of its array."""
    y, x = np.mgrid[:rows, :columns]
    mask = ((y + 0.5) / rows * 2 - 1) ** 2 + ((x + 0.5) / columns * 2 - 1) ** 2 < 1.2
    grain = np.random.default_rng(seed).random((rows, columns))
    projection = np.where(mask, EMPTY_RAY + 0.1 + 0.2 * grain, EMPTY_RAY).astype(np.float32)
    water_mm = np.random.default_rng(seed + 1).random((2 * rows, columns)).astype(np.float32)
    return Nodule(projection, mask, max(rows, columns), name, axis, water_mm, 0.5)


def library_of(folder, diameters, axes=(1,)):
    write_library(
        folder,
        [
            nodule(d, max(d - 2, 1), f"n{k}_dcm_0", axis, seed=k)
            for k, d in enumerate(diameters)
            for axis in axes
        ],
    )
    return Library(folder)


def test_what_is_written_is_read_again(tmp_path):
    written = [nodule(9, 7, "a_dcm_0", 0), nodule(4, 12, "a_dcm_0", 2, seed=1), nodule(1, 1)]
    sha256 = write_library(tmp_path / "library", written)
    library = Library(tmp_path / "library")
    assert (len(library), library.sha256) == (3, sha256)
    assert library.diameters_mm.tolist() == [9, 12, 1]
    assert library.names == ("a_dcm_0",) * 3
    assert library.axes.tolist() == [0, 2, 1]
    for read, one in zip(library, written, strict=True):
        assert read.projection.dtype == np.float32
        np.testing.assert_array_equal(read.projection, one.projection)
        np.testing.assert_array_equal(read.mask, one.mask)
        assert (read.diameter_mm, read.name, read.axis) == (one.diameter_mm, one.name, one.axis)
        # A byte of the square root: half a step of it, at the largest a 255th.
        np.testing.assert_allclose(read.water_mm, one.water_mm, atol=one.water_mm.max() / 255)
        assert (read.water_mm.dtype, read.step_mm) == (np.float32, one.step_mm)


def test_the_files_are_plain_and_small_for_their_content(tmp_path):
    library_of(tmp_path, [5, 6])
    pixels = np.load(tmp_path / ARRAY, allow_pickle=False)
    assert pixels.dtype.names == ("projection", "mask")
    assert pixels.size == 5 * 3 + 6 * 4
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([ARRAY, WATER, TABLE, INDEX])


def test_the_same_nodules_give_the_same_hash_and_others_another(tmp_path):
    first = library_of(tmp_path / "a", [5, 9]).sha256
    assert library_of(tmp_path / "b", [5, 9]).sha256 == first
    assert library_of(tmp_path / "c", [5, 8]).sha256 != first


def test_picking_one_reads_only_that_one(tmp_path):
    library_of(tmp_path, [6, 7, 8])
    path = tmp_path / ARRAY
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF  # in the last nodule's pixels
    path.write_bytes(content)
    library = Library(tmp_path)
    assert library[0].diameter_mm == 6
    assert library[1].diameter_mm == 7
    with pytest.raises(LibraryError, match=r"nodule 2 \(n2_dcm_0, axis 1\).*damaged"):
        library[2]


def test_a_damaged_thickness_is_named_when_it_is_picked(tmp_path):
    library_of(tmp_path, [6, 7])
    content = bytearray((tmp_path / WATER).read_bytes())
    content[-1] ^= 0x01
    (tmp_path / WATER).write_bytes(content)
    library = Library(tmp_path)
    assert library[0].diameter_mm == 6
    with pytest.raises(LibraryError, match=r"nodule 1 .*damaged"):
        library[1]


@pytest.mark.parametrize(("side", "low", "high"), [(57, 12, 22), (30, 7, 12), (100, 21, 40)])
def test_nodules_alike_are_a_fifth_to_two_fifths_of_the_box(tmp_path, side, low, high):
    library = library_of(tmp_path, [*range(4, 47)] * 4)
    found = library.diameters_mm[alike(library, side)]
    assert (found.min(), found.max()) == (low, high)


@pytest.mark.parametrize("side", [5, 180, 300, 1000])
def test_where_few_are_alike_the_nearest_in_size_are_taken(tmp_path, side):
    library = library_of(tmp_path, range(4, 47), axes=(0, 1))
    chosen = alike(library, side)
    names = {library.names[index] for index in chosen}
    assert len(names) >= CANDIDATES_MIN_NODULES
    others = np.setdiff1d(np.arange(len(library)), chosen)
    middle = side / 5 * np.sqrt(2)
    away = np.abs(np.log(library.diameters_mm / middle))
    assert away[chosen].max() <= away[others].min()


def test_pixels_are_mapped_not_loaded(tmp_path):
    library = library_of(tmp_path, [6, 7, 8])
    assert isinstance(library._pixels, np.memmap)
    assert not isinstance(library[0].projection, np.memmap)


def test_there_is_no_entry_beyond_the_last(tmp_path):
    with pytest.raises(IndexError):
        library_of(tmp_path, [5])[1]


def _change(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new))


def _index(folder, **changes):
    """Change fields of the index; the table's hash follows the table unless it is given."""
    index = json.loads((folder / INDEX).read_text())
    table = (folder / TABLE).read_bytes() if (folder / TABLE).exists() else b""
    index["nodules_csv_sha256"] = hashlib.sha256(table).hexdigest()
    (folder / INDEX).write_text(json.dumps(index | changes))


def _table(old, new):
    def damage(folder):
        _change(folder / TABLE, old, new)
        _index(folder)

    return damage


DAMAGES = {
    "no index": (lambda f: (f / INDEX).unlink(), "no library.json"),
    "no table": (lambda f: (f / TABLE).unlink(), "no readable nodules.csv"),
    "no array": (lambda f: (f / ARRAY).unlink(), "missing or truncated"),
    "index is no JSON": (lambda f: (f / INDEX).write_text("{"), "is not JSON"),
    "index is a list": (
        lambda f: (f / INDEX).write_text("[]"),
        r"is \[\], and should be an object",
    ),
    "another format": (lambda f: _index(f, format="other"), 'is "other", and should be'),
    "the version before": (lambda f: _index(f, version=2), "is 2, and should be 3"),
    "a number as text": (lambda f: _index(f, entries="2"), 'is "2", and should be a valid integer'),
    "table changed": (lambda f: _change(f / TABLE, b"n0_dcm", b"nX_dcm"), "SHA-256 differs"),
    "fewer rows": (lambda f: _index(f, entries=3), "promises 3"),
    "other columns": (_table(b"axis", b"axes"), "malformed"),
    "axis 7": (_table(b"n0_dcm_0,1,", b"n0_dcm_0,7,"), "malformed"),
    "no number": (_table(b"n0_dcm_0,1,", b"n0_dcm_0,x,"), "malformed"),
    "array truncated": (
        lambda f: (f / ARRAY).write_bytes((f / ARRAY).read_bytes()[:-20]),
        "missing or truncated",
    ),
    "array empty": (lambda f: (f / ARRAY).write_bytes(b""), "missing or truncated"),
    "no thicknesses": (lambda f: (f / WATER).unlink(), "missing or truncated"),
    "fewer thicknesses": (
        lambda f: np.save(f / WATER, np.zeros(3, np.uint8)),
        r"water_mm.npy that does not hold",
    ),
    "no step": (_table(b",0.5,", b",0.0,"), "malformed"),
    "array of others": (lambda f: np.save(f / ARRAY, np.zeros(3)), "does not hold"),
    "array of objects": (
        lambda f: np.save(f / ARRAY, np.array([{}], dtype=object), allow_pickle=True),
        "missing or truncated",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_told_in_one_sentence(tmp_path, what):
    library_of(tmp_path, [5, 9])
    damage, words = DAMAGES[what]
    damage(tmp_path)
    with pytest.raises(LibraryError, match=words) as caught:
        Library(tmp_path)
    assert "\n" not in str(caught.value)
    assert "nodegen prepare" in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(LibraryError, match=r"There is no library\.json in"):
        Library(tmp_path / "nowhere")


def test_an_empty_library_is_not_written(tmp_path):
    with pytest.raises(LibraryError, match="no nodule to write"):
        write_library(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_library(tmp_path / "file", [nodule()])


@pytest.mark.parametrize("broken", [ARRAY, WATER, TABLE, INDEX])
def test_interrupted_while_replacing_leaves_no_mixture(tmp_path, monkeypatch, broken):
    from nodegen.io import library as module

    library_of(tmp_path, [5, 9])
    write = module.write_bytes

    def interrupted(path, content, **options):
        if path.name == broken:
            raise KeyboardInterrupt
        write(path, content, **options)

    monkeypatch.setattr(module, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        library_of(tmp_path, [6, 10])
    monkeypatch.undo()
    with pytest.raises(LibraryError, match=r"There is no library\.json in"):
        Library(tmp_path)
    assert len(library_of(tmp_path, [6, 10])) == 2


MANY = [*range(4, 40), *range(4, 40), 46]


@pytest.mark.parametrize(
    ("size_px", "smallest"),
    [(5, 4), (30, 7), (57, 12), (99, 20), (100, 21)],
    ids=lambda value: str(value),
)
def test_candidates_are_those_above_a_fifth_of_the_box(tmp_path, size_px, smallest):
    library = library_of(tmp_path, MANY)
    chosen = library.diameters_mm[larger(library, size_px)]
    assert chosen.min() == smallest
    assert len(chosen) == (library.diameters_mm >= smallest).sum() >= CANDIDATES_MIN_NODULES


@pytest.mark.parametrize("size_px", [180, 229, 300, 455, 1000])
def test_large_boxes_keep_a_choice_of_the_largest(tmp_path, size_px):
    library = library_of(tmp_path, MANY)
    chosen = larger(library, size_px)
    assert len(chosen) == CANDIDATES_MIN_NODULES
    left_out = np.delete(library.diameters_mm, chosen)
    assert library.diameters_mm[chosen].min() >= left_out.max()


def test_above_a_fifth_there_is_none_then_above_a_tenth(tmp_path):
    library = library_of(tmp_path, MANY)
    assert library.diameters_mm[larger(library, 231)].min() == 24


def test_diversity_counts_nodules_not_their_projections(tmp_path):
    library = library_of(tmp_path, MANY, axes=(0, 1, 2))
    chosen = larger(library, 1000)
    assert len({library.names[k] for k in chosen}) == CANDIDATES_MIN_NODULES
    # An entry of a nodule that is in comes with its other axes.
    assert len(chosen) == 3 * CANDIDATES_MIN_NODULES


@given(size_px=st.floats(1, 2000), diameters=st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_candidates_are_never_empty_and_never_twice(size_px, diameters):
    library = SimpleNamespace(
        name_numbers=np.arange(len(diameters)), diameters_mm=np.array(diameters)
    )
    for chosen in (alike(library, size_px), larger(library, size_px)):
        assert len(chosen) >= min(len(diameters), CANDIDATES_MIN_NODULES)
        assert (np.diff(chosen) > 0).all()
    above = np.flatnonzero(library.diameters_mm > size_px / 5)
    assert set(above) <= set(chosen)


def test_quarter_turns_and_mirroring_are_exact():
    one = nodule(9, 6)
    pair = one.projection, one.mask
    np.testing.assert_array_equal(oriented(*pair, turn_deg=90)[0], np.rot90(one.projection))
    back = oriented(*oriented(*pair, mirror=True), mirror=True, turn_deg=360)
    np.testing.assert_array_equal(back, pair)


@given(
    rows=st.integers(1, 25),
    columns=st.integers(1, 25),
    turn=st.floats(0, 360),
    mirror=st.booleans(),
)
def test_any_turn_keeps_range_and_cuts_to_the_mask(rows, columns, turn, mirror):
    one = nodule(rows, columns)
    projection, mask = oriented(one.projection, one.mask, mirror, turn)
    assert mask.any()
    assert projection.shape == mask.shape
    assert [w.stop - w.start for w in bounds(mask)] == list(mask.shape)
    assert projection.min() >= one.projection.min()
    assert projection.max() <= one.projection.max()


def test_the_built_in_library_is_whole():
    library = Library(MODEL / "nodules")
    assert len(set(library.names)) >= 256
    for one in library:
        assert max(one.mask.shape) == one.diameter_mm
        assert np.ptp(one.projection[one.mask]) > 0
    along_baseline = library.diameters_mm[library.axes == PROJECTION_AXIS]
    assert SMALLEST_MM <= along_baseline.min() < 6
    assert 40 < along_baseline.max() <= LARGEST_MM
    assert sum(p.stat().st_size for p in (MODEL / "nodules").iterdir()) <= 20e6
