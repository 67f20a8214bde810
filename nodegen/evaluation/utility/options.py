"""What of the protocol may be chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import DEFAULT
from nodegen.settings import Settings

DEPTHS = ("patches", "detector", "fasterrcnn")
PRIMARY = ("singan", "poisson")  # not told where one of them is not run


@dataclass(frozen=True)
class Options:
    """What of the protocol may be chosen.

    Attributes
    ----------
    arms : tuple of str
        See :data:`nodegen.evaluation.utility.arms.GRAMMAR`.
    primary : (str, str)
        The comparison that is named beforehand: the first arm minus the second. Every other arm is
        compared with the second, too.
    seeds : int
        Networks of each arm.
    folds : int
        Of the cross-validation of arms that train on real nodules.
    nodules, without : int
        Places in each radiograph at most, for nodules and without; of the test, without.
    sizes_px : (float, float)
        Larger side of the nodules that count. Real boxes: 32 to 109 px are NODE21's 5th and 95th
        percentile.
    seed : int
        Of places and nodules.
    steps : int or None
        Batches of each training (``fasterrcnn``: epochs); None: the depth's own number.
    on_the_fly : bool
        Whether nodules are drawn anew in every round; not for patches.
    """

    depth: str = "patches"
    arms: tuple[str, ...] = DEFAULT
    primary: tuple[str, str] = PRIMARY
    seeds: int = 3
    folds: int = 5
    nodules: int = 10
    without: int = 14
    sizes_px: tuple[float, float] = (30.0, 130.0)
    seed: int = 0
    steps: int | None = None
    on_the_fly: bool = False
    settings: Settings = field(
        default_factory=lambda: Settings(noise_and_blur=False, intensity="input")
    )

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise UtilityError(
                f"The depth is {self.depth!r}, where one of {', '.join(DEPTHS)} is allowed; "
                "choose one."
            )
        least_of = {"seeds": 1, "folds": 2, "nodules": 1, "without": 1, "seed": 0}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise UtilityError(
                    f"{name} is {getattr(self, name)}, where {least} or more is wanted; give more."
                )
        if self.primary[0] == self.primary[1]:
            raise UtilityError(
                f"The comparison named beforehand is {self.primary[0]} minus itself; give two arms."
            )
        if self.on_the_fly and self.depth == "patches":
            raise UtilityError(
                "The depth is patches, whose nodules are made once; take on-the-fly away, or a "
                "depth of whole radiographs."
            )
        if self.steps is not None and self.steps < 1:
            raise UtilityError(f"steps is {self.steps}, where 1 or more is wanted; give more.")
