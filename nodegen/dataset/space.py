"""Give an image that was drawn in NODE21's form in the original radiograph."""

from dataclasses import replace

import numpy as np

from nodegen.dataset.example import Example
from nodegen.dataset.transformation import StandardisationTransform


def in_original(
    example: Example, transformation: StandardisationTransform, original: np.ndarray
) -> Example:
    """The example in the original's pixels (row, column), changed at the nodules alone."""
    before = original.astype(np.float64)
    change = transformation.inverse(example.change)
    after = np.clip(before + change, before.min(), before.max())
    made = np.rint(after) if original.dtype.kind in "iu" else after
    return replace(
        example,
        image=np.where(change != 0, made, before).astype(original.dtype),
        untouched=original,
        change=(after - before).astype(np.float32),
        nodules=[
            replace(
                nodule,
                given=transformation.inverse_box(nodule.given),
                tight=transformation.inverse_box(nodule.tight),
                mask=transformation.inverse_mask(nodule.mask),
            )
            for nodule in example.nodules
        ],
        mm=example.mm * transformation.crop.scale,
    )
