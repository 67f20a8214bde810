"""Prepare: patches in the organisers' form → a library, whatever some of them are like."""

import csv
import re

import numpy as np
import pytest
import SimpleITK as sitk

from nodegen.cli import main
from nodegen.constants import PROJECTION_AXIS
from nodegen.errors import LibraryError, OutputError, SettingError
from nodegen.io.library import Library
from nodegen.nodules import prepare as module
from nodegen.nodules.patches import find_pairs, read_pair
from nodegen.nodules.prepare import SKIPPED, prepare
from nodegen.synthesis.projection import cut_to_mask, diameter_mm, project

SHAPE = (14, 16, 18)


@pytest.fixture(autouse=True)
def _coarse_water(monkeypatch):
    """Samples of half a millimetre: water has tests of its own, and finer ones take the time."""
    monkeypatch.setattr("nodegen.synthesis.water_thickness.FINEST", 1)


def ball(shape=SHAPE, radii=(3.2, 4.2, 5.2), seed=0):
    """A bright ellipsoid with some texture, and its mask."""
    grid = np.indices(shape).reshape(3, -1).T - np.array(shape) / 2 + 0.5
    mask = ((grid / radii) ** 2).sum(axis=1).reshape(shape) < 1
    grain = np.random.default_rng(seed).normal(0, 40, shape)
    volume = np.where(mask, 20, -850) + grain
    return volume.astype(np.int16), mask.astype(np.int32)


def write(path, array, spacing=(1, 1, 1), direction=None, origin=(-20, 30, 7)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def folders(tmp_path):
    """Two folders with pairs 0 to 2 of series 1.2.3."""
    patches, segmentations = tmp_path / "patches", tmp_path / "segmentations"
    patches.mkdir()
    segmentations.mkdir()
    for number in range(3):
        volume, mask = ball(seed=number)
        write(patches / f"1.2.3_dcm_{number}.mha", volume)
        write(segmentations / f"1.2.3_seg_{number}.mha", mask)
    return patches, segmentations


def run(folders, output, **options):
    return prepare(*folders, output, **({"workers": 1, "progress": False} | options))


def skipped(output):
    with open(output / SKIPPED, newline="") as stream:
        return {row["name"]: row["reason"] for row in csv.DictReader(stream)}


def test_each_pair_is_projected_along_each_axis(folders, tmp_path):
    done = run(folders, tmp_path / "library")
    library = Library(tmp_path / "library")
    assert (done.nodules, done.entries, done.skipped) == (3, 9, {})
    assert done.sha256 == library.sha256
    assert library.names[:4] == ("1.2.3_dcm_0",) * 3 + ("1.2.3_dcm_1",)
    assert library.axes.tolist() == [0, 1, 2] * 3
    volume, mask = ball(seed=1)
    projection, mask2d = cut_to_mask(*project(volume, mask, 2))
    np.testing.assert_array_equal(library[5].projection, projection)
    np.testing.assert_array_equal(library[5].mask, mask2d)
    assert skipped(tmp_path / "library") == {}
    assert len(list((tmp_path / "library").iterdir())) == 6


def read_diameters(path):
    with path.open() as table:
        rows = csv.DictReader(table)
        return {row["img_name"].removesuffix(".mha"): int(float(row["diameter"])) for row in rows}


def test_the_table_holds_the_diameter_along_the_baselines_axis(folders, tmp_path):
    _, mask = ball()
    run(folders, tmp_path / "library")
    side = max(np.ptp(np.argwhere(mask.any(axis=1)), axis=0) + 1)
    found = read_diameters(tmp_path / "library" / "ct_nodules.csv")
    assert found == {f"1.2.3_dcm_{k}": side for k in range(3)}


@pytest.mark.parametrize("axes", [(1,), (2, 0), (0, 0, 1)])
def test_axes_are_those_asked_for(folders, tmp_path, axes):
    run(folders, tmp_path / "library", axes=axes)
    assert sorted(set(Library(tmp_path / "library").axes)) == sorted(set(axes))


def test_one_folder_may_hold_both(folders, tmp_path):
    for path in folders[1].iterdir():
        path.rename(folders[0] / path.name)
    assert run((folders[0], folders[0]), tmp_path / "library").nodules == 3


def test_threads_make_no_difference(folders, tmp_path):
    one = run(folders, tmp_path / "one", workers=1)
    assert run(folders, tmp_path / "two", workers=2).sha256 == one.sha256


def _patch(array, **header):
    return lambda patches, segmentations: write(patches / "1.2.3_dcm_1.mha", array, **header)


def _segmentation(array, **header):
    return lambda patches, masks: write(masks / "1.2.3_seg_1.mha", array, **header)


VOLUME, MASK = ball()
TWO = np.zeros(SHAPE, dtype=np.int32)
TWO[1:4, 1:4, 1:4], TWO[-4:-1, -4:-1, -4:-1] = 1, 2
SKIPS = {
    "no segmentation": (lambda p, s: (s / "1.2.3_seg_1.mha").unlink(), "no segmentation"),
    "no patch": (lambda p, s: (p / "1.2.3_dcm_1.mha").unlink(), "no patch"),
    "patch truncated": (
        lambda p, s: (p / "1.2.3_dcm_1.mha").write_bytes(
            (p / "1.2.3_dcm_1.mha").read_bytes()[:900]
        ),
        "the patch cannot be read",
    ),
    "patch empty": (lambda p, s: (p / "1.2.3_dcm_1.mha").write_bytes(b""), "cannot be read"),
    "segmentation is text": (
        lambda p, s: (s / "1.2.3_seg_1.mha").write_text("no image\n"),
        "the segmentation cannot be read",
    ),
    "other shape": (_segmentation(MASK[1:]), r"\(14, 16, 18\) and the segmentation \(13, 16, 18\)"),
    "empty mask": (_segmentation(MASK * 0), "the segmentation is empty"),
    "negative mask": (_segmentation(-MASK), "holds -1, where 0 and more"),
    "two dimensions": (_patch(VOLUME[0], spacing=(1, 1), origin=(0, 0)), "dimensions"),
    "voxels of 2 mm": (
        lambda p, s: (
            write(p / "1.2.3_dcm_1.mha", VOLUME, spacing=(1, 1, 2)),
            write(s / "1.2.3_seg_1.mha", MASK, spacing=(1, 1, 2)),
        ),
        "not 1 mm",
    ),
    "mask of 2 mm": (_segmentation(MASK, spacing=(2, 2, 2)), r"spacing \(1, 1, 1\) and the seg"),
    "mask elsewhere": (_segmentation(MASK, origin=(-20, 30, 9)), "the patch has origin"),
    "mask turned": (
        _segmentation(MASK, direction=(1, 0, 0, 0, -1, 0, 0, 0, 1)),
        "the patch has direction",
    ),
    "HU with an offset": (_patch((VOLUME + 1024).astype("i2")), "have an offset, such as 1024"),
    "other units": (_patch((VOLUME / 1000 - 5).astype("f4") * 200), "another unit"),
    "two nodules": (_segmentation(TWO), "holds 2 labels"),
    "two pieces": (_segmentation((TWO > 0).astype("u1")), "pieces more than 10 mm apart"),
    "fractions": (_segmentation(MASK * np.float32(2.5)), "neither labels nor probabilities"),
    "all of it": (_segmentation(MASK * 0 + 1), "covers the whole patch"),
    "constant": (_patch(VOLUME * 0 - 900), "the patch is constant"),
    "not finite": (_patch(np.where(MASK > 0, np.nan, VOLUME).astype("f4")), "NaN or infinite"),
}


SAME = {
    "probabilities": _segmentation(np.clip(MASK.astype("f4"), 0.001, 0.999)),
    "labels of 255": _segmentation((MASK * 255).astype("u1")),
}


@pytest.mark.parametrize("what", SAME)
def test_the_nodule_is_what_the_mask_means(folders, tmp_path, what):
    _segmentation(MASK)(*folders)
    plain = run(folders, tmp_path / "plain")
    SAME[what](*folders)
    assert run(folders, tmp_path / "library").sha256 == plain.sha256


def test_a_stray_voxel_far_away_is_left_out(folders, tmp_path):
    wide = np.pad(MASK, 6)
    _patch(np.pad(VOLUME, 6, constant_values=-850))(*folders)
    _segmentation(wide)(*folders)
    plain = run(folders, tmp_path / "plain")
    wide[0, 0, 0] = 1
    _segmentation(wide)(*folders)
    assert run(folders, tmp_path / "library").sha256 == plain.sha256


@pytest.mark.parametrize("what", SKIPS)
def test_a_pair_that_cannot_be_used_is_left_out_with_its_reason(folders, tmp_path, what):
    damage, reason = SKIPS[what]
    damage(*folders)
    done = run(folders, tmp_path / "library")
    assert set(Library(tmp_path / "library").names) == {"1.2.3_dcm_0", "1.2.3_dcm_2"}
    told = skipped(tmp_path / "library")
    assert list(told) == list(done.skipped) == ["1.2.3_dcm_1"]
    assert re.search(reason, told["1.2.3_dcm_1"])
    assert "\n" not in told["1.2.3_dcm_1"]


@pytest.mark.parametrize(
    ("volume_type", "mask_type"),
    [("i2", "u1"), ("i2", "i4"), ("i2", "u2"), ("i4", "i2"), ("f4", "u1"), ("f8", "f4")],
)
@pytest.mark.parametrize("label", [1, 3])
def test_pixel_types_and_labels_make_no_difference(tmp_path, volume_type, mask_type, label):
    volume, mask = ball()
    write(tmp_path / "a_dcm_0.mha", volume.astype(volume_type))
    write(tmp_path / "a_seg_0.mha", (mask * label).astype(mask_type))
    run((tmp_path, tmp_path), tmp_path / "library")
    one = Library(tmp_path / "library")[1]
    wanted = cut_to_mask(*project(volume, mask, 1))[0]
    np.testing.assert_allclose(one.projection, wanted, rtol=1e-6)  # float32 rounds elsewhere


@pytest.mark.parametrize("shape", [(50, 50, 50), (31, 50, 44), (8, 60, 20), (1, 12, 12)])
def test_patches_need_not_be_cubes(tmp_path, shape):
    volume, mask = ball(shape, radii=np.array(shape) / 3 + 0.5)
    write(tmp_path / "a_dcm_0.mha", volume)
    write(tmp_path / "a_seg_0.mha", mask)
    run((tmp_path, tmp_path), tmp_path / "library")
    assert [max(one.mask.shape) for one in Library(tmp_path / "library")] == [
        max(cut_to_mask(*project(volume, mask, axis))[1].shape) for axis in range(3)
    ]


def test_the_headers_orientation_turns_nothing(folders, tmp_path):
    plain = run(folders, tmp_path / "plain")
    for number in range(3):
        volume, mask = ball(seed=number)
        header = {"direction": (0, -1, 0, 0, 0, -1, 1, 0, 0), "origin": (1e3, -1e3, 0)}
        write(folders[0] / f"1.2.3_dcm_{number}.mha", volume, **header)
        write(folders[1] / f"1.2.3_seg_{number}.mha", mask, **header)
    assert run(folders, tmp_path / "turned").sha256 == plain.sha256


def _interrupt_after(monkeypatch, count):
    """The reading of patches ends in Ctrl-C once so many have been read."""
    read, calls = module.read_pair, []

    def reading(pair):
        calls.append(pair)
        if len(calls) > count:
            raise KeyboardInterrupt
        return read(pair)

    monkeypatch.setattr(module, "read_pair", reading)


def test_interrupted_it_leaves_nothing(folders, tmp_path, monkeypatch):
    _interrupt_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        run(folders, tmp_path / "library")
    assert not (tmp_path / "library").exists()


def test_interrupted_over_a_library_it_leaves_that_one(folders, tmp_path, monkeypatch):
    before = run(folders, tmp_path / "library")
    write(folders[0] / "1.2.3_dcm_0.mha", ball(seed=9)[0])
    with pytest.raises(OutputError, match="is there already"):
        run(folders, tmp_path / "library")
    _interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(folders, tmp_path / "library", overwrite=True)
    assert Library(tmp_path / "library").sha256 == before.sha256
    monkeypatch.undo()
    after = run(folders, tmp_path / "library", overwrite=True)
    assert Library(tmp_path / "library").sha256 == after.sha256 != before.sha256


FAULTS = {
    "no folder": ({"patches": "nowhere"}, {}, SettingError, "There is no folder"),
    "no patches": ({"patches": "segmentations"}, {}, SettingError, "no file named"),
    "no axes": ({}, {"axes": ()}, SettingError, "0, 1 and 2 are allowed"),
    "axis 3": ({}, {"axes": (1, 3)}, SettingError, "0, 1 and 2 are allowed"),
    "output is a file": (
        {"output": "patches/1.2.3_dcm_0.mha"},
        {},
        OutputError,
        "where a folder is wanted",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_faults(folders, tmp_path, what):
    places, options, kind, words = FAULTS[what]
    names = {"patches": "patches", "segmentations": "segmentations", "output": "out"} | places
    with pytest.raises(kind, match=words):
        run(
            (tmp_path / names["patches"], tmp_path / names["segmentations"]),
            tmp_path / names["output"],
            **options,
        )


def test_no_pair_that_can_be_used(folders, tmp_path):
    for path in folders[1].iterdir():
        path.unlink()
    with pytest.raises(LibraryError, match="None of the 3 pairs"):
        run(folders, tmp_path / "library")
    assert not (tmp_path / "library").exists()


def test_the_command_tells_what_it_did(folders, tmp_path, capsys):
    (folders[1] / "1.2.3_seg_1.mha").unlink()
    arguments = ["--patches", folders[0], "--segmentations", folders[1], "--workers", 1]
    arguments += ["--output", tmp_path / "library"]
    assert main(["prepare", *map(str, arguments)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "2 nodules, 6 projections" in out
    assert "1 left out" in out


def test_all_diameters_equal_the_organisers(shared):
    folder = shared / "nodules"
    if not (folder / "ct_nodules.csv").exists():
        pytest.skip(f"needs the organisers' CT patches, and {folder} has none")
    ours = {
        pair.name: diameter_mm(np.any(read_pair(pair)[1], axis=PROJECTION_AXIS))
        for pair in find_pairs(folder / "patches", folder / "segmentations")
    }
    assert ours == read_diameters(folder / "ct_nodules.csv")
