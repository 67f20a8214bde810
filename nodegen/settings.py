"""What a user may choose, and the device and the shipped files that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nodegen.constants import GRADES, GREY_MAX
from nodegen.errors import SettingError

if TYPE_CHECKING:
    import torch

METHODS = ("singan", "poisson", "paste", "none")
INTENSITIES = ("challenge", "input")
DEVICES = ("auto", "cpu", "cuda")
ADD_BACKS = ("grain", "paper")
CONTRASTS = ("real", "paper")  # or a number or a range
WINDOWS = ("default", "exact", "full")

_PACKAGE = Path(__file__).resolve().parent
# What nodegen ships: inside an installed package, beside the package in a clone and in the image.
MODEL = next((f for f in (_PACKAGE / "model", _PACKAGE.parent / "model") if f.is_dir()), _PACKAGE)


@dataclass(frozen=True)
class Settings:
    """What a user may choose; the README says what each choice does.

    Attributes
    ----------
    contrast : str
        ``real``, ``paper``, or grey levels of 0..4095: ``300``, or a range as in ``200-500``.
    subtlety : str
        ``real``, one of ``GRADES``, or a distribution as in ``subtle=2,obvious=1``.
    seed : int or None
        None: from a hash of the inputs.
    model, library : Path or None
        Folder of the cascades and of the nodule library; None: those that nodegen ships.
    workers : int or None
        Slices rendered side by side, which changes no byte; None: one for each processor that the
        process may use.
    """

    method: str = "singan"
    intensity: str = "challenge"
    noise_and_blur: bool = True
    seed: int | None = None
    device: str = "auto"
    model: Path | None = None
    library: Path | None = None
    add_back: str = "grain"
    contrast: str = "real"
    subtlety: str = "real"
    windows: str = "default"
    workers: int | None = None

    def __post_init__(self) -> None:
        allowed = {
            "method": METHODS,
            "intensity": INTENSITIES,
            "device": DEVICES,
            "add_back": ADD_BACKS,
            "windows": WINDOWS,
        }
        for name, choices in allowed.items():
            if getattr(self, name) not in choices:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}, where one of {', '.join(choices)} is "
                    "allowed; choose one of them."
                )
        parse_contrast(self.contrast)
        parse_subtlety(self.subtlety)
        if self.contrast != "real" and self.subtlety != "real":
            raise SettingError(
                f"contrast is {self.contrast!r} and subtlety is {self.subtlety!r}; both say how "
                "far nodules stand out; leave one of them out."
            )
        if not isinstance(self.noise_and_blur, bool):
            raise SettingError(
                f"noise_and_blur is {self.noise_and_blur!r}, where True or False is allowed; "
                "choose one of them."
            )
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise SettingError(f"seed is {self.seed}, where 0 to 2^63 - 1 is allowed; choose one.")
        if self.workers is not None and self.workers < 1:
            raise SettingError(
                f"workers is {self.workers}, where 1 or more is allowed; choose another number."
            )


def parse_contrast(text: str) -> tuple[float, float] | None:
    """Grey levels of 0..4095 from ``300`` or ``200-500``: both ends; None for a name.

    Raises
    ------
    SettingError
        Where it is none of these.
    """
    if text in CONTRASTS:
        return None
    low, _, high = text.partition("-")
    try:
        ends = float(low), float(high or low)
    except ValueError:
        ends = (0.0, 0.0)
    if not 0 < ends[0] <= ends[1] <= GREY_MAX:
        raise SettingError(
            f"contrast is {text!r}, where {', '.join(CONTRASTS)}, a number of grey levels above 0 "
            f"and up to {GREY_MAX}, or a range as in 200-500 is allowed; choose one of them."
        )
    return ends


def parse_subtlety(text: str) -> dict[str, float] | None:
    """Grades to their weights, from one grade or ``subtle=2,obvious=1``; None for ``real``.

    Raises
    ------
    SettingError
        Where it is none of these.
    """
    if text == "real":
        return None
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        name = name.strip().replace(" ", "-")
        try:
            share = float(weight) if weight else 1.0
        except ValueError:
            share = -1.0
        if name not in GRADES or name in shares or not 0 <= share < float("inf"):
            shares = {}
            break
        shares[name] = share
    if not any(shares.values()):
        raise SettingError(
            f"subtlety is {text!r}, where real, one of {', '.join(GRADES)}, or weights as in "
            "subtle=2,obvious=1 are allowed; choose one of them."
        )
    return shares


def choose_device(name: str) -> torch.device:
    """The torch device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    SettingError
        Where CUDA is asked for and there is none.
    """
    import torch  # not before a device is wanted: `--help` and `import nodegen` stay quick

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            "device is 'cuda', but torch finds no CUDA device here; choose auto or cpu."
        )
    return torch.device(name)
