"""Training sets: what is in them, what trainers read, and the same bytes however they were made."""

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from radiographs import from_run_lengths, phantoms, write_radiographs

from nodegen.cli import main
from nodegen.constants import GRADES
from nodegen.dataset import example, image_maker
from nodegen.dataset.dataset_plan import draw_plan
from nodegen.dataset.dataset_settings import FORMATS as ALL_FORMATS
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.make_dataset import _elsewhere, make_dataset
from nodegen.dataset.png import mark_of, run_lengths
from nodegen.errors import NodegenError, OutputError, SettingError
from nodegen.evaluation.boxed_images import read_real
from nodegen.io.radiograph import read_radiographs
from nodegen.io.store import Store
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.prior import Prior
from nodegen.renderer import Renderer
from nodegen.settings import Settings
from nodegen.synthesis.visibility import grade_of

FORMATS = tuple(name for name in ALL_FORMATS if name != "dicom")  # has tests of its own
QUICK = Settings(method="poisson")
pytestmark = pytest.mark.usefixtures("lungs_once")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("radiographs"))


def asked(**more) -> DatasetSettings:
    plain = {"images": 5, "nodules": (0, 2), "seed": 3, "render": QUICK}
    return DatasetSettings(**{**plain, **more})


@pytest.fixture(scope="module")
def made(radiographs, tmp_path_factory) -> Path:
    """A set in all forms, by one process."""
    output = tmp_path_factory.mktemp("set") / "set"
    done = make_dataset([radiographs], output, asked(formats=FORMATS, pairs=True), progress=False)
    assert done.complete
    return output


def records(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]


def sums(output: Path) -> str:
    return (output / "SHA256SUMS").read_text()


# --- what is in it -------------------------------------------------------------------------------


def check_sums(output: Path) -> None:
    told = dict(reversed(line.split("  ")) for line in sums(output).splitlines())
    there = {
        p.relative_to(output).as_posix()
        for p in output.rglob("*")
        if p.is_file() and p.parent.name != "records"
    }
    assert there == {*told, "SHA256SUMS"}
    for name, digest in told.items():
        assert hashlib.sha256((output / name).read_bytes()).hexdigest() == digest


def test_every_file_is_in_the_sums_with_its_hash(made):
    check_sums(made)


def test_numbers_of_nodules_are_those_of_the_plan(made, radiographs):
    plan = draw_plan([radiographs], asked(formats=FORMATS, pairs=True))
    assert [len(r["nodules"]) for r in records(made)] == [item.nodules for item in plan.images]
    assert {item.nodules for item in plan.images} == {0, 1, 2}


def test_patients_are_never_parted(radiographs):
    for seed in range(20):
        plan = draw_plan([radiographs], asked(seed=seed, split=(50, 25, 25)))
        splits = {}
        for item in plan.images:
            splits.setdefault(plan.sources[item.source].patient, set()).add(item.split)
        assert set(splits) == {"00000001", "00000002"}
        assert all(len(found) == 1 for found in splits.values())


def test_with_and_without_differ_around_the_nodules_alone(made):
    for record in records(made):
        place = f"{record['split']}/{record['name']}.png"
        image, untouched = (
            np.asarray(Image.open(made / folder / place)).astype(int)
            for folder in ("images", "untouched")
        )
        near = np.zeros(image.shape, bool)
        for nodule in record["nodules"]:
            left, top, right, bottom = nodule["given"]
            reach = 33 + 57  # of what Poisson blends and 3 px of blur; of what surrounds a nodule
            near[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = True
        assert (image == untouched)[~near].all()
        for nodule in record["nodules"]:
            left, top, right, bottom = nodule["tight"]
            assert (image - untouched)[top:bottom, left:right].mean() > 0
    assert 30000 < image.max() <= 65535  # 0..4095 fills 16 bit, so that viewers show it


def test_boxes_hold_what_is_seen_and_do_not_touch(made):
    for record in records(made):
        given = [nodule["given"] for nodule in record["nodules"]]
        for number, one in enumerate(given):
            for other in given[number + 1 :]:
                assert (
                    one[2] <= other[0]
                    or other[2] <= one[0]
                    or one[3] <= other[1]
                    or (other[3] <= one[1])
                )
        for number, nodule in enumerate(record["nodules"], 1):
            mask = Image.open(made / f"masks/{record['split']}/{record['name']}_{number}.png")
            rows, columns = np.nonzero(np.asarray(mask))
            left, top, right, bottom = nodule["given"]
            assert left - 6 <= columns.min() <= columns.max() <= right + 6
            assert top - 6 <= rows.min() <= rows.max() <= bottom + 6
            assert nodule["tight"][0] < nodule["tight"][2]


def test_poor_nodules_are_drawn_again_and_logged(radiographs, tmp_path, monkeypatch):
    monkeypatch.setattr(example, "ATTEMPTS", 3)
    make_dataset(
        [radiographs],
        tmp_path / "set",
        asked(images=1, nodules=(1, 1), visibility=(90, 99)),
        progress=False,
    )
    (record,) = records(tmp_path / "set")
    assert not record["passed"]
    assert len(record["faults"]) == 3
    assert "has a visibility of" in record["faults"][0][0]
    assert record["name"] in (tmp_path / "set" / "report.md").read_text()


def test_sizes_follow_what_was_asked(radiographs, tmp_path):
    wanted = asked(images=3, nodules=(2, 2), size_mm=(20, 22))
    make_dataset([radiographs], tmp_path / "set", wanted, progress=False)
    for record in records(tmp_path / "set"):
        for nodule in record["nodules"]:
            left, top, right, bottom = nodule["given"]
            assert 19 <= max(right - left, bottom - top) * record["mm_per_px"] <= 23


def test_splits_have_a_subtlety_of_their_own_and_images_an_order(radiographs, tmp_path):
    wanted = ["--images", "6", "--nodules", "0-2", "--split", "50,0,50", "--format", "csv"]
    grades = ["--subtlety", "extremely-subtle", "--subtlety", "train:obvious"]
    command = ["dataset", str(radiographs), "--output", str(tmp_path / "set"), "--method", "paste"]
    assert main([*command, *wanted, *grades]) == 0
    made = records(tmp_path / "set")
    asked_for = {"train": GRADES["obvious"], "test": GRADES["extremely-subtle"]}
    for record in made:
        low, high = asked_for[record["split"]]
        assert all(
            low <= nodule["recipe"]["visibility_asked"] <= high for nodule in record["nodules"]
        )
        assert all(n["subtlety"] == grade_of(n["visibility"]) for n in record["nodules"])
    rows = list(csv.DictReader((tmp_path / "set/boxes.csv").open()))
    for split in asked_for:
        here = {row["image"]: int(row["order"]) for row in rows if row["split"] == split}
        assert sorted(here.values()) == list(range(1, len(here) + 1))
        faintest = {
            name: min(float(r["visibility"]) for r in rows if r["image"] == name)
            for name in sorted(here, key=here.get)
            if all(r["visibility"] for r in rows if r["image"] == name)
        }
        assert list(faintest.values()) == sorted(faintest.values(), reverse=True)


# --- what trainers read --------------------------------------------------------------------------


def test_coco_by_pycocotools(made):
    coco = pytest.importorskip("pycocotools.coco")
    found = 0
    for path in (made / "annotations").iterdir():
        read = coco.COCO(str(path))
        split = path.stem.removeprefix("instances_")
        for image in read.loadImgs(read.getImgIds()):
            assert (made / "images" / split / image["file_name"]).is_file()
            for number, note in enumerate(read.loadAnns(read.getAnnIds(image["id"])), 1):
                stem = Path(image["file_name"]).stem
                mask = np.asarray(Image.open(made / f"masks/{split}/{stem}_{number}.png")) > 0
                assert np.array_equal(read.annToMask(note).astype(bool), mask)
                assert note["area"] == mask.sum()
                assert min(note["bbox"]) >= 0
                found += 1
    assert found == sum(len(record["nodules"]) for record in records(made)) > 0


def test_coco_as_detection_networks_of_torchvision_take_it(made):
    """Boxes, labels and masks by the rules of torchvision's reference training for detection."""
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools import mask as coder

    found = 0
    for path in (made / "annotations").iterdir():
        read = coco.COCO(str(path))
        for number, entry in read.imgs.items():
            split = path.stem.removeprefix("instances_")
            shape = np.asarray(Image.open(made / "images" / split / entry["file_name"])).shape
            assert shape == (entry["height"], entry["width"])
            notes = [n for n in read.imgToAnns[number] if n["iscrowd"] == 0]
            boxes = np.array([n["bbox"] for n in notes], float).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            assert (boxes >= 0).all()
            assert (boxes[:, :2] < boxes[:, 2:]).all()  # networks refuse empty ones
            assert (boxes[:, 2:] <= shape[::-1]).all()
            for note in notes:
                assert note["category_id"] == 1  # 0 is background
                code = coder.frPyObjects(note["segmentation"], *shape)
                mask = coder.decode(code).astype(bool)
                assert mask.shape == shape
                assert mask.any()
                found += 1
    assert found == sum(len(record["nodules"]) for record in records(made))


def test_yolo_by_its_documented_rules(made):
    """As its reader finds and checks images and labels."""
    yaml = pytest.importorskip("yaml")
    told = yaml.safe_load((made / "yolo/data.yaml").read_text())
    assert set(told) <= {"train", "val", "test", "names"}
    assert {"train", "val"} <= set(told)
    assert told["names"] == {0: "nodule"}
    folders = {told[split] for split in ("train", "val", "test") if split in told}
    images = [path for folder in folders for path in (made / "yolo" / folder).iterdir()]
    by_name = {record["name"]: record for record in records(made)}
    assert {path.stem for path in images} == set(by_name)
    for path in images:
        image = Image.open(path)
        assert (image.mode, image.format) == ("L", "PNG")
        assert min(image.size) > 9
        label = Path("/labels/".join(str(path).rsplit("/images/", 1))).with_suffix(".txt")
        rows = np.array([line.split() for line in label.read_text().splitlines()], float)
        nodules = by_name[path.stem]["nodules"]
        assert len(rows) == len(nodules)
        if not nodules:
            continue
        assert rows.shape[1] == 5
        assert (rows[:, 0] == 0).all()
        assert ((rows >= 0) & (rows <= 1)).all()
        assert len(np.unique(rows, axis=0)) == len(rows)
        centres, sizes = rows[:, 1:3] * image.size, rows[:, 3:] * image.size
        corners = np.hstack([centres - sizes / 2, centres + sizes / 2])
        np.testing.assert_allclose(corners, [n["box"] for n in nodules], atol=0.01)


def test_monai_by_its_own_list_reader(made):
    data = pytest.importorskip("monai.data")
    entries = data.load_decathlon_datalist(
        str(made / "monai.json"), is_segmentation=False, data_list_key="training"
    )
    assert entries
    assert all(Path(entry["image"]).is_file() for entry in entries)
    assert all(len(entry["box"]) == len(entry["label"]) for entry in entries)


def test_boxes_for_monai_are_in_the_order_of_loadimaged(made):
    """By MONAI's own masks of boxes, on images as MONAI reads them."""
    data = pytest.importorskip("monai.data")
    transforms = pytest.importorskip("monai.transforms")
    boxes = pytest.importorskip("monai.apps.detection.transforms.box_ops")
    found = 0
    told = json.loads((made / "monai.json").read_text())
    for key, split in (("training", "train"), ("validation", "val"), ("test", "test")):
        if key not in told:  # no images
            continue
        for entry in data.load_decathlon_datalist(str(made / "monai.json"), False, key):
            image = transforms.LoadImage(image_only=True)(entry["image"])
            assert np.array_equal(np.asarray(image).T, np.asarray(Image.open(entry["image"])))
            if not entry["box"]:
                continue
            shown = boxes.convert_box_to_mask(
                boxes=torch.tensor(entry["box"], dtype=torch.float32),
                labels=torch.ones(len(entry["box"]), dtype=torch.long),
                spatial_size=tuple(image.shape), bg_label=0,
            )  # fmt: skip
            for number, box in enumerate(np.asarray(shown) > 0, 1):
                place = made / f"masks/{split}/{Path(entry['image']).stem}_{number}.png"
                mask = np.asarray(Image.open(place)).T > 0
                assert (box & mask).sum() > 0.5 * box.sum()
                found += 1
    assert found == sum(len(record["nodules"]) for record in records(made))


def test_a_network_of_monai_trains_an_epoch_from_the_set(made):
    data = pytest.importorskip("monai.data")
    networks = pytest.importorskip("monai.networks.nets")
    transforms = pytest.importorskip("monai.transforms")

    def with_target(entry):
        """What lies in a box, as a map: boxes are along the image's first axis first."""
        target = torch.zeros(entry["image"].shape)
        for first, second, after, beyond in entry["box"]:
            target[:, first:after, second:beyond] = 1
        return {"image": entry["image"], "target": target}

    chain = transforms.Compose(
        [
            transforms.LoadImaged("image"),
            transforms.EnsureChannelFirstd("image"),
            with_target,
            transforms.ScaleIntensityd("image"),
            transforms.Resized(["image", "target"], (64, 64)),
        ]
    )
    entries = data.load_decathlon_datalist(str(made / "monai.json"), False, "training")
    network = networks.UNet(2, 1, 1, channels=(4, 8), strides=(2,))
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    before = [p.detach().clone() for p in network.parameters()]
    for batch in data.DataLoader(data.Dataset(entries, chain), batch_size=2):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(batch["image"]), batch["target"]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_node21_as_its_training_set_is(made):
    rows = []
    for path in made.glob("node21/*/metadata.csv"):
        table = list(csv.DictReader(path.open()))
        rows += table
        for row in table:
            image = sitk.ReadImage(str(path.parent / "images" / row["img_name"]))
            assert image.GetPixelID() == sitk.sitkUInt16
            assert image.GetDimension() == 2
            assert row["img_name"][0] == ("n" if row["label"] == "1" else "c")
    assert len(rows) == sum(max(len(record["nodules"]), 1) for record in records(made))


def test_nndetection_labels_number_the_nodules(made):
    task = made / "nndetection/Task100_Nodegen"
    assert json.loads((task / "dataset.json").read_text())["dim"] == 2
    for record in records(made):
        part = "Ts" if record["split"] == "test" else "Tr"
        labels = sitk.ReadImage(str(task / f"raw_splitted/labels{part}/{record['name']}.nii.gz"))
        image = sitk.ReadImage(
            str(task / f"raw_splitted/images{part}/{record['name']}_0000.nii.gz")
        )
        assert labels.GetSize() == image.GetSize()
        said = image["ITK_FileNotes"]  # NIfTI's "descrip"
        assert said == mark_of(record).text.partition(" by ")[2] if record["nodules"] else not said
        values = np.unique(sitk.GetArrayFromImage(labels)).tolist()
        assert values == list(range(len(record["nodules"]) + 1))


def test_card_is_valid_croissant_and_its_rows_are_read(made):
    croissant = pytest.importorskip("mlcroissant")
    card = croissant.Dataset(jsonld=made / "croissant.json")
    assert not card.metadata.ctx.issues.errors
    rows = list(card.records("nodules"))
    assert len(rows) == sum(max(len(record["nodules"]), 1) for record in records(made))


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_come_back(mask):
    assert np.array_equal(from_run_lengths(run_lengths(mask)), mask)


# --- the same bytes, however they were made ------------------------------------------------------


def test_four_shards_in_any_order_make_the_same_bytes(made, radiographs, tmp_path):
    wanted = asked(formats=FORMATS, pairs=True)
    for number in (3, 1, 4, 2):
        done = make_dataset(
            [radiographs], tmp_path / "set", wanted, shard=(number, 4), progress=False
        )
    assert done.complete
    assert sums(tmp_path / "set") == sums(made)


def test_two_runs_at_once_do_no_harm(radiographs, tmp_path):
    wanted = asked(images=3, formats=("csv",), render=Settings(method="paste"))

    def make(_):
        return make_dataset([radiographs], tmp_path / "set", wanted, progress=False)

    with ThreadPoolExecutor(2) as pool:
        assert all(done.complete for done in pool.map(make, range(2)))
    check_sums(tmp_path / "set")


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_run_is_gone_on_with_by_two_workers(made, radiographs, tmp_path):
    output = tmp_path / "set"
    command = [
        sys.executable, "-m", "nodegen", "dataset", str(radiographs), "--output", str(output),
        "--images", "5", "--nodules", "0-2", "--seed", "3", "--workers", "2",
        "--method", "poisson", "--pairs", "--format", ",".join(FORMATS),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and not list(output.glob("records/*.json")):
            time.sleep(0.01)
        workers = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.send_signal(signal.SIGKILL)
    while any(is_running(int(pid)) for pid in workers):
        time.sleep(0.01)
    before = {p: p.stat().st_mtime_ns for p in output.glob("records/*.json")}
    assert len(before) < 5
    wanted = asked(formats=FORMATS, pairs=True)
    assert make_dataset([radiographs], output, wanted, workers=2, progress=False).complete
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert sums(output) == sums(made)


def test_an_image_whose_file_was_cut_short_is_made_anew(made, radiographs, tmp_path):
    wanted = asked(formats=("csv",))
    make_dataset([radiographs], tmp_path / "set", wanted, progress=False)
    whole = sums(tmp_path / "set")
    broken = next((tmp_path / "set/images").rglob("*.png"))
    broken.write_bytes(broken.read_bytes()[:100])
    altered = tmp_path / "set/records/s00001.json"  # by hand
    altered.write_text(json.dumps(json.loads(altered.read_text()) | {"nodules": [{}]}))
    make_dataset([radiographs], tmp_path / "set", wanted, progress=False)
    assert sums(tmp_path / "set") == whole


# --- at any address ------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["memory", "s3"])
def test_sets_at_addresses_have_the_same_bytes(service, made, radiographs, request):
    address = request.getfixturevalue(service)
    source, output = Store.at(f"{address}/in"), Store.at(f"{address}/out")
    with source.staged("") as folder:
        for path in radiographs.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    wanted = asked(formats=FORMATS, pairs=True)

    def make():
        done = make_dataset([source.address], output.address, wanted, progress=False)
        assert done.complete
        assert output.read("SHA256SUMS").decode() == sums(made)

    make()
    expected = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}
    assert set(output.sizes()) == expected
    # As a killed run leaves it: an image without its record, a record without one of its files.
    mask = next(name for name in output.sizes() if name.startswith("masks/"))
    output.remove(["records/s00001.json", mask])
    kept = output.read("records/s00000.json")
    make()
    assert output.read("records/s00000.json") == kept
    with pytest.raises(OutputError, match=r"begun with --.*--seed 3 \(now 4\)"):
        make_dataset([source.address], output.address, asked(seed=4), progress=False)


# --- a user's faults -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": None}, "either --images or --copies"),
        ({"copies": 2}, "either --images or --copies"),
        ({"images": 0}, "images is 0"),
        ({"nodules": (3, 1)}, "smaller number first"),
        ({"size_mm": (30, 6)}, "smaller number first"),
        ({"visibility": (2, 1)}, "smaller number first"),
        ({"split": (0, 0, 0)}, "three shares"),
        ({"formats": ("coco", "voc")}, "'voc'"),
        ({"bits": 12}, "bits is 12"),
        ({"space": "standard"}, "'drawn' or 'original'"),
        ({"space": "original", "render": Settings(noise_and_blur=True)}, "--noise-and-blur out"),
        ({"signal": "bright"}, "signal is 'bright'"),
        ({"seed": -1}, "seed is -1"),
        ({"subtlety": ("training:obvious",)}, "'training'"),
        ({"subtlety": ("train:plain",)}, "subtlety is 'plain'"),
    ],
)
def test_settings_that_are_none(change, words):
    with pytest.raises(SettingError, match=words):
        asked(**change)


def test_a_recipe_is_the_options_that_it_stands_for():
    named, typed = (DatasetSettings(images=1, **own) for own in (
        {}, {"recipe": "plain", "nodules": "4", "prefer_visible": True}))  # fmt: skip
    assert named.described() == typed.described()
    own = DatasetSettings(images=1, recipe="detector", nodules=(0, 2), prefer_visible=False)
    assert (own.per_image, own.prefer_visible) == ((0, 2), False)
    plain = DatasetSettings(images=1, recipe="plain")
    assert (plain.per_image, plain.prefer_visible) == ((1, 3), False)
    assert DatasetSettings(images=1).described()["--noise-and-blur"] == "False"


def test_off_linux_one_process_makes_the_set(monkeypatch):
    monkeypatch.setattr("nodegen.dataset.make_dataset.sys", SimpleNamespace(platform="darwin"))
    with _elsewhere(2, None) as submit:
        assert submit is None


def test_more_visible_nodules_come_more_often(radiographs):
    radiograph = next(read_radiographs(next(radiographs.iterdir())))
    places = Prior.load().places(find_lungs(radiograph.pixels), radiograph.pixels)

    def asked_for(prefer_visible: bool) -> list[float]:
        choices = asked(prefer_visible=prefer_visible)
        made = [
            example.make_example(
                radiograph, places, 2, seed, Renderer(Settings(method="none")), choices
            )
            for seed in range(12)
        ]
        assert all(len(one.nodules) == 2 for one in made)
        return [nodule.recipe.visibility_asked for one in made for nodule in one.nodules]

    assert np.mean(asked_for(True)) > np.mean(asked_for(False))


def test_a_set_with_other_settings_is_left_alone(made, radiographs):
    before = sums(made)
    wanted = asked(formats=FORMATS, pairs=True, seed=4)
    with pytest.raises(OutputError, match=r"begun with --seed 3 \(now 4\); give the same"):
        make_dataset([radiographs], made, wanted, progress=False)
    assert sums(made) == before


@pytest.mark.parametrize("service", ["local", "memory"])
def test_a_set_is_replaced_where_that_is_asked_for(service, radiographs, tmp_path, request):
    local = service == "local"
    output = str(tmp_path / "set") if local else f"{request.getfixturevalue(service)}/out"
    begun = asked(images=3, formats=("coco", "yolo"))
    make_dataset([radiographs], output, begun, progress=False)
    store = Store.at(output)
    with store.staged("") as folder:
        (folder / "thesis.txt").write_text("mine")
    wanted = asked(images=4, seed=4, formats=("csv",))
    with pytest.raises(OutputError, match="or --overwrite to replace it"):
        make_dataset([radiographs], output, wanted, progress=False)
    with pytest.raises(SettingError, match="one of several shards"):
        make_dataset([radiographs], output, wanted, shard=(1, 2), overwrite=True)
    make_dataset([radiographs], output, wanted, overwrite=True, progress=False)
    make_dataset([radiographs], tmp_path / "anew", wanted, progress=False)
    assert store.read("SHA256SUMS").decode() == sums(tmp_path / "anew")
    assert store.sizes() == Store.at(tmp_path / "anew").sizes() | {"thesis.txt": 4}
    assert not local or not (tmp_path / "set" / "yolo").exists()


def test_a_folder_with_other_files_is_left_alone(radiographs, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        make_dataset([radiographs], tmp_path, asked(), overwrite=True, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_radiograph_is_left_out_and_said_so(radiographs, tmp_path):
    folder = write_radiographs(tmp_path / "in")
    (folder / "00000009_000.png").write_bytes(b"no picture")
    wanted = asked(copies=1, images=None, formats=("csv",))
    done = make_dataset([folder], tmp_path / "set", wanted, progress=False)
    assert done.complete
    assert list(done.skipped) == ["00000009_000.png"]
    assert "00000009_000.png" in (tmp_path / "set/report.md").read_text()
    assert len(list((tmp_path / "set/images").rglob("*.png"))) == 3


def test_a_fault_in_nodegen_itself_leaves_one_radiograph_out(tmp_path, monkeypatch, capsys):
    """Named in one sentence, with its traceback in the record alone, and tried again."""
    folder = write_radiographs(tmp_path / "in")
    command = ["dataset", str(folder), "--output", str(tmp_path / "set"), "--copies", "1",
               "--nodules", "1", "--method", "paste", "--format", "csv"]  # fmt: skip
    draw = image_maker.make_example

    def failing(radiograph, *more, **options):
        if radiograph.path.name == "00000002_000.png":
            raise ZeroDivisionError("division by zero")
        return draw(radiograph, *more, **options)

    monkeypatch.setattr(image_maker, "make_example", failing)
    assert main(command) == 0
    said = capsys.readouterr()
    assert "left out 00000002_000.png: nodegen itself failed at it (ZeroDivisionError" in said.out
    assert "Traceback" not in said.out + said.err
    assert "2 of 3 images with 2 nodules" in said.out
    (record,) = [r for p in (tmp_path / "set/records").iterdir()
                 if "skipped" in (r := json.loads(p.read_text()))]  # fmt: skip
    assert record["traceback"].startswith("Traceback")
    assert "in failing" in record["traceback"]
    assert "Traceback" not in (tmp_path / "set/manifest.jsonl").read_text()
    monkeypatch.undo()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "holds 2 of the 3 images already" in said
    assert "3 images with 3 nodules" in said
    check_sums(tmp_path / "set")


def test_a_radiograph_that_is_gone_is_left_out(tmp_path):
    folder = write_radiographs(tmp_path / "in")
    wanted = asked(copies=1, images=None, formats=("csv",))
    plan = draw_plan([folder], wanted)
    (folder / "00000002_000.png").unlink()
    maker = image_maker.ImageMaker(wanted, Store.at(tmp_path / "set"))
    for number, source in enumerate(plan.sources):
        images = [image for image in plan.images if image.source == number]
        list(maker.make(plan.roots[source.path], source, images))
    made = [json.loads(p.read_text()) for p in (tmp_path / "set/records").iterdir()]
    assert [r["skipped"] for r in made if "skipped" in r] == [
        "There is no image 00000002_000.png; give the path of one."
    ]


def test_what_was_mended_is_tried_again(tmp_path, capsys):
    folder = write_radiographs(tmp_path / "in")
    whole = (folder / "00000002_000.png").read_bytes()
    (folder / "00000002_000.png").write_bytes(whole[:5000])
    command = ["dataset", str(folder), "--output", str(tmp_path / "set"), "--copies", "1",
               "--nodules", "1", "--method", "paste", "--format", "csv"]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "left out 00000002_000.png" in said
    assert "2 of 3 images with 2 nodules" in said
    (folder / "00000002_000.png").write_bytes(whole)
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "left out" not in said
    assert "3 images with 3 nodules" in said
    check_sums(tmp_path / "set")


def test_a_set_is_extended(made, radiographs, tmp_path):
    """From three images to five, with the bytes of a set of five."""
    wanted = {"formats": FORMATS, "pairs": True}
    make_dataset([radiographs], tmp_path / "set", asked(images=3, **wanted), progress=False)
    make_dataset([radiographs], tmp_path / "set", asked(**wanted), progress=False)
    assert sums(tmp_path / "set") == sums(made)
    with pytest.raises(OutputError, match=r"begun with --images 5 \(now 3\)"):
        make_dataset([radiographs], tmp_path / "set", asked(images=3, **wanted), progress=False)


def test_a_set_that_another_version_began_is_left_alone(radiographs, tmp_path):
    wanted = asked(images=1, nodules=(0, 0), formats=("csv",))
    make_dataset([radiographs], tmp_path / "set", wanted, progress=False)
    plan = tmp_path / "set" / "plan.json"
    plan.write_text(re.sub('"nodegen": "[^"]*"', '"nodegen": "0.9.0"', plan.read_text()))
    with pytest.raises(OutputError, match=r"that nodegen 0\.9\.0 began, and this is"):
        make_dataset([radiographs], tmp_path / "set", wanted, progress=False)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"nodegen": "2.0.0", "settings": 5}', "{}"])
def test_a_set_whose_plan_was_altered_is_left_alone(content, radiographs, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "plan.json").write_text(content)
    with pytest.raises(OutputError, match=r"plan\.json cannot be read"):
        make_dataset([radiographs], tmp_path / "set", asked(images=1), progress=False)


def test_a_set_of_other_radiographs_is_left_alone(tmp_path):
    folder = write_radiographs(tmp_path / "in")
    wanted = asked(images=1, nodules=(0, 0), formats=("csv",))
    make_dataset([folder], tmp_path / "set", wanted, progress=False)
    (folder / "00000003_000.png").write_bytes((folder / "00000001_000.png").read_bytes())
    with pytest.raises(OutputError, match=r"of other radiographs, 00000003_000\.png for one"):
        make_dataset([folder], tmp_path / "set", wanted, progress=False)


def test_an_output_among_the_radiographs_is_refused(tmp_path):
    folder = write_radiographs(tmp_path / "in")
    for output in (folder, folder / "set"):
        with pytest.raises(SettingError, match="lies inside the radiographs' folder"):
            make_dataset([folder], output, asked(), progress=False)


def test_sizes_that_have_no_room_are_refused(radiographs, tmp_path, capsys):
    wanted = ["--images", "1", "--nodules", "1", "--size-mm", "400-500", "--format", "csv"]
    command = ["dataset", str(radiographs), "--output", str(tmp_path / "set"), "--method", "paste"]
    assert main([*command, *wanted]) == 2
    assert "No nodule found room in any of 1 images" in capsys.readouterr().err


def test_splits_without_an_image_are_said(radiographs, tmp_path, capsys):
    wanted = ["--images", "1", "--nodules", "0", "--format", "csv", "--method", "paste"]
    assert main(["dataset", str(radiographs), "--output", str(tmp_path / "set"), *wanted]) == 0
    assert "no images in val and test" in capsys.readouterr().out
    assert "No images in val and test" in (tmp_path / "set" / "report.md").read_text()


@pytest.mark.parametrize(
    ("bits", "kind", "share", "mode", "top"),
    [
        (16, np.uint8, 16, "L", 255),
        (8, np.uint16, 1, "L", 255),
        (16, np.uint16, 1, "I;16", 65535),
        (16, np.uint16, 16, "I;16", 65535),
    ],
)
def test_pngs_are_never_black(bits, kind, share, mode, top, tmp_path):
    """8 bit stay 8 bit, and 12 bit, or 8 bit in 16, fill the range."""
    pixels = phantoms()[0] // share
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels.astype(kind)).save(tmp_path / "in" / "a.png")
    wanted = asked(images=1, nodules=(0, 0), bits=bits, pairs=True,
                   render=Settings(method="paste"))  # fmt: skip
    make_dataset([tmp_path / "in"], tmp_path / "set", wanted, progress=False)
    for folder in ("images", "untouched"):
        image = Image.open(tmp_path / "set" / folder / "train" / "s00000.png")
        assert image.mode == mode
        assert np.abs(np.asarray(image) - np.rint(pixels * (top / (4096 / share - 1)))).max() <= 1
    assert records(tmp_path / "set")[0]["bits"] == (8 if top == 255 else 16)


# --- patients ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "pattern", "patients"),
    [
        (["patient00001/study1/view1.png", "patient00001/study2/view1.png",
          "patient00002/study1/view1.png"], None, 2),  # CheXpert
        (["files/p10/p10000032/s5/a.png", "files/p10/p10000764/s6/b.png",
          "files/p10/p10000032/s7/c.png"], None, 2),  # MIMIC-CXR
        (["one/film.png", "two/film.png", "three/film.png"], None, 3),
        (["00000007_000.png", "00000007_001.png", "00000008_000.png"], None, 2),  # NIH
        (["p1/a.png", "p1/b.png", "p2/a.png"], "(p[0-9]+)/", 2),
        (["x-1-a.png", "x-1-b.png", "x-2-a.png"], "-([0-9])-", 2),
    ],
)  # fmt: skip
def test_patients_are_told_by_names_and_folders(names, pattern, patients, tmp_path):
    for name, pixels in zip(names, phantoms(), strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    plan = draw_plan([tmp_path], asked(patient_pattern=pattern))
    assert len({source.patient for source in plan.sources}) == patients


@pytest.mark.parametrize("pattern", ["(", "film", "(nothing)?film"])
def test_patterns_of_patients_that_do_not_fit_are_refused(pattern, tmp_path):
    Image.fromarray(phantoms()[0]).save(tmp_path / "film.png")
    with pytest.raises(SettingError, match="patient-pattern"):
        draw_plan([tmp_path], asked(patient_pattern=pattern))


@pytest.mark.parametrize("service", ["folder", "memory", "s3"])
def test_copies_of_a_file_are_one_patient(service, tmp_path, request):
    """Four copies under two patients' names, and one radiograph of a third."""
    for name in ("a_1", "a_2", "b_1", "c_1"):
        Image.fromarray(phantoms()[0]).save(tmp_path / f"{name}.png")
    Image.fromarray(phantoms()[1]).save(tmp_path / "d_1.png")
    Image.fromarray(phantoms()[2]).save(tmp_path / "a_3.png")
    given = str(tmp_path)
    if service != "folder":
        given = f"{request.getfixturevalue(service)}/copies"
        with Store.at(given).staged("") as folder:
            for path in tmp_path.glob("*.png"):
                (folder / path.name).write_bytes(path.read_bytes())
    plan = draw_plan([given], asked(patient_pattern="^([a-z])_"))
    assert plan.copies == 3
    assert {source.path[0]: source.patient for source in plan.sources} == {
        "a": "a", "b": "a", "c": "a", "d": "d"}  # fmt: skip


@pytest.mark.parametrize("service", ["memory", "s3"])
def test_dicom_at_an_address_is_known_by_how_it_begins(service, tmp_path, request):
    written = pytest.importorskip("dicoms").dicom(tmp_path / "a.dcm")
    store = Store.at(f"{request.getfixturevalue(service)}/odd")
    with store.staged("") as folder:
        for name in ("IM0001", "b/1.2.840.113619", "DICOMDIR", "readme.txt"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(written.read_bytes())
        (folder / "Thumbs").write_bytes(b"none")
    plan = draw_plan([store.address], asked())
    assert [source.path for source in plan.sources] == ["IM0001", "b/1.2.840.113619"]
    assert len({source.patient for source in plan.sources}) == 1


def test_files_named_by_uids_are_not_taken_for_one(tmp_path):
    write = pytest.importorskip("dicoms").dicom
    (tmp_path / "in").mkdir()
    names = ["1.2.840.1", "1.2.840.2"]
    for name, pixels in zip(names, phantoms(), strict=False):
        write(tmp_path / "in" / name, pixels, PatientID="")
    plan = draw_plan([tmp_path / "in"], asked())
    assert [source.patient for source in plan.sources] == names
    assert main(["standardise", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 0
    made = {path.name for path in (tmp_path / "out").glob("*.mha")}
    assert made == {f"{name}.mha" for name in names}
    assert {one.name for one in read_real([tmp_path / "in"])} == set(names)


def test_no_radiograph_at_all(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(NodegenError, match="no radiograph in"):
        make_dataset([tmp_path / "in"], tmp_path / "set", asked(), progress=False)
    with pytest.raises(NodegenError, match="no file or folder"):
        make_dataset([tmp_path / "nowhere"], tmp_path / "set", asked(), progress=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_that_what_is_done_is_kept(number, tmp_path, monkeypatch, capsys):
    def stopped(*_, **__):
        signal.raise_signal(number)

    # A shell that runs the tests in the background has interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("nodegen.dataset.make_dataset.make_dataset", stopped)
    assert main(["dataset", "in", "--output", str(tmp_path), "--images", "1"]) == 128 + number
    (line,) = capsys.readouterr().err.splitlines()
    assert "finished images are kept" in line
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--images", "2", "--nodules", "many"],
        ["--images", "2", "--split", "80"],
        ["--images", "2", "--shard", "0/0"],
        ["--images", "2", "--copies", "2"],
        [],
    ],
)
def test_the_command_names_what_it_does_not_take(arguments, radiographs, tmp_path, capsys):
    command = ["dataset", str(radiographs), "--output", str(tmp_path / "set"), *arguments]
    assert main(command) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "set").exists()
