"""One page out of a template, modules, styles, data and packed pixels.

Modules stay modules: an import map names each by a ``data:`` address, so that no bundler is needed
and a page opened from a disk, which may not import its neighbours, still imports them.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nodegen.io.files import write_text

SHARED = "nodegen.evaluation.viewer"
STATIC = "static"
STYLE = "viewer.css"
ONE_FILE_BYTES = 96_000_000  # packed pixels that a single page may hold; ours: opens within seconds
PIXELS = "pixels-"  # an element's id before the image's key


class Page:
    """Collects packed images, then writes the page.

    Parameters
    ----------
    package : str
        The package with ``template.html.j2``, and with the page's own styles and modules in
        ``static/``, whose ``main.js`` is started.
    """

    def __init__(self, package: str) -> None:
        self.package = package
        self._folder = TemporaryDirectory(prefix="nodegen-page-")  # removed with the page
        self._keys: list[str] = []
        self.size = 0  # bytes of all packed images

    def add(self, key: str, packed: str) -> None:
        """Add a packed image under a key of letters and digits."""
        Path(self._folder.name, key).write_text(packed, encoding="ascii")
        self._keys.append(key)
        self.size += len(packed)

    @property
    def count(self) -> int:
        """How many images were added."""
        return len(self._keys)

    def packed(self) -> Iterator[tuple[str, str]]:
        """Each key with its packed image."""
        for key in self._keys:
            yield key, Path(self._folder.name, key).read_text(encoding="ascii")

    def write(
        self,
        path: Path,
        data: Mapping[str, Any],
        words: Mapping[str, Any],
        most: int = ONE_FILE_BYTES,
    ) -> None:
        """Write the page; where its images take more than ``most`` bytes, into a folder beside it.

        Parameters
        ----------
        path : Path
            Of the page.
        data : dict
            What the modules read, as JSON.
        words : dict
            What the template says.
        most : int
            Bytes of packed images in one file.

        Raises
        ------
        OutputError
            Where it cannot be written.
        """
        beside = path.with_name(f"{path.stem}_files")
        apart = self.size > most
        if apart:
            for key, packed in self.packed():
                write_text(beside / f"{key}.js", f'nodegenPixels("{key}","{packed}");\n')
        elif beside.is_dir():
            _forget(beside)
        content = {
            **words,
            "style": style(self.package),
            "modules": _import_map(self.package),
            "pixels": () if apart else self.packed(),
            "pixels_id": PIXELS,
            "data": as_script({**data, "folder": beside.name if apart else ""}),
        }
        write_text(path, render(self.package, "template.html.j2", content))


def render(package: str, template: str, words: Mapping[str, Any]) -> str:
    """A template of a package as HTML.

    Parameters
    ----------
    package : str
        That holds it.
    template : str
        Its file's name.
    words : dict
        What the template says, by name.

    Returns
    -------
    str
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(words)


def as_script(data: Any) -> str:
    """JSON that may stand in a script element: ``</`` ends it, and ``<!--`` changes how it ends."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _forget(folder: Path) -> None:
    """Remove what an earlier, larger page has left beside this one, and nothing else."""
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            if re.fullmatch(r"[a-z]\d+\.js", entry.name):
                entry.unlink()
        folder.rmdir()


def style(package: str | None = None) -> str:
    """The viewer's styles, and those of a page."""
    return _read(SHARED, STYLE) + (_read(package, "page.css") if package else "")


def _read(package: str, name: str) -> str:
    return files(package).joinpath(STATIC, name).read_text(encoding="utf-8")


def _import_map(package: str) -> str:
    """All modules of the viewer and of one page, each under its name."""
    imports = {}
    for home in (SHARED, package):
        for module in files(home).joinpath(STATIC).iterdir():
            if module.name.endswith(".js"):
                imports[f"nodegen/{module.name[:-3]}"] = _address(_read(home, module.name))
    return as_script({"imports": dict(sorted(imports.items()))})


def _address(source: str) -> str:
    """A module's ``data:`` address; what it imports by path, it imports by name."""
    named = re.sub(r'from "(?:\.{1,2}/)+(?:[\w/]*/)?(\w+)\.js"', r'from "nodegen/\1"', source)
    return "data:text/javascript;base64," + base64.b64encode(named.encode()).decode()
