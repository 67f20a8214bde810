"""Nodules on the fly as a transform of TorchIO, beside :mod:`nodegen.dataset.transform`.

Needs TorchIO, which no extra brings: who uses this has it.
"""

from typing import Any

import numpy as np
import torch
from torchio import LabelMap, Subject
from torchio.transforms import Transform
from torchio.transforms.augmentation import RandomTransform

from nodegen.dataset.transform import AddNodules


class RandomNodules(RandomTransform):
    """Draws nodules into a radiograph of a subject, and adds boxes, labels and a label map.

    All that is random follows from torch's stream, as in TorchIO's own transforms, so that it
    differs for each worker and epoch, and ``torch.manual_seed`` repeats it. The history holds the
    seed of each subject, and replays it.

    Parameters
    ----------
    add : AddNodules, optional
        What is drawn, how, and into which image of the subject. Of two dimensions: TorchIO's form
        of one is `(1, column, row, 1)`.
    **kwargs
        As for any of TorchIO's transforms: ``p``, ``keep``, …

    Examples
    --------
    >>> from torchio import ScalarImage, Subject
    >>> from nodegen import Settings
    >>> from nodegen.phantom.anatomy import draw_anatomy
    >>> from nodegen.phantom.render import radiograph
    >>> pixels = radiograph(draw_anatomy(np.random.default_rng(0)))
    >>> subject = Subject(image=ScalarImage(tensor=pixels.T[None, ..., None].astype("float32")))
    >>> random = RandomNodules(AddNodules(nodules=(2, 2), settings=Settings(method="paste")))
    >>> made = random(subject)
    >>> made.image.shape, made.mask.shape, made["box"].shape, int(made.mask.data.max())
    ((1, 1024, 1024, 1), (1, 1024, 1024, 1), torch.Size([2, 4]), 2)
    """

    def __init__(self, add: AddNodules | None = None, **kwargs: Any):
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.add = add or AddNodules()

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw a seed, and nodules by it."""
        made: Subject = Nodules(self.add, self._get_random_seed())(subject)
        return made


class Nodules(Transform):
    """The nodules of one seed: what :class:`RandomNodules` draws, and its history replays.

    It adds to the subject ``mask``, a label map that holds in each pixel the number of its nodule,
    of several the last one's, or 0; ``box``, float32 `(nodule, 4)`, x_min, y_min, x_max, y_max in
    px, x along the image's first axis; and ``label``, int64 `(nodule,)` of zeros. Transforms that
    come after it and move pixels move the label map along, and not the boxes.
    """

    def __init__(self, add: AddNodules, seed: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.add, self.seed = add, seed
        self.args_names = ["add", "seed"]

    def apply_transform(self, subject: Subject) -> Subject:
        """Draw the nodules."""
        image: Any = subject[self.add.key]
        data = {**subject, self.add.key: image.data[0, :, :, 0].T.contiguous()}
        made = self.add.add(data, np.random.default_rng([self.add.seed, self.seed]))
        image.set_data(made[self.add.key].T[None, ..., None])
        labels = torch.zeros(made["mask"].shape[1:], dtype=torch.int32)
        for number, mask in enumerate(made["mask"], 1):
            labels[torch.as_tensor(mask > 0)] = number
        subject.add_image(LabelMap(tensor=labels.T[None, ..., None], affine=image.affine), "mask")
        subject["box"], subject["label"] = map(torch.as_tensor, (made["box"], made["label"]))
        subject.update_attributes()
        return subject
