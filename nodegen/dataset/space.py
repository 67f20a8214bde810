"""The space that nodules are drawn in, and the one that they are given in."""

from dataclasses import dataclass, replace

import numpy as np

from nodegen.dataset.example import Example, Nodule
from nodegen.dataset.settings import DatasetSettings
from nodegen.dataset.standardise import standardise
from nodegen.dataset.way import Way
from nodegen.io.radiograph import Radiograph


@dataclass(frozen=True)
class Space:
    """One radiograph as nodules are drawn in it, and as it is given with them.

    Attributes
    ----------
    drawn : Radiograph
        As it was read, or in NODE21's form.
    given : Radiograph
        The same, or the original.
    way : Way or None
        From the original to NODE21's form, where that was asked for.
    """

    drawn: Radiograph
    given: Radiograph
    way: Way | None = None

    @classmethod
    def of(cls, radiograph: Radiograph, settings: DatasetSettings) -> "Space":
        """The space that the settings ask for.

        Raises
        ------
        StackError
            Where it is to be standardised and no lungs are found.
        """
        if not settings.standardise:
            return cls(radiograph, radiograph)
        made = standardise(radiograph)
        original = settings.space == "original"
        return cls(made.radiograph, radiograph if original else made.radiograph, made.way)

    def give(self, example: Example) -> Example:
        """An example that was drawn in NODE21's form, in the original where that is given."""
        if self.way is None or self.given is self.drawn:
            return example
        before = self.given.pixels.astype(np.float64)
        change = self.way.change_back(example.change)
        after = np.clip(before + change, before.min(), before.max())
        made = np.rint(after) if self.given.pixels.dtype.kind in "iu" else after
        return replace(
            example,
            image=np.where(change != 0, made, before).astype(self.given.pixels.dtype),
            untouched=self.given.pixels,
            change=(after - before).astype(np.float32),
            nodules=[self._back(nodule, self.way) for nodule in example.nodules],
            mm=example.mm * self.way.crop.scale,
        )

    @staticmethod
    def _back(nodule: Nodule, way: Way) -> Nodule:
        return replace(
            nodule,
            given=way.box_back(nodule.given),
            tight=way.box_back(nodule.tight),
            mask=way.mask_back(nodule.mask),
        )
