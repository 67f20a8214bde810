"""The reference: what is shipped, what a folder gives, what a file may hold."""

import csv
import json

import numpy as np
import pytest
from scipy.special import erf

from nodegen.cli import main
from nodegen.errors import EvaluationError, SettingError
from nodegen.evaluation.fidelity.ground import GROUNDS, ground_of
from nodegen.evaluation.fidelity.nodule_crop import half_height_of
from nodegen.evaluation.fidelity.nodule_measures import MEASURES
from nodegen.evaluation.fidelity.reference import SHIPPED, Reference, measure_folders
from nodegen.evaluation.fidelity.verdict_table import reference_table
from nodegen.io.boxes import Box
from nodegen.io.image import Geometry
from nodegen.io.stack import read_stack, stack_writer
from nodegen.lungs.fields import Lungs
from research.reference.loose_boxes import TIGHT as TIGHTNESS
from research.reference.loose_boxes import tighten, tightened

RADIUS, HEIGHT = 20, 700
TIGHT = ("official", "inferred", "hand", "three")
MM_PER_PX = 0.143


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """Three simulated radiographs, each with two discs of known size and edge, and their CSV."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "first").mkdir()
    rng = np.random.default_rng(0)
    rows, columns = np.indices((400, 420)) + 0.5
    lines = []
    for number in range(3):
        ground = 1400 + 400 * np.sin(columns / 150 + number) + rng.normal(0, 25, rows.shape)
        for x, y in ((100, 120), (290, 270)):
            away = np.hypot(columns - x, rows - y)
            ground += HEIGHT * (1 - erf((away - RADIUS) / (np.sqrt(2) * 2))) / 2
            trust = "official" if number else "hand high"
            lines.append(("first", f"p{number}", x - 25, y - 25, 50, 50, trust))
        geometry = Geometry((MM_PER_PX, MM_PER_PX), (0.0, 0.0), (1.0, 0.0, 0.0, 1.0), 2)
        path = folder / "first" / f"p{number}.mha"
        with stack_writer(path, geometry, (1, *rows.shape), np.uint16) as write:
            write(ground.astype(np.uint16))
    boxes = folder / "boxes.csv"
    with open(boxes, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("source", "stem", "x", "y", "width", "height", "trust"))
        writer.writerows(lines)
    return [folder], [boxes]


def test_a_folder_gives_what_its_nodules_were_made_with(phantoms):
    reference = measure_folders(*phantoms)
    assert len(reference.nodules) == 6
    assert reference.main == ("hand", "official")
    assert len({nodule.radiograph for nodule in reference.nodules}) == 3
    for nodule in reference.nodules:
        assert nodule.size_px == 50
        assert nodule.mm_per_px == MM_PER_PX
        assert nodule.measures["contrast"] == pytest.approx(HEIGHT, rel=0.05)
        assert nodule.measures["half_height"] == pytest.approx(RADIUS / 25, abs=0.03)
        assert nodule.measures["edge_width"] == pytest.approx(2.5631 * 2, rel=0.1)
        assert nodule.measures["edge_step"] == pytest.approx(HEIGHT, rel=0.05)
    cells = [line.strip("| ").split(" | ") for line in reference_table(reference).splitlines()]
    rows = {name: values for name, *values in cells}
    assert rows["p5 / p50 / p95"] == ["hand", "official", "main", "main, medium"]
    assert rows["nodules"] == ["2", "4", "6", "6"]
    assert rows["radiographs"][3] == "3"
    middle = float(rows["edge_width_mm"][2].split(" / ")[1])
    assert middle == pytest.approx(2.5631 * 2 * MM_PER_PX, rel=0.1)


def test_the_command_writes_what_load_reads(phantoms, tmp_path, capfd):
    (folder,), (boxes,) = phantoms
    path = tmp_path / "mine.json"
    given = ["--real", str(folder), "--boxes", str(boxes), "--output", str(path)]
    assert main(["reference", *given, "--main", "official", "--source", "simulated"]) == 0
    assert "| contrast |" in capfd.readouterr().out
    loaded = Reference.load(path)
    made = measure_folders(*phantoms, source="simulated", main=["official"])
    assert (loaded.source, loaded.main) == ("simulated", ("official",))
    assert len(loaded.table()) == 4
    for one, other in zip(loaded.nodules, made.nodules, strict=True):
        assert one.radiograph == other.radiograph
        assert one == other
    loaded.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_node21s_own_form_of_boxes_is_read(phantoms, tmp_path):
    folder, _ = phantoms
    boxes = tmp_path / "metadata.csv"
    boxes.write_text("height,img_name,label,width,x,y\n50,p0.mha,1,50,75,95\n0,p1.mha,0,0,0,0\n")
    reference = measure_folders(folder, [boxes])
    assert [nodule.annotation_source for nodule in reference.nodules] == ["unknown"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stem,x,y,width,height\n", "holds no boxes"),
        ("stem,x,y,width\np0,1,2,3\n", "has the columns stem, x, y, width"),
        ("stem,x,y,width,height\np0,1,2,3,4\np0,1,2,wide,4\n", "Line 3"),
        ("stem,x,y,width,height\np0,1,2,nan,4\n", "Line 2"),
        ("stem,x,y,width,height\nelsewhere,1,2,3,4\n", "names elsewhere"),
        ("stem,x,y,width,height\np0,5000,2,3,4\n", "outside"),
    ],
)
def test_wrong_boxes_are_told(phantoms, tmp_path, capfd, text, says):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(text)
    path = tmp_path / "out.json"
    given = ["--real", str(phantoms[0][0]), "--boxes", str(boxes), "--output", str(path)]
    assert main(["reference", *given]) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert says in line
    assert line.endswith(".")
    assert not path.exists()


def test_every_slice_of_a_stack_has_its_own_row(phantoms, tmp_path):
    folder = phantoms[0][0] / "first"
    slices = [read_stack(folder / f"p{number}.mha").pixels[0] for number in range(3)]
    with stack_writer(
        tmp_path / "real.mha", Geometry.plain(3), (3, *slices[0].shape), np.uint16
    ) as write:
        for pixels in slices:
            write(pixels)
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("stem,x,y,width,height\nreal:2,75,95,50,50\nreal.mha:1,265,245,50,50\n")
    found = measure_folders([tmp_path], [boxes]).nodules
    alone = {n.radiograph: n for n in measure_folders(*phantoms).nodules[1::2]}
    assert [n.radiograph for n in found] == list(alone)[1:]
    assert found[0].measures == alone[found[0].radiograph].measures


def test_a_radiograph_that_cannot_be_read_is_named_and_left_out(phantoms, tmp_path, capfd):
    for number, content in enumerate((None, b"broken", b"NDims = 2\nDimSize = 4 4\n")):
        path = tmp_path / f"p{number}.mha"
        path.write_bytes(content or (phantoms[0][0] / "first" / "p0.mha").read_bytes())
    rows = [f"p{number},75,95,50,50" for number in range(3)]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("\n".join(["stem,x,y,width,height", *rows]))
    assert len(measure_folders([tmp_path], [boxes]).nodules) == 1
    said = capfd.readouterr().err.splitlines()
    names = [str(tmp_path / f"p{number}.mha") for number in (1, 2)]
    assert [line.partition(":")[0] for line in said] == [f"left out {name}" for name in names]


def test_an_annotation_source_that_does_not_occur_is_told(phantoms):
    with pytest.raises(EvaluationError, match="'expert' is not among"):
        measure_folders(*phantoms, main=["expert"])


def changed(name, value):
    """The shipped reference with one field of its first nodule changed."""
    content = json.loads(SHIPPED.read_text())
    content["nodules"][0][name] = value
    return json.dumps(content)


def broken(**changes):
    return json.dumps({**json.loads(SHIPPED.read_text()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        broken(format=1),
        broken(main=[]),
        broken(nodules=[]),
        broken(nodules=[["official"]]),
        changed("profile", [0.0] * 8),
        changed("profile", [float("nan")] * 9),
        changed("measures", {"contrast": 300.0}),
        broken(main=["nobody"]),
    ],
)
def test_what_is_no_reference_is_told(tmp_path, capfd, text):
    path = tmp_path / "reference.json"
    path.write_text(text)
    files = ["--radiographs", "b.mha", "--synthetic", "a.mha", "--boxes", "n.json"]
    assert main(["judge", *files, "--reference", str(path)]) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert str(path) in line
    assert line.endswith("give one that `nodegen reference` wrote.")


def test_what_is_shipped_says_what_real_nodules_are():
    reference = Reference.load()
    tight = reference.table(*TIGHT)
    assert len(tight) == 26
    assert not tight["tightened"].any()
    found = reference.table()
    assert found["tightened"].sum() > 60
    assert found["radius"].isna().sum() == found["tightened"].sum()
    assert {*tight["ground"], *found["ground"]} <= set(GROUNDS)
    assert SHIPPED.stat().st_size < 75_000


@pytest.mark.parametrize(
    ("sources", "profile", "half"),
    [
        (("official", "inferred"), (329, 296, 269, 269, 243, 169, 79, -39, -76), 0.71),
        (("hand",), (641, 646, 615, 550, 496, 426, 349, 266, 164), 0.86),
    ],
)
def test_the_profiles_known_of_real_nodules_are_found_again(sources, profile, half):
    mean = np.mean(Reference.load().table(*sources)["profile"].tolist(), axis=0)
    np.testing.assert_allclose(mean, profile, atol=6)
    assert half_height_of(mean) == pytest.approx(half, abs=0.01)


def test_the_shipped_reference_is_made_of_the_real_radiographs(shared, tmp_path):
    folder = shared / "real"
    if not folder.is_dir():
        pytest.skip(f"needs real nodules, and {folder} is missing; set NODEGEN_SHARED")
    shipped = {(nodule.radiograph, nodule.size_px): nodule for nodule in Reference.load().nodules}
    boxes = tmp_path / "boxes.csv"
    lines = (folder / "boxes.csv").read_text().splitlines()
    boxes.write_text("\n".join([lines[0], *(line for line in lines if "official" in line)]))
    known = measure_folders([folder], [boxes]).nodules
    assert len(known) == 5
    for nodule in known:
        same = shipped[nodule.radiograph, nodule.size_px]
        assert nodule.ground == same.ground
        assert nodule.measures == pytest.approx(same.measures, rel=2e-3, abs=1e-3)
    assert set(MEASURES) == set(known[0].measures)


def test_other_annotation_sources_can_be_chosen():
    reference = Reference.load()
    assert len(reference.with_sources(["official", "inferred"]).table()) == 10
    assert reference.with_sources([]) == reference


def test_folders_and_tables_go_in_pairs(phantoms):
    with pytest.raises(SettingError, match="1 folders of radiographs and 2 tables"):
        measure_folders(phantoms[0], phantoms[1] * 2)


# --- loose boxes ------------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "y"), [(100, 120), (110, 112)])
def test_a_loose_box_is_tightened_around_its_nodule(phantoms, x, y):
    pixels = np.asarray(read_stack(phantoms[0][0] / "first" / "p1.mha").pixels[0])
    loose = Box(0, x - 45, y - 45, x + 45, y + 45)
    tight = tightened(pixels, loose)
    assert tight.centre == pytest.approx((100, 120), abs=2)
    assert tight.side == pytest.approx(2 * RADIUS / TIGHTNESS, rel=0.08)


def test_an_outline_that_is_not_certain_is_not_taken(phantoms):
    pixels = np.asarray(read_stack(phantoms[0][0] / "first" / "p1.mha").pixels[0])
    assert tightened(pixels, Box(0, 150, 20, 240, 110)) is None


def test_a_nodule_with_a_tight_box_is_not_taken_from_its_loose_one_again():
    boxes = [Box(0, 10, 10, 90, 90), Box(0, 30, 30, 60, 60), Box(0, 200, 200, 300, 300)]
    pixels = np.full((400, 400), 1500.0)
    rows, columns = np.indices(pixels.shape)
    pixels += 500 * (np.hypot(rows - 250, columns - 250) < 25)
    kept = list(tighten(pixels, boxes, ["loose", "tight", "loose"], ["loose"]))
    assert kept[0] == (boxes[1], "tight", False)
    ((box, *others),) = kept[1:]
    assert others == ["loose", True]
    assert box.centre == pytest.approx((250, 250), abs=2)


# --- ground -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chest():
    """Two lungs as ellipses, the right one (left in the image) first, and even grey levels."""
    rows, columns = np.indices((400, 400))
    labels = np.zeros((400, 400), np.uint8)
    for lung, middle in ((1, 110), (2, 290)):
        labels[((columns - middle) / 70) ** 2 + ((rows - 200) / 150) ** 2 < 1] = lung
    pixels = np.where(labels > 0, 1500.0, 2500.0)
    return Lungs(labels, 0.99), pixels


@pytest.mark.parametrize(
    ("x", "y", "ground"),
    [
        (110, 120, "lung"),
        (290, 300, "lung"),
        (160, 200, "hilum"),
        (245, 190, "hilum"),
        (200, 300, "heart"),
        (110, 365, "below the diaphragm"),
        (330, 345, "below the diaphragm"),
        (20, 200, "chest wall"),
    ],
)
def test_a_place_lies_on_what_is_there(chest, x, y, ground):
    lungs, pixels = chest
    assert ground_of(lungs, pixels, Box(0, x - 15, y - 15, x + 15, y + 15)) == ground


def test_bright_lung_is_rib(chest):
    lungs, pixels = chest
    rows = np.indices(pixels.shape)[0]
    banded = np.where((lungs.labels > 0) & (rows > 285), 2000.0, pixels)
    assert ground_of(lungs, banded, Box(0, 95, 300, 125, 330)) == "rib"


def test_without_lungs_the_ground_is_unknown():
    assert ground_of(None, np.zeros((50, 50)), Box(0, 10, 10, 20, 20)) == "unknown"
