"""Nodules on the fly: what comes out, and that a loader's workers draw as their seeds say."""

import numpy as np
import pytest
import torch
from radiographs import phantoms
from torch.utils.data import DataLoader, Dataset

from nodegen import Box, Renderer, Settings
from nodegen.constants import GRADES
from nodegen.dataset.transform import AddNodules, ObviousFirst
from nodegen.errors import SettingError

QUICK = Settings(method="paste", noise_and_blur=False)


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
    def missed(pixels, lungs, rng):
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


def test_obvious_nodules_come_first(monkeypatch):
    asked = []

    def noted(self, pixels, boxes, *more):
        asked.append(self.settings.subtlety)
        return iter(())

    monkeypatch.setattr(Renderer, "plan", noted)
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


@pytest.mark.parametrize(("change", "words"), [({"nodules": (2, 1)}, "fewest and most"),
                                               ({"boxes": "loose"}, "tight or given")])  # fmt: skip
def test_settings_that_are_none(change, words):
    with pytest.raises(SettingError, match=words):
        AddNodules(**change)
