"""How many cases the tests that compute a lot take: few, or with NODEGEN_THOROUGH=1 many."""

import os

THOROUGH = bool(os.environ.get("NODEGEN_THOROUGH"))


def cases(few: int, many: int) -> int:
    """``many`` where NODEGEN_THOROUGH is set, else ``few``."""
    return many if THOROUGH else few
