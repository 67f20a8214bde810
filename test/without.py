"""Packages taken away from the import system, as where they are not installed."""

import sys
from collections.abc import Iterable
from typing import Any


class Without:
    """A finder of modules that does not know some of them."""

    def __init__(self, finder: Any, names: Iterable[str]):
        self.finder, self.names = finder, frozenset(names)

    def find_spec(self, name: str, *rest: Any) -> Any:
        return None if name in self.names else self.finder.find_spec(name, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def finders_without(*names: str) -> list[Without]:
    """What ``sys.meta_path`` would be without these packages."""
    return [Without(finder, names) for finder in sys.meta_path]
