"""What of the protocol may be chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from pydantic import Field

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import DEFAULT
from nodegen.settings import Range, Seed, Settings, Words, check

Depth = Literal["patches", "detector", "fasterrcnn"]
DEPTHS: tuple[Depth, ...] = get_args(Depth)
PRIMARY = Words(("singan", "poisson"))  # not told where one of them is not run


@dataclass(frozen=True)
class Options:
    """What of the protocol may be chosen.

    Attributes
    ----------
    depth : {"patches", "detector", "fasterrcnn"}
        What is trained. patches: a small network, minutes; detector: whole radiographs;
        fasterrcnn: the paper's detector, for a GPU.
    arms : tuple of str
        What networks are trained on. These, singan@subtlety:obvious (or another setting of
        generate), NAME=FOLDER (made elsewhere), real, real-25 (percent), singan+real-3 (three
        synthetic to one real), singan-then-real, singan@subtlety:obvious-then-singan.
    primary : (str, str)
        The comparison that is named beforehand: the first arm minus the second. Every other arm is
        compared with the second, too.
    seeds : int
        Networks trained on each arm, each from a seed of its own.
    folds : int
        Folds of the cross-validation of arms that train on real nodules.
    nodules : int
        Nodules drawn into each radiograph at most.
    without : int
        Places without a nodule in each radiograph at most.
    sizes_px : (float, float)
        Larger sides of the nodules that count. Real boxes: 32 to 109 px are NODE21's 5th and 95th
        percentile.
    seed : int
        Of places and nodules.
    steps : int or None
        Batches of each training (``fasterrcnn``: epochs); if it is not given, the model's own
        number: 700, 900, 10.
    on_the_fly : bool
        Whether nodules are drawn anew in every round; not for patches.
    settings : Settings
        How nodules are drawn.
    """

    depth: Depth = "patches"
    arms: Words = Words(DEFAULT)
    primary: Words = PRIMARY
    seeds: Annotated[int, Field(ge=1)] = 3
    folds: Annotated[int, Field(ge=2)] = 5
    nodules: Annotated[int, Field(ge=1)] = 10
    without: Annotated[int, Field(ge=1)] = 14
    sizes_px: Range = Range((30, 130))
    seed: Seed = 0
    steps: Annotated[int, Field(ge=1)] | None = None
    on_the_fly: bool = False
    settings: Settings = field(
        default_factory=lambda: Settings(noise_and_blur=False, intensity="input")
    )

    def __post_init__(self) -> None:
        check(self)
        if len(self.primary) != 2 or self.primary[0] == self.primary[1]:
            raise UtilityError(
                f"The comparison named beforehand is {' minus '.join(self.primary)}; give two arms."
            )
        if self.on_the_fly and self.depth == "patches":
            raise UtilityError(
                "The depth is patches, whose nodules are made once; take on-the-fly away, or a "
                "depth of whole radiographs."
            )
