"""Nodules on the fly as a transform of TorchIO, beside :mod:`nodegen.dataset.transform`.

Needs TorchIO, which no extra brings: who uses this has it.
"""

from typing import Any

import numpy as np
import torch
from torchio import LabelMap, Subject
from torchio.transforms import Transform
from torchio.transforms.augmentation import RandomTransform

from nodegen.dataset.transform import BOX, LABEL, MASK, AddNodules
from nodegen.errors import SettingError, StackError


class RandomNodules(RandomTransform):
    """Draws nodules into a radiograph of a subject, and adds boxes, labels and a label map.

    All that is random follows from torch's stream, as in TorchIO's own transforms, so that it
    differs for each worker and epoch, and ``torch.manual_seed`` repeats it. The history holds the
    seed of each subject, and replays it.

    It adds to the subject, behind what is there, ``mask``, a label map that holds in each pixel the
    number of its nodule, of several the last one's, or 0; ``box``, float32 `(nodule, 4)`, px, left,
    top, right, bottom; and ``label``, int64 `(nodule,)` of zeros. Transforms that come after it and
    move pixels move the label map along, and not the boxes.

    Parameters
    ----------
    add : AddNodules, optional
        What is drawn, how, and into which image of the subject: one channel of two dimensions,
        which TorchIO holds as `(1, column, row, 1)`.
    **kwargs
        As for any of TorchIO's transforms: ``p``, ``keep``, …
    """

    def __init__(self, add: AddNodules | None = None, **kwargs: Any):
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.add = add or AddNodules()

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw a seed, and nodules by it."""
        made: Subject = Nodules(self.add, self._get_random_seed())(subject)
        return made


class Nodules(Transform):
    """The nodules of one seed: what :class:`RandomNodules` draws, and its history replays."""

    def __init__(self, add: AddNodules, seed: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.add, self.seed = add, seed
        self.args_names = ["add", "seed"]

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw the nodules."""
        if self.add.key not in subject:
            raise SettingError(
                f"The subject has no image {self.add.key!r}; give AddNodules the image's key."
            )
        image: Any = subject[self.add.key]
        shape = tuple(image.data.shape)
        if shape[0] != 1 or shape[3] != 1:
            raise StackError(
                f"The image {self.add.key!r} has the shape {shape}, where one channel of two "
                "dimensions, (1, column, row, 1), is wanted; give a grey radiograph."
            )
        data = {self.add.key: image.data[0, :, :, 0]}
        keys = (BOX, LABEL, *([self.add.places] if isinstance(self.add.places, str) else []))
        data |= {key: subject[key] for key in keys if key in subject}
        before = len(data.get(BOX, ()))
        rng = np.random.default_rng([self.add.choices.seed, self.seed])
        made = self.add.add(data, rng, on_side=True)
        image.set_data(made[self.add.key][None, ..., None])
        labels = torch.zeros(shape[1:3], dtype=torch.int32)
        if MASK in subject:
            given: Any = subject[MASK]
            labels = given.data[0, :, :, 0].to(torch.int32).clone()
        for number, mask in enumerate(made[MASK][before:], max(before, int(labels.max())) + 1):
            labels[torch.as_tensor(mask > 0)] = number
        subject.add_image(LabelMap(tensor=labels[None, ..., None], affine=image.affine), MASK)
        subject[BOX], subject[LABEL] = map(torch.as_tensor, (made[BOX], made[LABEL]))
        subject.update_attributes()
        return subject
