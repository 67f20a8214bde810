"""Nodules on the fly: what comes out, and that a loader's workers draw as their seeds say."""

import numpy as np
import pytest
import torch
from radiographs import phantoms
from torch.utils.data import DataLoader, Dataset

from nodegen import Box, Settings
from nodegen.dataset.transform import AddNodules
from nodegen.errors import SettingError

QUICK = Settings(method="paste", finish=False)


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
