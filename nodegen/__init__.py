"""nodegen: synthetic lung nodules, harmonised into chest radiographs.

The path of a stack is :mod:`nodegen.pipeline`, that of one radiograph :mod:`nodegen.renderer`;
every step of the method is a module under the paper's word for it.

The public interface is what ``__all__`` names. :class:`Renderer` draws nodules into arrays in
memory, :func:`generate` into the stack of a folder; both take :class:`Settings`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "2.0.0"

if TYPE_CHECKING:
    from nodegen.errors import NodegenError as NodegenError
    from nodegen.io.boxes import Box as Box
    from nodegen.io.boxes import Recipe as Recipe
    from nodegen.pipeline import Run as Run
    from nodegen.pipeline import generate as generate
    from nodegen.renderer import Rendered as Rendered
    from nodegen.renderer import Renderer as Renderer
    from nodegen.settings import Settings as Settings

# Each name's module, imported when the name is first asked for: `import nodegen` stays quick.
_HOMES = {
    "Box": "nodegen.io.boxes",
    "NodegenError": "nodegen.errors",
    "Recipe": "nodegen.io.boxes",
    "Rendered": "nodegen.renderer",
    "Renderer": "nodegen.renderer",
    "Run": "nodegen.pipeline",
    "Settings": "nodegen.settings",
    "generate": "nodegen.pipeline",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nodegen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
