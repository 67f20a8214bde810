"""Sets in DICOM: in the radiographs' own form or in NODE21's, with masks that fit."""

import json

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
from dicoms import CR, PIXELS, dicom  # noqa: E402
from radiographs import from_run_lengths  # noqa: E402
from test_dicom_out import faults  # noqa: E402

from nodegen.dataset.dataset_settings import DatasetSettings  # noqa: E402
from nodegen.dataset.make_dataset import make_dataset  # noqa: E402
from nodegen.dataset.standardise import REACH_PX, StandardisationTransform  # noqa: E402
from nodegen.io.radiograph import read_radiograph  # noqa: E402
from nodegen.settings import Settings  # noqa: E402


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    more = {"ImagerPixelSpacing": [0.6, 0.6], "BurnedInAnnotation": "NO"}
    dicom(folder / "a.dcm", PhotometricInterpretation="MONOCHROME1", WindowCenter="2048",
          WindowWidth="4096", **more)  # fmt: skip
    dicom(folder / "b.dcm", PIXELS[:, ::-1], SOPClassUID=CR, Modality="CR", **more)
    return folder


def settings(**more):
    plain = {
        "copies": 1,
        "nodules": (1, 1),
        "formats": ("dicom", "coco"),
        "pairs": True,
        "recipe": "plain",
    }
    return DatasetSettings(**plain, render=Settings(method="paste", surroundings=False), **more)


@pytest.fixture(scope="module")
def given_back(films, tmp_path_factory):
    output = tmp_path_factory.mktemp("set") / "set"
    made = make_dataset([films], output, settings(standardise=True, space="original"),
                        progress=False)  # fmt: skip
    assert made.complete
    return output


def records(output):
    return [json.loads(path.read_text()) for path in sorted((output / "records").iterdir())]


def read(output, folder, record):
    return pydicom.dcmread(output / f"dicom/{folder}/{record['split']}/{record['name']}.dcm")


def grey_levels(path, record):
    """A PNG's pixels in the grey levels of its radiograph, by the window that it fills."""
    low, high = record["window"]
    return low + read_radiograph(path).pixels * ((high - low) / (2 ** record["bits"] - 1))


def test_originals_keep_their_form_and_all_pixels_out_of_reach(films, given_back):
    for record in records(given_back):
        source = pydicom.dcmread(films / record["source"])
        image, pair = (read(given_back, folder, record) for folder in ("images", "untouched"))
        for name in ("SOPClassUID", "Rows", "Columns", "BitsStored", "PhotometricInterpretation"):
            assert image[name].value == source[name].value
        stored, before = image.pixel_array.astype(int), source.pixel_array
        assert np.array_equal(pair.pixel_array, before)
        assert (image.SyntheticData, pair.SyntheticData) == ("YES", "NO")
        (nodule,) = record["nodules"]
        left, top, right, bottom = nodule["given"]
        reach = round((REACH_PX + 20) / record["standardised"]["scale"])
        near = np.zeros(before.shape, bool)
        near[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = True
        assert np.array_equal(stored[~near], before[~near])
        darker = source.PhotometricInterpretation == "MONOCHROME1"
        left, top, right, bottom = nodule["tight"]
        inside = (stored - before)[top:bottom, left:right]
        assert (inside.mean() < 0) if darker else (inside.mean() > 0)


def test_png_and_dicom_show_the_same(films, given_back):
    for record in records(given_back):
        place = f"images/{record['split']}/{record['name']}"
        shown = read_radiograph(given_back / f"dicom/{place}.dcm")
        picture = grey_levels(given_back / f"{place}.png", record)
        assert np.abs(shown.pixels - picture).max() <= 1


def test_changed_originals_standardise_to_what_was_drawn(films, given_back):
    """By the recorded transform, the contrast that was measured where the nodule was drawn."""
    for record in records(given_back):
        transform = StandardisationTransform.from_dict(record["standardised"])
        place = f"{record['split']}/{record['name']}.png"
        images = [
            transform.apply(grey_levels(given_back / folder / place, record))
            for folder in ("images", "untouched")
        ]
        (nodule,) = record["nodules"]
        recipe = nodule["recipe"]
        part = (slice(recipe["top"], recipe["bottom"]), slice(recipe["left"], recipe["right"]))
        change = (images[0] - images[1])[part]
        top = np.median(change[change > 0.25 * change.max()])
        assert top / 4095 == pytest.approx(nodule["contrast"], rel=0.05)


def test_masks_are_those_of_coco_and_everything_is_whole(given_back, tmp_path):
    for record in records(given_back):
        place = f"{record['split']}/{record['name']}.dcm"
        masks = highdicom.seg.segread(given_back / f"dicom/masks/{place}")
        found = masks.get_pixels_by_source_instance([record["sop_instance_uid"]])[0, ..., 0]
        assert np.array_equal(found > 0, from_run_lengths(record["nodules"][0]["rle"]))
        for folder in ("images", "masks"):
            assert not faults((given_back / f"dicom/{folder}/{place}").read_bytes(), tmp_path)


def test_in_node21s_form_pixels_are_new_and_sizes_follow(films, tmp_path):
    wanted = settings(standardise=True)
    for name in "ab":
        assert make_dataset([films / "b.dcm"], tmp_path / name, wanted, progress=False).complete
    assert (tmp_path / "a/SHA256SUMS").read_text() == (tmp_path / "b/SHA256SUMS").read_text()
    for record in records(tmp_path / "a"):
        image = read(tmp_path / "a", "images", record)
        assert image.PhotometricInterpretation == "MONOCHROME2"
        assert (image.Rows, image.Columns) == (1024, 1024)
        scale = record["standardised"]["scale"]
        assert float(image.ImagerPixelSpacing[0]) == pytest.approx(0.6 / scale)
    assert all(b"Secret" not in path.read_bytes() for path in tmp_path.rglob("*.dcm"))
