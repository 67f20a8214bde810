"""What of the protocol may be chosen."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import DEFAULT
from nodegen.settings import Range, Seed, Settings, Words, check

AtLeastOne = Annotated[int, Field(ge=1)]
# "Does it help?" It is left out where one of the two arms is not run.
PRIMARY = Words(("singan-then-real", "real"))


@dataclass(frozen=True)
class Options:
    """What of the protocol may be chosen.

    Attributes
    ----------
    model : {"segresnet", "fasterrcnn"}
        What is trained on whole radiographs. segresnet: small, minutes a network; fasterrcnn:
        the paper's, for a GPU.
    arms : tuple of str
        What networks are trained on. These, none, discs, null, singan@subtlety:obvious (or another
        setting of generate), singan@recipe:plain, singan@nodules:1-3, NAME=FOLDER (made
        elsewhere), real-25 (percent), singan+real-3 (three synthetic to one real).
    primary : (str, str)
        The comparison that is named beforehand: the first arm minus the second. Every other arm is
        compared with the second, too.
    seeds : int
        Networks trained on each arm, each from a seed of its own.
    folds : int
        Folds of the cross-validation of arms that train on real nodules.
    nodules : int
        Places in each radiograph at most; a network is shown four of its nodules at a time.
    sizes_px : (float, float)
        Larger sides of the nodules that count. Real boxes: 32 to 109 px are NODE21's 5th and 95th
        percentile.
    ignored_sources : tuple of str
        Annotation sources (column trust, annotation_source or source of --boxes) whose boxes do not
        count.
    standardise : bool
        Bring radiographs to NODE21's form first, where they are in another one.
    seed : int
        Of places and nodules.
    steps : int or None
        Batches of each training; if it is not given, 900 (segresnet) or 1250 (fasterrcnn).
    check_steps : bool
        Train the first arm of the comparison for half as many steps, too, and say what the other
        half adds.
    processes : int or None
        Networks trained side by side on a CPU, each in one thread; if it is not given, one for each
        processor.
    settings : Settings
        How nodules are drawn.
    """

    model: Literal["segresnet", "fasterrcnn"] = "segresnet"
    arms: Words = Words(DEFAULT)
    primary: Words = PRIMARY
    seeds: AtLeastOne = 3
    folds: Annotated[int, Field(ge=2)] = 3
    nodules: AtLeastOne = 10
    sizes_px: Range = Range((30, 130))
    ignored_sources: Words = Words(("doubtful",))
    standardise: bool = False
    seed: Seed = 0
    steps: AtLeastOne | None = None
    check_steps: bool = True
    processes: AtLeastOne | None = None
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        check(self)
        if len(self.primary) != 2 or self.primary[0] == self.primary[1]:
            raise UtilityError(
                f"The comparison named beforehand is {' minus '.join(self.primary)}; give two arms."
            )
