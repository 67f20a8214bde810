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
from nodegen.dataset.standardise import ENERGIES, MEAN, REST_ENERGY, bands, energies, standardise
from nodegen.io.radiograph import Radiograph, read_radiograph
from nodegen.lungs.fields import find_lungs
from nodegen.placement.frame import Frame, mapped


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
    assert made.radiograph.spacing[0] == pytest.approx(0.6 / made.crop.scale)


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
        assert made.crop.back(*made.crop.forth(*point)) == pytest.approx(point)


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
