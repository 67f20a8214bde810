"""One page out of a template, modules, styles, data and packed pixels.

An import map names each module by a ``data:`` address: a page opened from a disk may not import its
neighbours, and no bundler is needed.

Pixels are 16 bit, lossless, base64 of a raw deflate stream: browsers decode no PNG at 16 bit, but
all inflate. Each stored value is replaced by its difference to the one left of it (in the first
column: above), modulo 65536; the signed difference is folded (0, -1, 1, -2, ... become 0, 1, 2, 3,
...); high bytes come first, then low bytes. That takes about seven bits a pixel for a chest
radiograph. ``static/pixels.js`` undoes it.
"""

import base64
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic_core import to_json

from nodegen.io.files import write_text

SHARED = "nodegen.evaluation.viewer"
ONE_FILE_BYTES = 96_000_000  # packed pixels that a single page may hold; ours: opens within seconds
PIXELS = "pixels-"  # an element's id before the image's key
FINE = 16  # stored steps a grey level where values are not whole: 0..4095 fill 16 bit
LEVEL = 6  # of deflate


class Page:
    """Collects images, then writes a package's ``template.html.j2``, which starts ``main.js``."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._folder = TemporaryDirectory(prefix="nodegen-page-")  # removed with the page
        self._bytes: dict[str, int] = {}  # of each packed image

    def add(self, values: np.ndarray) -> str:
        """Add an image of stored values; returns the key under which the page's modules find it."""
        key, packed = f"p{len(self._bytes)}", pack(values)
        Path(self._folder.name, key).write_text(packed, encoding="ascii")
        self._bytes[key] = len(packed)
        return key

    def _packed(self) -> Iterator[tuple[str, str]]:
        for key in self._bytes:
            yield key, Path(self._folder.name, key).read_text(encoding="ascii")

    def write(self, path: Path, data: Mapping[str, Any], words: Mapping[str, Any]) -> None:
        """Write the page of data for its modules (as JSON) and words for its template.

        Too many images for one file go into a folder beside it.
        """
        beside = path.with_name(f"{path.stem}_files")
        apart = sum(self._bytes.values()) > ONE_FILE_BYTES
        if apart:
            for key, packed in self._packed():
                write_text(beside / f"{key}.js", f'nodegenPixels("{key}","{packed}");\n')
        else:
            with suppress(OSError):  # what an earlier, larger page has left, and nothing else
                for entry in [old for old in beside.glob("p*.js") if old.stem[1:].isdigit()]:
                    entry.unlink()
                beside.rmdir()
        content = {
            **words,
            "style": style(self.package),
            "modules": _import_map(self.package),
            "pixels": () if apart else self._packed(),
            "pixels_id": PIXELS,
            "data": _as_script({**data, "folder": beside.name if apart else ""}),
        }
        write_text(path, render(self.package, "template.html.j2", content))


def render(package: str, template: str, words: Mapping[str, Any]) -> str:
    """A template of a package as HTML, with words by their names."""
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(words)


def _as_script(data: Any) -> str:
    """JSON, NaN as null, that may stand in a script element: ``</`` and ``<!--`` would end it."""
    return to_json(data, inf_nan_mode="null").decode().replace("<", "\\u003c")


def style(package: str | None = None) -> str:
    """The viewer's styles, and those of a page."""
    return _read(SHARED, "viewer.css") + (_read(package, "page.css") if package else "")


def _read(package: str, name: str) -> str:
    return files(package).joinpath("static", name).read_text(encoding="utf-8")


def _import_map(package: str) -> str:
    """All modules of the viewer and of one page, each under its name."""
    imports = {}
    for home in (SHARED, package):
        for module in files(home).joinpath("static").iterdir():
            if module.name.endswith(".js"):
                imports[f"nodegen/{module.name[:-3]}"] = _address(_read(home, module.name))
    return _as_script({"imports": dict(sorted(imports.items()))})


def _address(source: str) -> str:
    """A module's ``data:`` address; what it imports by path, it imports by name."""
    named = re.sub(r'from "(?:\.{1,2}/)+(?:[\w/]*/)?(\w+)\.js"', r'from "nodegen/\1"', source)
    return "data:text/javascript;base64," + base64.b64encode(named.encode()).decode()


def stored(slice_: np.ndarray, slope: float) -> np.ndarray:
    """Grey levels (row, column) of 0..4095 as uint16, with ``slope`` grey levels a stored step."""
    whole = slope == 1 and np.issubdtype(slice_.dtype, np.integer)
    levels = slice_ if whole else np.rint(slice_.astype(np.float64) / slope)
    return np.asarray(np.clip(levels, 0, 65535).astype(np.uint16))


def slope_of(*slices: np.ndarray) -> float:
    """Grey levels a stored step: 1 where all values are whole, else a sixteenth.

    Examples
    --------
    >>> slope_of(np.array([[1, 2]])), slope_of(np.array([[1, 2]]), np.array([[0.5, 2]]))
    (1.0, 0.0625)
    """
    whole = (np.issubdtype(s.dtype, np.integer) or bool((s == np.rint(s)).all()) for s in slices)
    return 1.0 if all(whole) else 1 / FINE


def pack(values: np.ndarray) -> str:
    """Pack stored values (row, column)."""
    step = values.copy()
    step[:, 1:] -= values[:, :-1]
    step[1:, 0] -= values[:-1, 0]
    signed = step.view(np.int16).astype(np.int32)
    folded = ((signed << 1) ^ (signed >> 15)).astype(np.uint16)
    planes = np.stack([folded >> 8, folded & 255]).astype(np.uint8)
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    return base64.b64encode(deflate.compress(planes.tobytes()) + deflate.flush()).decode()
