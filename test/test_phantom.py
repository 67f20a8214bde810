"""The simulated radiographs: their form, their look in numbers, and the sample made from them."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from radiographs import SAMPLE_SEED
from thorough import cases

from nodegen.io.boxes import read_boxes
from research.phantom import SIDE_LIMITS, draw_boxes, write_phantom
from research.phantom.anatomy import SIDE, Anatomy

SAMPLE = Path(__file__).parent / "sample" / "input"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of a stack made as the sample was, of its first slice alone."""
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, 1, SAMPLE_SEED, progress=False)
    return folder


def pixels(folder: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "phantom.mha")))


def test_form_is_that_of_a_node21_stack(made):
    image = sitk.ReadImage(str(made / "phantom.mha"))
    assert image.GetSize() == (SIDE, SIDE, 1)
    assert image.GetPixelID() == sitk.sitkUInt16
    assert image.GetSpacing() == (1, 1, 1)
    assert image.GetOrigin() == (1, 1, 1)
    assert pixels(made).max() <= 4095
    assert sorted(path.name for path in made.iterdir()) == ["nodules.json", "phantom.mha"]


def test_a_slice_is_that_of_the_sample_whatever_the_number_of_slices(made):
    # Other versions of NumPy and SciPy may round the last bit of a pixel differently.
    difference = np.abs(pixels(made)[0].astype(int) - pixels(SAMPLE)[0].astype(int))
    assert difference.max() <= 4
    assert difference.mean() < 0.01
    made_boxes, boxes = (
        json.loads((folder / "nodules.json").read_text())["boxes"] for folder in (made, SAMPLE)
    )
    assert made_boxes == [box for box in boxes if box["corners"][0][2] == 0]


@pytest.mark.parametrize(
    ("percentile", "low", "high"),
    # Range over 40 energy-normalised radiographs without their zeros, widened by 200 grey levels.
    [(5, 997, 1652), (25, 1742, 2556), (50, 2358, 3284), (75, 2808, 3682), (95, 3170, 4095)],
)
def test_grey_levels_are_those_of_real_radiographs(percentile, low, high):
    for image in pixels(SAMPLE):
        assert low <= np.percentile(image[image > 0], percentile) <= high


def test_lungs_are_dark_and_mediastinum_is_bright():
    for index, image in enumerate(pixels(SAMPLE)):
        anatomy = Anatomy(
            np.random.default_rng(np.random.SeedSequence([SAMPLE_SEED, index]).spawn(2)[0])
        )
        middle = round(anatomy.midline)
        heart = image[650:750, middle - 40 : middle + 60].mean()
        for lung in (image[350:450, middle - 300 : middle - 200], image[350:450, middle + 200 :]):
            assert lung[:, :100].mean() < heart - 800


@pytest.mark.parametrize("seed", range(cases(4, 40)))
def test_boxes_lie_apart_inside_the_image(seed):
    rng = np.random.default_rng(seed)
    anatomy = Anatomy(rng)
    boxes = draw_boxes(anatomy, 0, rng)
    right, bottom = SIDE - anatomy.margin[0], SIDE - anatomy.margin[1]
    covered = np.zeros((SIDE, SIDE), int)
    for box in boxes:
        assert 0 <= box.left < box.right <= right
        assert 0 <= box.top < box.bottom <= bottom
        assert max(box.width, box.height) <= SIDE_LIMITS[1]
        covered[box.top : box.bottom, box.left : box.right] += 1
    assert covered.max(initial=0) <= 1


def test_boxes_are_read_back_as_written(made):
    boxes = read_boxes(made / "nodules.json", (1, SIDE, SIDE))
    assert {box.slice for box in boxes} == {0}
