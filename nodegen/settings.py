"""What a user may choose, and the device that follows from it."""

from dataclasses import dataclass
from pathlib import Path

import torch

from nodegen.choices import ADD_BACKS, CONTRASTS, DEVICES, INTENSITIES, METHODS, WINDOWS
from nodegen.errors import SettingError


@dataclass(frozen=True)
class Settings:
    """What a user may choose; the README says what each choice does.

    Attributes
    ----------
    seed : int or None
        None: from a hash of the inputs.
    model, nodules : Path or None
        Folder of the cascades and of the nodule library; None: those that nodegen ships.
    """

    method: str = "singan"
    intensity: str = "challenge"
    finish: bool = True
    seed: int | None = None
    device: str = "auto"
    model: Path | None = None
    nodules: Path | None = None
    add_back: str = "grain"
    contrast: str = "real"
    windows: str = "default"

    def __post_init__(self) -> None:
        allowed = {
            "method": METHODS,
            "intensity": INTENSITIES,
            "device": DEVICES,
            "add_back": ADD_BACKS,
            "contrast": CONTRASTS,
            "windows": WINDOWS,
        }
        for name, choices in allowed.items():
            if getattr(self, name) not in choices:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}, where one of {', '.join(choices)} is "
                    "allowed; choose one of them."
                )
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise SettingError(f"seed is {self.seed}, where 0 to 2^63 - 1 is allowed; choose one.")


def choose_device(name: str) -> torch.device:
    """The torch device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    SettingError
        Where CUDA is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            "device is 'cuda', but torch finds no CUDA device here; choose auto or cpu."
        )
    return torch.device(name)
