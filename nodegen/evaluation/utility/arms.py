"""Arms: what a network is trained on. Their names, and what each of them says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.trained_detector import SHOWN
from nodegen.settings import METHODS, Settings

REAL = "real"
DISCS = "discs"  # analytic-disc baseline
NULL = "null"  # null control: nodules of no contrast
# Methods with settings of their own: the paper's contrast and add-back as written; the organisers'.
NAMED = {
    "singan-paper": {"method": "singan", "add_back": "paper", "contrast": "paper"},
    "baseline": {"method": "poisson", "contrast": "paper"},
}
MADE = (*METHODS, *NAMED, DISCS, NULL)
VARIED = ("add_back", "contrast", "subtlety", "windows")  # settings that an arm may have of its own
DEFAULT = (REAL, "singan", "singan-then-real", "singan+real-1", "baseline")
GRAMMAR = (
    f"{', '.join(MADE)}, METHOD@SETTING:VALUE (singan@subtlety:obvious), NAME=FOLDER, {REAL}, "
    f"{REAL}-PERCENT (real-25), ARM+{REAL} or ARM+{REAL}-RATIO (singan+real-3: three synthetic "
    f"nodules to a real one), ARM-then-{REAL}"
)


@dataclass(frozen=True)
class Arm:
    """What one network is trained on.

    Attributes
    ----------
    name : str
        As it was asked for.
    made : str or None
        Which synthetic nodules: one of ``MADE``, a method with a setting of its own, or the name of
        a folder; None: none.
    folder : Path or None
        Where the stack lies that was made elsewhere.
    real : float
        Part of the real radiographs that is trained on, 0..1; 0: none.
    ratio : float or None
        Synthetic nodules to a real one in a mix; None: all of them.
    then : bool
        Whether the network is trained on the synthetic ones first, then on the real ones.
    """

    name: str
    made: str | None = None
    folder: Path | None = None
    real: float = 0.0
    ratio: float | None = None
    then: bool = False


def parse_arms(words: Sequence[str]) -> list[Arm]:
    """Read the names of arms.

    Parameters
    ----------
    words : sequence of str
        As ``GRAMMAR`` says.

    Raises
    ------
    UtilityError
        Where there are none, one is unknown, or one comes twice.

    Examples
    --------
    >>> [arm.ratio for arm in parse_arms(["singan", "singan+real-3"])]
    [None, 3.0]
    """
    folders = {}
    for word in words:
        name, is_folder, path = word.partition("=")
        if is_folder and "@" not in name:  # a setting may hold a weight: subtlety:obvious=1
            folders[name] = Path(path)
    arms = [_parse(word if "@" in word else word.partition("=")[0], folders) for word in words]
    names = [arm.name for arm in arms]
    if not names or len(set(names)) < len(names):
        raise UtilityError(
            f"The arms are {', '.join(names) or 'none'}, where one or more are wanted, each once: "
            f"{GRAMMAR}."
        )
    return arms


def _parse(name: str, folders: dict[str, Path]) -> Arm:
    def arm(made: str, **more: Any) -> Arm:
        if made not in (*folders, *MADE) and "@" not in made:
            raise UtilityError(f"{name!r} is no arm; choose among {GRAMMAR}.")
        synthetic(made)  # refuses what is not allowed
        return Arm(name, made, folders.get(made), **more)

    if name in folders:
        return arm(name)
    percent = re.fullmatch(rf"{REAL}(?:-(\d+))?", name)
    if percent and 1 <= int(percent[1] or 100) <= 100:
        return Arm(name, real=int(percent[1] or 100) / 100)
    mix = re.fullmatch(rf"(.+)\+{REAL}(?:-(\d+(?:\.\d+)?))?", name)
    if mix and float(mix[2] or 1) > 0:
        return arm(mix[1], real=1.0, ratio=float(mix[2] or 1))
    if name.endswith(f"-then-{REAL}"):
        return arm(name.removesuffix(f"-then-{REAL}"), real=1.0, then=True)
    return arm(name)


@dataclass(frozen=True)
class Synthetic:
    """How the synthetic nodules of an arm are drawn and shown.

    Attributes
    ----------
    drawn_as : str
        The same for all that differ only in which nodules are shown.
    settings : dict
        Settings that differ from those of the run.
    nodules : (int, int)
        Of a radiograph, shown at a time: fewest and most.
    """

    drawn_as: str
    settings: dict[str, str]
    nodules: tuple[int, int] = SHOWN


def synthetic(made: str) -> Synthetic:
    """Read how synthetic nodules are drawn and shown.

    Parameters
    ----------
    made : str
        One of ``MADE``, METHOD@SETTING:VALUE, or the name of a folder.

    Raises
    ------
    UtilityError
        Where a method or a setting is not known.
    SettingError
        Where the setting's value is not allowed.

    Examples
    --------
    >>> synthetic("poisson@contrast:200-500").settings
    {'method': 'poisson', 'contrast': '200-500'}
    >>> synthetic("singan@nodules:1-3").nodules
    (1, 3)
    """
    if made in NAMED:
        return Synthetic(made, NAMED[made])
    method, varied, rest = made.partition("@")
    name, _, value = rest.partition(":")
    if not varied:
        return Synthetic(made, {"method": method} if method in METHODS else {})
    own, number = {"method": method}, re.fullmatch(r"(\d+)(?:-(\d+))?", value)
    if method in METHODS and name in VARIED:
        own[name] = value
        Settings(**own)  # type: ignore[arg-type]  # refuses what is not allowed
        return Synthetic(made, own)
    if method in METHODS and name == "nodules" and number:
        return Synthetic(method, own, (int(number[1]), int(number[2] or number[1])))
    raise UtilityError(
        f"{made!r} is no arm; write METHOD@SETTING:VALUE with one of {', '.join(METHODS)} and one "
        f"of {', '.join(VARIED)}, or nodules:1-3."
    )
