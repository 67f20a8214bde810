"""Nodules on the fly: what comes out, and that a loader's workers draw as their seeds say."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from radiographs import phantoms
from torch.utils.data import DataLoader, Dataset

from nodegen import Box, Renderer, Settings
from nodegen.constants import GRADES
from nodegen.dataset import transform
from nodegen.dataset.transform import AddNodules, ObviousFirst
from nodegen.errors import BoxesError, SettingError, StackError
from nodegen.lungs.fields import find_lungs

QUICK = Settings(method="paste", noise_and_blur=False)
pytestmark = pytest.mark.usefixtures("lungs_once")


class Radiographs(Dataset):
    """Dictionaries, as MONAI's data sets give them."""

    def __init__(self, transform):
        self.images, self.transform = phantoms()[:2], transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform({"image": torch.tensor(self.images[index].astype(np.float32))[None]})


def test_image_boxes_labels_and_masks_fit():
    image = phantoms()[0]
    made = AddNodules(nodules=(2, 2), settings=QUICK)({"image": image, "name": "a"})
    assert made["name"] == "a"
    assert made["image"].dtype == image.dtype
    assert made["box"].shape == (2, 4)
    assert made["label"].tolist() == [0, 0]
    assert made["mask"].shape == (2, *image.shape)
    changed = made["image"].astype(int) != image
    assert changed.any()
    for (left, top, right, bottom), mask in zip(made["box"].astype(int), made["mask"], strict=True):
        assert changed[top:bottom, left:right].any()
        assert mask[top:bottom, left:right].any()


def test_no_nodule_leaves_the_image_as_it_was():
    image = phantoms()[0]
    made = AddNodules(nodules=(0, 0), settings=QUICK)({"image": image})
    assert np.array_equal(made["image"], image)
    assert made["box"].shape == (0, 4)
    assert made["mask"].shape == (0, *image.shape)


def test_places_that_are_given_are_used():
    def missed(pixels, places, rng):
        assert places.body.shape == pixels.shape
        return [Box(0, 120, 200, 150, 232)]

    made = AddNodules(boxes="given", settings=QUICK, places=missed)({"image": phantoms()[0]})
    assert made["box"].tolist() == [[120, 200, 150, 232]]


def test_places_that_a_detector_missed_come_with_the_image():
    add = AddNodules(boxes="given", settings=QUICK, places="missed")
    for missed, found in (
        ([[120.2, 200, 149.8, 232]], [[120, 200, 150, 232]]),
        (torch.tensor([[-8, 200, 30, 232]]), [[0, 200, 30, 232]]),
        ([], []),
    ):
        assert add({"image": phantoms()[0], "missed": missed})["box"].tolist() == found
    assert len(add({"image": phantoms()[0]})["box"]) >= 1  # drawn, where none are told


def test_a_recipe_says_how_many_nodules_and_a_number_goes_before_it():
    assert AddNodules(recipe="detector").choices.per_image == (4, 4)
    assert AddNodules(recipe="detector", nodules=(1, 2)).choices.per_image == (1, 2)
    with pytest.raises(SettingError, match="recipe is 'x'"):
        AddNodules(recipe="x")


def test_obvious_nodules_come_first(monkeypatch):
    asked = []

    def noted(self, context, boxes, *more):
        asked.append(self.settings.subtlety)
        return []

    monkeypatch.setattr(Renderer, "plan_slice", noted)
    add = AddNodules(nodules=(1, 1), settings=QUICK, subtlety=ObviousFirst(10))
    for epoch in (0, 2, 9, 10):
        add.set_epoch(epoch)
        add({"image": phantoms()[0]})
    grades = list(reversed(GRADES))
    assert list(dict.fromkeys(asked)) == [grades[0], ",".join(grades[:2]), ",".join(grades), "real"]


def test_workers_that_are_kept_see_the_epoch():
    add = AddNodules(nodules=(0, 0), settings=QUICK, subtlety=str)
    loader = DataLoader(
        Radiographs(lambda data: add._epoch.clone()),
        batch_size=None,
        num_workers=1,
        persistent_workers=True,
    )
    seen = []
    for epoch in (0, 7):
        add.set_epoch(epoch)
        seen += [int(number) for number in loader]
    assert seen == [0, 0, 7, 7]


def test_in_a_chain_of_torchio_subjects_get_nodules_and_replay_them():
    tio = pytest.importorskip("torchio", reason="needs TorchIO: pip install torchio")
    from nodegen.dataset.torchio import RandomNodules

    pixels = phantoms()[0][:, :448].astype(np.float32)
    subject = tio.Subject(image=tio.ScalarImage(tensor=pixels.T[None, ..., None]), name="a")
    chain = tio.Compose(
        [RandomNodules(AddNodules(nodules=(2, 2), settings=QUICK)), tio.RescaleIntensity((0, 1))]
    )
    torch.manual_seed(1)
    made, other = chain(subject), chain(subject)
    torch.manual_seed(1)
    again, replayed = chain(subject), made.get_composed_history()(subject)
    assert made["name"] == "a"
    assert made.spatial_shape == (448, 512, 1)
    assert not torch.equal(made["box"], other["box"])
    for same in (again, replayed):
        assert torch.equal(made["box"], same["box"])
        assert torch.equal(made.image.data, same.image.data)
        assert torch.equal(made.mask.data, same.mask.data)
    untouched = tio.RescaleIntensity((0, 1))(subject)
    for number, (left, top, right, bottom) in enumerate(made["box"].int().tolist(), 1):
        inside = (slice(left, right), slice(top, bottom))
        assert (made.mask.data[0, :, :, 0] == number)[inside].any()
        assert not torch.equal(
            made.image.data[0, :, :, 0][inside], untouched.image.data[0, :, :, 0][inside]
        )
    batch = next(iter(tio.SubjectsLoader(tio.SubjectsDataset([subject] * 2, chain), batch_size=2)))
    assert batch["image"]["data"].shape == (2, 1, 448, 512, 1)


def test_workers_and_epochs_draw_anew_and_a_seed_repeats_them():
    def epochs():
        torch.manual_seed(5)
        loader = DataLoader(
            Radiographs(AddNodules(nodules=(1, 1), settings=QUICK)),
            batch_size=None,
            num_workers=2,
        )
        return [[made["box"] for made in loader] for _ in range(2)]

    first, second = epochs(), epochs()
    assert all(
        torch.equal(a, b)
        for one, two in zip(first, second, strict=True)
        for a, b in zip(one, two, strict=True)
    )
    assert not torch.equal(first[0][0], first[1][0])
    assert not torch.equal(first[0][0], first[0][1])


def test_in_a_compose_of_monai_a_network_trains_an_epoch():
    transforms = pytest.importorskip("monai.transforms")
    networks = pytest.importorskip("monai.networks.nets")
    chain = transforms.Compose(
        [
            AddNodules(nodules=(1, 2), settings=QUICK),
            transforms.Lambdad("mask", lambda mask: mask.max(0, keepdims=True).astype(np.float32)),
            transforms.ScaleIntensityd("image"),
            transforms.Resized(["image", "mask"], (64, 64)),
            transforms.SelectItemsd(["image", "mask"]),
        ]
    )
    network = networks.UNet(2, 1, 1, channels=(4, 8), strides=(2,))
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    before = [p.detach().clone() for p in network.parameters()]
    for batch in DataLoader(Radiographs(chain), batch_size=2):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(batch["image"]), batch["mask"]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize(("asked", "same"), [(None, True), (False, True), (True, False)])
def test_noise_and_blur_come_only_where_they_are_asked_for(asked, same):
    add = AddNodules(nodules=(0, 0), settings=Settings(method="paste", noise_and_blur=asked))
    assert np.array_equal(add({"image": phantoms()[0]})["image"], phantoms()[0]) == same


# --- as MONAI reads and writes -------------------------------------------------------------------


def upright(shape=(512, 512)) -> np.ndarray:
    return phantoms()[0].astype(np.float32)


@pytest.mark.parametrize(
    ("lies", "axes"), [("upright", "array"), ("on its side", "xy"), ("on its side", "array")]
)
def test_boxes_are_as_monais_box_transforms_read_them(lies, axes):
    boxes = pytest.importorskip("monai.apps.detection.transforms.box_ops")
    image = upright()[None] if lies == "upright" else upright().T[None].copy()
    add = AddNodules(nodules=(2, 2), boxes="given", axes=axes, seed=3, settings=QUICK)
    made = add({"image": image})
    inside = boxes.convert_box_to_mask(
        boxes=torch.from_numpy(made["box"]), labels=torch.ones(2, dtype=torch.long),
        spatial_size=image.shape[1:], bg_label=0,
    )  # fmt: skip
    for box, mask in zip(np.asarray(inside) > 0, made["mask"] > 0, strict=True):
        assert (box & mask).sum() > 0.9 * mask.sum()


def test_a_radiograph_on_its_side_gets_the_same_nodules():
    """As MONAI's LoadImaged reads it, (column, row)."""

    def made(image, **more):
        return AddNodules(nodules=(2, 2), seed=3, settings=QUICK, **more)({"image": image})

    plain, lying = made(upright()), made(upright().T.copy())
    assert np.array_equal(plain["image"], lying["image"].T)
    assert np.array_equal(plain["box"], lying["box"])
    assert np.array_equal(plain["mask"], lying["mask"].transpose(0, 2, 1))
    rows_first = made(upright(), axes="array")["box"]
    assert np.array_equal(rows_first, plain["box"][:, [1, 0, 3, 2]])


def test_what_loadimaged_reads_is_taken(tmp_path):
    transforms = pytest.importorskip("monai.transforms")
    Image.fromarray(phantoms()[0]).save(tmp_path / "film.png")
    chain = transforms.Compose([
        transforms.LoadImaged("image"), transforms.EnsureChannelFirstd("image"),
        AddNodules(nodules=(1, 1), seed=3, settings=QUICK),
    ])  # fmt: skip
    made = chain({"image": str(tmp_path / "film.png")})
    plain = AddNodules(nodules=(1, 1), seed=3, settings=QUICK)({"image": upright()})
    assert np.array_equal(np.asarray(made["image"][0]).T, plain["image"])


def test_metadata_and_history_stay():
    data = pytest.importorskip("monai.data")
    transforms = pytest.importorskip("monai.transforms")
    affine = torch.diag(torch.tensor([-0.3, -0.3, 1.0, 1.0]))
    image = data.MetaTensor(torch.from_numpy(upright())[None], affine=affine, meta={"name": "a"})
    image = transforms.Flip(1)(transforms.Flip(1)(image))
    made = AddNodules(nodules=(1, 1), settings=QUICK)({"image": image})["image"]
    assert isinstance(made, data.MetaTensor)
    assert torch.equal(made.affine, image.affine)
    assert made.meta["name"] == "a"
    assert len(made.applied_operations) == len(image.applied_operations) == 2
    spaced = transforms.Spacing(pixdim=(0.6, 0.6))
    assert spaced(made).shape == spaced(image).shape


def test_boxes_that_are_there_stay_and_are_kept_away_from():
    real = {"image": upright()[None], "box": torch.tensor([[200.0, 150, 240, 190]]),
            "label": np.array([3]), "mask": np.ones((1, 512, 512), np.uint8)}  # fmt: skip
    add = AddNodules(nodules=(2, 2), boxes="given", settings=QUICK)
    for seed in range(5):
        made = add.add(real, np.random.default_rng(seed))
        assert made["box"][0].tolist() == [200, 150, 240, 190]
        assert made["label"].tolist() == [3, 0, 0]
        assert made["mask"].shape == (3, 512, 512)
        assert made["mask"][0].all()
        for left, top, right, bottom in made["box"][1:].tolist():
            assert left >= 240 or right <= 200 or top >= 190 or bottom <= 150
    bare = add({"image": upright(), "box": np.array([[200, 150, 240, 190]])})
    assert bare["label"].tolist() == [0, 0, 0]
    assert bare["mask"][0].sum() == bare["mask"][0, 150:190, 200:240].sum() == 1600


def test_a_radiograph_without_lungs_is_left_as_it_is_and_named_once():
    blank = {"image": np.zeros((1, 256, 256), np.float32)}
    add = AddNodules(settings=QUICK)
    with pytest.warns(UserWarning, match="without nodules: No plausible pair of lungs"):
        made = add(blank)
    assert np.array_equal(made["image"], blank["image"])
    assert made["box"].shape == (0, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        add(blank)


def test_what_was_found_in_a_radiograph_is_kept(monkeypatch):
    monkeypatch.setattr(transform, "KEPT", 2)
    found = []
    monkeypatch.setattr(
        transform, "find_lungs", lambda pixels: found.append(1) or find_lungs(pixels)
    )
    add = AddNodules(nodules=(1, 1), settings=QUICK)
    for number in (0, 1, 0, 1, 2, 1, 0):  # the third drives the first out
        add({"image": phantoms()[number]})
    assert len(found) == 4
    assert len(add._known) == 2


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"picture": upright()}, SettingError, "has no 'image', only 'picture'"),
        (upright(), SettingError, "^A ndarray is given where a dictionary is wanted"),
        ({"image": Image.new("L", (64, 64))}, StackError, "is a Image, where an array"),
        ({"image": np.zeros((1, 0, 5), np.float32)}, StackError, "not empty"),
        ({"image": np.zeros((3, 64, 64), np.float32)}, StackError, "one image of one channel"),
        ({"image": np.full((64, 64), np.nan)}, StackError, "NaN or infinite"),
        ({"image": torch.zeros(64, 64, dtype=torch.bfloat16)}, StackError, "tensor of torch.bf"),
        ({"image": np.ma.masked_array(upright(), False)}, StackError, "MaskedArray"),
        ({"image": upright(), "missed": [[np.nan, 0, 0, 0]]}, BoxesError, "NaN or infinite"),
        ({"image": upright(), "missed": "all"}, BoxesError, "where .nodule, 4. numbers"),
        ({"image": upright(), "missed": [[9, 9, 3, 3]]}, BoxesError, "not x, y, width and height"),
        ({"image": upright(), "mask": np.zeros((1, 9, 9))}, BoxesError, "'mask' has another form"),
    ],
)
def test_data_that_is_none_is_refused_in_one_sentence(data, error, words):
    with pytest.raises(error, match=words):
        AddNodules(nodules=(1, 1), settings=QUICK, places="missed")(data)


def test_a_tensor_with_a_gradient_is_taken():
    image = torch.from_numpy(upright())[None].requires_grad_()
    made = AddNodules(nodules=(1, 1), settings=QUICK)({"image": image})["image"]
    assert not torch.equal(made, image)


@pytest.mark.parametrize("shape", [(3, 64, 64, 1), (1, 64, 64, 5)])
def test_torchios_colours_and_volumes_are_refused(shape):
    tio = pytest.importorskip("torchio", reason="needs TorchIO: pip install torchio")
    from nodegen.dataset.torchio import RandomNodules

    subject = tio.Subject(image=tio.ScalarImage(tensor=torch.zeros(shape)))
    with pytest.raises(StackError, match="one channel of two dimensions"):
        RandomNodules(AddNodules(settings=QUICK))(subject)


@pytest.mark.parametrize(("change", "words"), [({"nodules": (2, 1)}, "smaller number first"),
                                               ({"nodules": "many"}, "nodules is 'many'"),
                                               ({"boxes": "loose"}, "'tight' or 'given'"),
                                               ({"axes": "yx"}, "'xy' or 'array'"),
                                               ({"signal": "bright"}, "hyposignal"),
                                               ({"subtlety": "obvious"}, "function of the epoch"),
                                               ({"places": 3}, "a key or a function"),
                                               ({"seed": -1}, "seed is -1")])  # fmt: skip
def test_settings_that_are_none(change, words):
    with pytest.raises(SettingError, match=words):
        AddNodules(**change)
