"""The space that nodules are drawn in, and the one that they are given in."""

from dataclasses import dataclass, replace

import numpy as np

from nodegen.dataset.example import Example, Nodule
from nodegen.dataset.settings import DatasetSettings
from nodegen.dataset.standardise import standardise
from nodegen.dataset.transformation import StandardisationTransform
from nodegen.io.radiograph import Radiograph
from nodegen.lungs.fields import Lungs


@dataclass(frozen=True)
class Space:
    """One radiograph as nodules are drawn in it, and as it is given with them.

    Attributes
    ----------
    drawn : Radiograph
        As it was read, or in NODE21's form.
    given : Radiograph
        The same, or the original.
    transformation : StandardisationTransform or None
        From the original to NODE21's form, where that was asked for.
    lungs : Lungs or None
        Of the standardised image, where there is one.
    """

    drawn: Radiograph
    given: Radiograph
    transformation: StandardisationTransform | None = None
    lungs: Lungs | None = None

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
        given = radiograph if settings.space == "original" else made.radiograph
        return cls(made.radiograph, given, made.transformation, made.lungs)

    def give(self, example: Example) -> Example:
        """An example that was drawn in NODE21's form, in the original where that is given."""
        if self.transformation is None or self.given is self.drawn:
            return example
        before = self.given.pixels.astype(np.float64)
        change = self.transformation.inverse(example.change)
        after = np.clip(before + change, before.min(), before.max())
        made = np.rint(after) if self.given.pixels.dtype.kind in "iu" else after
        return replace(
            example,
            image=np.where(change != 0, made, before).astype(self.given.pixels.dtype),
            untouched=self.given.pixels,
            change=(after - before).astype(np.float32),
            nodules=[self._given(nodule, self.transformation) for nodule in example.nodules],
            mm=example.mm * self.transformation.crop.scale,
        )

    @staticmethod
    def _given(nodule: Nodule, transformation: StandardisationTransform) -> Nodule:
        return replace(
            nodule,
            given=transformation.inverse_box(nodule.given),
            tight=transformation.inverse_box(nodule.tight),
            mask=transformation.inverse_mask(nodule.mask),
        )
