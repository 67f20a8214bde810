"""NODE21's form: the energies it asks for, the crop, and the way back."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from radiographs import phantoms
from scipy import ndimage

from nodegen.cli import main
from nodegen.dataset.energy import ENERGIES, MEAN, REST_ENERGY, bands, energies
from nodegen.dataset.standardise import standardise
from nodegen.dataset.way import REACH_PX, Way
from nodegen.io.radiograph import Radiograph, read_radiograph
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.frame import Frame, mapped


@pytest.fixture(scope="module")
def film():
    """A radiograph as it is not: another curve, 8 bit, turned into a wide film."""
    pixels = phantoms()[0].astype(float)
    wide = np.full((600, 700), pixels[pixels > 0].min())
    wide[40:552, 90:602] = np.maximum(pixels, wide[0, 0])
    return (255 * ((wide - wide.min()) / np.ptp(wide)) ** 1.4).astype(np.uint8)


@pytest.fixture(scope="module")
def made(film, tmp_path_factory):
    return standardise(Radiograph(film, (0.6, 0.6), tmp_path_factory.mktemp("none")))


def test_form_is_node21s(made):
    assert made.radiograph.pixels.shape == (1024, 1024)
    assert made.radiograph.pixels.dtype == np.uint16
    assert made.radiograph.pixels.max() <= 4095
    assert made.radiograph.spacing[0] == pytest.approx(0.6 / made.way.crop.scale)


def test_bands_sum_up_to_the_image():
    image = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    assert np.allclose(np.sum(bands(image), 0), image, atol=1e-4)


def test_energies_in_the_lungs_are_those_asked_for(made):
    inside = made.lungs.labels > 0
    pixels = made.radiograph.pixels.astype(np.float32)
    found = energies(bands(pixels), inside)
    assert found == pytest.approx([*ENERGIES, REST_ENERGY], rel=0.1)
    assert pixels[inside].mean() == pytest.approx(MEAN, abs=15)


def test_grey_scale_does_not_depend_on_the_films_own(film, made):
    other = standardise(Radiograph(film.astype(np.uint16) * 200 + 7, None, made.radiograph.path))
    difference = other.radiograph.pixels.astype(int) - made.radiograph.pixels
    assert np.abs(difference).mean() < 2


def test_points_come_back(made):
    for point in ((150.0, 200.0), (420.0, 310.0)):
        assert made.way.crop.back(*made.way.crop.forth(*point)) == pytest.approx(point)


def test_the_command_writes_images_and_the_way_back(film, tmp_path, capsys):
    Image.fromarray(film).save(tmp_path / "film.png")
    assert main(["standardise", str(tmp_path / "film.png"), "--output", str(tmp_path / "o")]) == 0
    image = sitk.ReadImage(str(tmp_path / "o" / "film.mha"))
    assert image.GetSize() == (1024, 1024)
    assert set(json.loads((tmp_path / "o" / "crops.json").read_text())) == {"film.mha"}
    assert main(["standardise", str(tmp_path / "film.png"), "--output", str(tmp_path / "o")]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.fixture(scope="module")
def node21(shared):
    boxes = csv.DictReader((shared / "real" / "boxes.csv").open())
    stems = {row["stem"] for row in boxes if row["source"] == "node21"}
    return [shared / "real" / "node21" / f"{stem}.mha" for stem in sorted(stems)][:6]


def test_node21s_own_images_have_these_energies(node21):
    found = []
    for path in node21:
        pixels = read_radiograph(path).pixels.astype(np.float32)
        found.append(energies(bands(pixels), find_lungs(pixels).labels > 0))
    assert np.mean(found, 0) == pytest.approx([*ENERGIES, REST_ENERGY], rel=0.2)


def test_originals_become_what_another_hand_made_of_them(shared):
    likeness = []
    for path in sorted((shared / "cxr" / "originals").glob("*.png"))[:2]:
        like = shared / "cxr" / "healthy" / f"{path.stem}.mha"
        made = standardise(read_radiograph(path))
        other = read_radiograph(like).pixels.astype(np.float32)
        rows, columns = np.nonzero(made.lungs.labels[::8, ::8])
        x, y, _ = mapped(
            columns * 8.0, rows * 8.0, Frame.of(made.lungs), Frame.of(find_lungs(other))
        )
        ours = ndimage.gaussian_filter(made.radiograph.pixels.astype(np.float32), 8)
        theirs = ndimage.gaussian_filter(other, 8)
        pair = (
            ours[rows * 8, columns * 8],
            ndimage.map_coordinates(theirs, [y, x], order=1, mode="nearest"),
        )
        likeness.append(np.corrcoef(*pair)[0, 1])
    assert min(likeness) > 0.8, likeness


# --- the way back --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spot(made):
    """Two smooth nodules in the standardised image, 36 and 60 px across, grey levels."""
    y, x = np.mgrid[:1024, :1024]
    right, left = made.lungs.edges
    found = np.zeros((1024, 1024), np.float32)
    for lung, radius, height in ((right, 18, 300), (left, 30, 400)):
        middle = (lung.left + lung.right) / 2, (lung.top + lung.bottom) / 2
        away = np.hypot(x - middle[0], y - middle[1]) / radius
        found += height * np.sqrt(np.clip(1 - away**2, 0, 1))
    soft = ndimage.gaussian_filter(found, 2)
    return np.where(soft > 1, soft, 0).astype(np.float32)


def test_the_original_changes_within_the_reach_alone(made, spot):
    change = made.way.change_back(spot)
    assert change.shape == made.way.shape
    far = ndimage.distance_transform_edt(made.way.mask_back(spot > 0) == 0) * made.way.crop.scale
    assert (change[far > REACH_PX + 8] == 0).all()
    assert (change[made.way.mask_back(spot > 100)] > 0).all()


def test_the_changed_original_standardises_to_what_was_drawn(film, made, spot):
    """Without rounding: contrast to 1 in 50, and elsewhere next to nothing."""
    change = made.way.change_back(spot)
    got = made.way.forth(film + change) - made.way.forth(film)
    assert np.abs(got - spot).max() < 0.1 * spot.max()
    assert got[spot > 250].mean() == pytest.approx(spot[spot > 250].mean(), rel=0.02)


def test_in_whole_grey_levels_the_contrast_is_kept(film, made, spot):
    change = np.rint(made.way.change_back(spot))
    got = made.way.forth(film + change) - made.way.forth(film)
    assert got[spot > 250].mean() == pytest.approx(spot[spot > 250].mean(), rel=0.05)


def test_the_way_is_the_one_that_was_gone(film, made):
    again = np.clip(np.rint(made.way.forth(film)), 0, 4095)
    inside = made.lungs.labels > 0
    assert np.array_equal(again[inside], made.radiograph.pixels[inside])
    assert Way.of(json.loads(json.dumps(made.way.told()))) == made.way


def test_masks_and_boxes_lie_where_the_nodules_do(made, spot):
    change, mask = made.way.change_back(spot), made.way.mask_back(spot > 60)
    rows, columns = np.nonzero(spot > 60)
    box = made.way.box_back((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    rows, columns = np.nonzero(mask)
    assert box == pytest.approx(
        (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=1
    )
    assert change[mask].sum() > 0.8 * change[change > 0].sum()
