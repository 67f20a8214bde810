"""A training set with new nodules in each epoch; a loader's processes import this alone."""

import numpy as np
import torch
from torch.utils.data import Dataset

from nodegen import Box, Renderer

BOX = Box(slice=0, left=60, top=60, right=100, bottom=110)


class OnTheFly(Dataset):
    def __init__(self, images: list[np.ndarray], renderer: Renderer):
        self.images, self.renderer, self.epoch = images, renderer, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        made = self.renderer.apply(self.images[index], [BOX], seed=1000 * self.epoch + index)
        return torch.from_numpy(made.image.astype(np.float32)), torch.from_numpy(made.mask > 0)
