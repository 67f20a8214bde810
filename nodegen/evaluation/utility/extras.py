"""Packages that only some depths need: their absence is told in one sentence."""

from importlib import import_module
from types import ModuleType

from nodegen.errors import SettingError


def need(module: str, depth: str) -> ModuleType:
    """Import a module of an optional package.

    Raises
    ------
    SettingError
        Where it is missing, or does not load beside the torch that is installed.
    """
    try:
        return import_module(module)
    except (ImportError, RuntimeError, OSError) as error:  # torchvision fails so beside a torch
        package = module.partition(".")[0]
        extra = "fasterrcnn" if package == "torchvision" else "utility"
        raise SettingError(
            f"Depth {depth} needs {package}, which cannot be loaded ({error}); install it with "
            f"`pip install nodegen[{extra}]`, or take another depth."
        ) from error
