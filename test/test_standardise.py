"""NODE21's form: the energies it asks for, the crop, and the inverse."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from radiographs import phantoms
from scipy import ndimage

from nodegen.cli import main
from nodegen.dataset import standardise_files
from nodegen.dataset.energy import (
    ENERGIES,
    MEAN,
    SIGMAS,
    band_weights,
    energies,
    filtered,
    gains_of,
)
from nodegen.dataset.standardise import REACH_PX, StandardisationTransform, standardise
from nodegen.evaluation.fidelity.reference import measure_folders
from nodegen.io.radiograph import Radiograph, read_radiograph
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.frame import mapped

pytestmark = pytest.mark.usefixtures("lungs_once")


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
    assert made.radiograph.spacing[0] == pytest.approx(0.6 / made.transformation.crop.scale)


def test_bands_are_those_of_gaussians():
    image = np.random.default_rng(0).normal(size=(160, 120)).astype(np.float32)
    low = image
    for sigma, weights in zip(SIGMAS, band_weights(image.shape), strict=False):
        smoother = ndimage.gaussian_filter(image, sigma, truncate=6)
        assert filtered(image, weights) == pytest.approx(low - smoother, abs=0.01)
        low = smoother


def test_gains_are_taken_off_exactly():
    image = np.random.default_rng(0).normal(size=(64, 48)).astype(np.float32)
    assert band_weights(image.shape).sum(0) == pytest.approx(1, abs=1e-6)
    gains = gains_of((2.0, 0.5, 1.5, 1.5, 1.0, 3.0, 0.2), image.shape)
    assert filtered(filtered(image, gains), 1 / gains) == pytest.approx(image, abs=1e-4)


def test_energies_in_the_lungs_are_those_asked_for(made):
    inside = made.lungs.labels > 0
    pixels = made.radiograph.pixels.astype(np.float32)
    lacking = np.abs(energies(pixels, inside) / ENERGIES - 1)
    assert lacking.max() < 0.13  # of a weak band beside a strong one
    assert lacking.mean() < 0.06
    assert pixels[inside].mean() == pytest.approx(MEAN, abs=15)


def test_grey_scale_does_not_depend_on_the_films_own(film, made):
    other = standardise(Radiograph(film.astype(np.uint16) * 200 + 7, None, made.radiograph.path))
    difference = other.radiograph.pixels.astype(int) - made.radiograph.pixels
    assert np.abs(difference).mean() < 2


def test_points_come_back(made):
    for point in ((150.0, 200.0), (420.0, 310.0)):
        assert made.transformation.crop.inverse(
            *made.transformation.crop.apply(*point)
        ) == pytest.approx(point)


def test_the_command_resumes_and_leaves_bad_radiographs_out(film, tmp_path, capsys):
    (tmp_path / "in" / "b").mkdir(parents=True)
    Image.fromarray(film).save(tmp_path / "in" / "a.png")
    Image.fromarray(np.zeros((512, 512), np.uint16)).save(tmp_path / "in" / "b" / "a.png")
    Image.fromarray(film[:, ::-1].copy()).save(tmp_path / "in" / "c.png")
    (tmp_path / "boxes.csv").write_text(
        "img_name,label,x,y,width,height\na.png,1,150,200,40,50\na.png,1,2,2,9,9\nc.png,0,0,0,0,0\n"
    )
    out = tmp_path / "o"
    command = ["standardise", str(tmp_path / "in"), "--output", str(out)]
    assert main([*command, "--boxes", str(tmp_path / "boxes.csv")]) == 0
    said = "".join(capsys.readouterr())
    assert "left out b/a.png: No plausible pair of lungs" in said
    assert "left out box 1 of a.mha: it lies outside the crop" in said
    image = sitk.ReadImage(str(out / "a.mha"))
    assert image.GetSize() == (1024, 1024)
    crops = json.loads((out / "crops.json").read_text())
    assert {name: entry["source"] for name, entry in crops.items()} == {
        "a.mha": "a.png", "c.mha": "c.png"}  # fmt: skip
    rows = list(csv.DictReader((out / "boxes.csv").open()))
    assert [(row["img_name"], row["label"]) for row in rows] == [("a.mha", "1"), ("c.mha", "0")]
    transform = StandardisationTransform.from_dict(crops["a.mha"])
    left, top, width, height = (int(rows[0][name]) for name in ("x", "y", "width", "height"))
    back = transform.inverse_box((left, top, left + width, top + height))
    assert back == pytest.approx((150, 200, 190, 250), abs=1)
    # Once more, with what was bad mended: the others stay as they are.
    before = {name: (out / name).stat().st_mtime_ns for name in crops}
    Image.fromarray(film[:400]).save(tmp_path / "in" / "b" / "a.png")
    assert main(command) == 0
    assert {name: (out / name).stat().st_mtime_ns for name in crops} == before
    assert set(json.loads((out / "crops.json").read_text())) == {*crops, "b_a.mha"}
    # Another radiograph of that name replaces nothing.
    Image.fromarray(film[:, ::-1].copy()).save(tmp_path / "in" / "a.png")
    assert main(command) == 0
    assert "a.mha was made of another file" in capsys.readouterr().err
    assert (out / "a.mha").stat().st_mtime_ns == before["a.mha"]
    assert main([*command, "--overwrite"]) == 0
    assert not {(out / name).stat().st_mtime_ns for name in crops} & set(before.values())
    digest = hashlib.sha256((tmp_path / "in" / "a.png").read_bytes()).hexdigest()
    assert json.loads((out / "crops.json").read_text())["a.mha"]["source_sha256"] == digest


def test_a_fault_in_nodegen_itself_leaves_one_radiograph_out(film, tmp_path, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        Image.fromarray(film).save(tmp_path / "in" / f"{name}.png")
    good = standardise_files.standardise

    def failing(radiograph):
        return 1 / 0 if radiograph.path.name == "a.png" else good(radiograph)

    monkeypatch.setattr(standardise_files, "standardise", failing)
    command = ["standardise", str(tmp_path / "in"), "--output", str(tmp_path / "o")]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "left out a.png: nodegen itself failed at it (ZeroDivisionError" in said.err
    assert "Traceback" not in said.out + said.err
    assert "in failing" in (tmp_path / "o" / "faults.log").read_text()
    monkeypatch.undo()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "holds 1 standardised radiograph already" in said
    assert set(json.loads((tmp_path / "o" / "crops.json").read_text())) == {"a.mha", "b.mha"}


def test_a_killed_run_is_gone_on_with(film, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        Image.fromarray(film).save(tmp_path / "in" / f"{name}.png")
    run = standardise_files.standardise_files([tmp_path / "in"], tmp_path / "o")
    assert next(run).name == "a.mha"
    shutil.copytree(tmp_path / "o", tmp_path / "killed")
    rest = standardise_files.standardise_files([tmp_path / "in"], tmp_path / "killed")
    assert [path.name for path in (*run, *rest)] == ["b.mha", "b.mha"]
    whole, resumed = (tmp_path / name / "crops.json" for name in ("o", "killed"))
    assert whole.read_bytes() == resumed.read_bytes()


def test_a_folder_with_other_files_is_left_alone(film, tmp_path, capsys):
    Image.fromarray(film).save(tmp_path / "a.png")
    assert main(["standardise", str(tmp_path / "a.png"), "--output", str(tmp_path)]) == 2
    assert "holds other files and no crops.json" in capsys.readouterr().err
    Image.fromarray(film * 0).save(tmp_path / "a.png")
    assert main(["standardise", str(tmp_path / "a.png"), "--output", str(tmp_path / "o")]) == 2
    assert "None of the radiographs could be used" in capsys.readouterr().err


def test_an_output_among_the_radiographs_is_refused(film, tmp_path, capsys):
    Image.fromarray(film).save(tmp_path / "a.png")
    assert main(["standardise", str(tmp_path), "--output", str(tmp_path / "o")]) == 2
    assert "lies inside the radiographs' folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def node21(shared):
    boxes = csv.DictReader((shared / "real" / "boxes.csv").open())
    stems = {row["stem"] for row in boxes if row["source"] == "node21"}
    return [shared / "real" / "node21" / f"{stem}.mha" for stem in sorted(stems)][:6]


def test_node21s_own_images_have_these_energies(node21):
    found = []
    for path in node21:
        pixels = read_radiograph(path).pixels.astype(np.float32)
        found.append(energies(pixels, find_lungs(pixels).labels > 0))
    assert np.mean(found, 0) == pytest.approx(ENERGIES, rel=0.2)


def test_originals_become_what_another_hand_made_of_them(shared):
    likeness = []
    for path in sorted((shared / "cxr" / "originals").glob("*.png"))[:2]:
        like = shared / "cxr" / "healthy" / f"{path.stem}.mha"
        made = standardise(read_radiograph(path))
        other = read_radiograph(like).pixels.astype(np.float32)
        rows, columns = np.nonzero(made.lungs.labels[::8, ::8])
        x, y, _ = mapped(columns * 8.0, rows * 8.0, made.lungs.frame, find_lungs(other).frame)
        ours = ndimage.gaussian_filter(made.radiograph.pixels.astype(np.float32), 8)
        theirs = ndimage.gaussian_filter(other, 8)
        pair = (
            ours[rows * 8, columns * 8],
            ndimage.map_coordinates(theirs, [y, x], order=1, mode="nearest"),
        )
        likeness.append(np.corrcoef(*pair)[0, 1])
    assert min(likeness) > 0.8, likeness


# --- the inverse --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spot(made):
    """Two smooth nodules in the standardised image, 36 and 60 px across, grey levels."""
    y, x = np.mgrid[:1024, :1024]
    right, left = made.lungs.frame
    found = np.zeros((1024, 1024), np.float32)
    for lung, radius, height in ((right, 18, 300), (left, 30, 400)):
        middle = (lung.left + lung.right) / 2, (lung.top + lung.bottom) / 2
        away = np.hypot(x - middle[0], y - middle[1]) / radius
        found += height * np.sqrt(np.clip(1 - away**2, 0, 1))
    soft = ndimage.gaussian_filter(found, 2)
    return np.where(soft > 1, soft, 0).astype(np.float32)


def test_the_original_changes_within_the_reach_alone(made, spot):
    change = made.transformation.inverse(spot)
    assert change.shape == made.transformation.shape
    far = (
        ndimage.distance_transform_edt(made.transformation.inverse_mask(spot > 0) == 0)
        * made.transformation.crop.scale
    )
    assert (change[far > REACH_PX + 8] == 0).all()
    assert (change[made.transformation.inverse_mask(spot > 100)] > 0).all()


def test_the_changed_original_standardises_to_what_was_drawn(film, made, spot):
    """Without rounding: contrast to 1 in 50, and elsewhere next to nothing."""
    change = made.transformation.inverse(spot)
    got = made.transformation.apply(film + change) - made.transformation.apply(film)
    assert np.abs(got - spot).max() < 0.1 * spot.max()
    assert got[spot > 250].mean() == pytest.approx(spot[spot > 250].mean(), rel=0.02)


def test_in_whole_grey_levels_the_contrast_is_kept(film, made, spot):
    change = np.rint(made.transformation.inverse(spot))
    got = made.transformation.apply(film + change) - made.transformation.apply(film)
    assert got[spot > 250].mean() == pytest.approx(spot[spot > 250].mean(), rel=0.05)


def test_the_transform_is_the_one_that_was_applied(film, made):
    again = np.clip(np.rint(made.transformation.apply(film)), 0, 4095)
    inside = made.lungs.labels > 0
    assert np.array_equal(again[inside], made.radiograph.pixels[inside])
    assert (
        StandardisationTransform.from_dict(json.loads(json.dumps(made.transformation.to_dict())))
        == made.transformation
    )


def test_masks_and_boxes_lie_where_the_nodules_do(made, spot):
    change, mask = made.transformation.inverse(spot), made.transformation.inverse_mask(spot > 60)
    rows, columns = np.nonzero(spot > 60)
    box = made.transformation.inverse_box(
        (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    )
    rows, columns = np.nonzero(mask)
    assert box == pytest.approx(
        (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=1
    )
    assert change[mask].sum() > 0.8 * change[change > 0].sum()


def test_a_references_box_beside_the_lungs_is_left_out(film, tmp_path, capsys):
    folder = tmp_path / "real"
    folder.mkdir()
    Image.fromarray(film).save(folder / "a.png")
    y, x = (round(mean) for mean in np.argwhere(find_lungs(film).labels == 1).mean(axis=0))
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"stem,x,y,width,height\na,{x - 15},{y - 15},30,30\na,2,2,30,30\n")
    reference = measure_folders([folder], [boxes], standardise=True)
    assert len(reference.nodules) == 1
    assert reference.nodules[0].size_px > 40, "of NODE21's form"
    assert "left out box 1 of a" in capsys.readouterr().err
