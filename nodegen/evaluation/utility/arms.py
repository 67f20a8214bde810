"""Arms: what a network is trained on, as their names say it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nodegen.dataset.dataset_settings import RECIPES
from nodegen.errors import UtilityError
from nodegen.settings import METHODS, Settings

REAL = "real"
DISCS = "discs"  # analytic-disc baseline
NULL = "null"  # null control: boxes in which nothing is drawn
# Each with its settings: the methods, the paper's contrast and add-back, the organisers' baseline.
MADE: dict[str, dict[str, str]] = {
    **{method: {"method": method} for method in METHODS},
    "singan-paper": {"method": "singan", "add_back": "paper", "contrast": "paper"},
    "baseline": {"method": "poisson", "contrast": "paper"},
    DISCS: {},
    NULL: {},
}
VARIED = ("add_back", "contrast", "subtlety", "windows")  # settings that an arm may have of its own
DEFAULT = (REAL, "singan", "singan-then-real", "singan+real-1", "baseline")
# Of a radiograph's synthetic nodules at a time: fewest and most, and whether more visible ones come
# more often.
Shown = tuple[tuple[int, int], bool]
SHOWN: Shown = RECIPES["detector"]  # the default of `nodegen dataset`
GRAMMAR = (
    f"{', '.join(MADE)}, METHOD@SETTING:VALUE with one of {', '.join(VARIED)}, nodules or recipe "
    f"(singan@subtlety:obvious, singan@nodules:1-3, singan@recipe:plain), NAME=FOLDER, {REAL}, "
    f"{REAL}-PERCENT (real-25), ARM+{REAL} or ARM+{REAL}-RATIO (singan+real-3: three synthetic "
    f"radiographs to a real one), ARM-then-{REAL}"
)


@dataclass(frozen=True)
class Arm:
    """What one network is trained on."""

    name: str  # as it was asked for
    made: str | None = None  # names how synthetic nodules are drawn; None: there are none
    settings: Mapping[str, str] = field(default_factory=dict)  # that differ from those of the run
    shown: Shown = SHOWN
    folder: Path | None = None  # of a stack with boxes, where it was made elsewhere
    real: float = 0.0  # part of the real radiographs that is trained on, 0..1
    ratio: float | None = None  # synthetic radiographs to a real one in a mix; None: all
    then: bool = False  # the synthetic ones first, then the real ones


def parse_arms(words: Sequence[str]) -> list[Arm]:
    """Read the names of arms, as ``GRAMMAR`` has them, each once.

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


def _parse(name: str, folders: Mapping[str, Path]) -> Arm:
    if name in folders:
        return _synthetic(name, folders)
    percent = re.fullmatch(rf"{REAL}(?:-(\d+))?", name)
    if percent and 1 <= int(percent[1] or 100) <= 100:
        return Arm(name, real=int(percent[1] or 100) / 100)
    mix = re.fullmatch(rf"(.+)\+{REAL}(?:-(\d+(?:\.\d+)?))?", name)
    if mix and float(mix[2] or 1) > 0:
        own = _synthetic(mix[1], folders)
        return replace(own, name=name, real=1.0, ratio=float(mix[2] or 1))
    if name.endswith(f"-then-{REAL}"):
        own = _synthetic(name.removesuffix(f"-then-{REAL}"), folders)
        return replace(own, name=name, real=1.0, then=True)
    return _synthetic(name, folders)


def _synthetic(name: str, folders: Mapping[str, Path]) -> Arm:
    """An arm of synthetic nodules alone."""
    if name in folders:
        return Arm(name, name, folder=folders[name])
    if name in MADE:
        return Arm(name, name, MADE[name])
    made, _, varied = name.partition("@")
    setting, _, value = varied.partition(":")
    number = re.fullmatch(r"(\d+)(?:-(\d+))?", value)
    if made in METHODS and setting in VARIED:
        own = {"method": made, setting: value}
        Settings(**own)  # type: ignore[arg-type]  # refuses what is not allowed
        return Arm(name, name, own)
    if made in MADE and setting == "recipe" and value in RECIPES:
        return Arm(name, made, MADE[made], RECIPES[value])
    if made in MADE and setting == "nodules" and number:
        fewest, most = int(number[1]), int(number[2] or number[1])
        return Arm(name, made, MADE[made], ((fewest, most), False))
    raise UtilityError(f"{name!r} is no arm; choose among {GRAMMAR}.")
