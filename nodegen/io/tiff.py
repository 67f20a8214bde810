"""TIFF: read exactly, or refused rather than guessed; and written, a page for each slice.

All pages but thumbnails and transparency masks must be alike, and make the stack in their order.
What tifffile would pass over with a line in a log is refused.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodegen import __version__
from nodegen.errors import StackError
from nodegen.io.files import whole_file
from nodegen.io.image import XMP_TIFF, Geometry, Mark, TiffTags, check_axes

if TYPE_CHECKING:
    import tifffile

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_MINISWHITE, _MINISBLACK = 0, 1  # PhotometricInterpretation
_MAX_SAMPLE_VALUE = 281
_MM = {2: 25.4, 3: 10.0}  # of a ResolutionUnit, inch or centimetre
_COLOURS = {2: "red, green and blue", 3: "a palette", 5: "cyan, magenta, yellow, black", 6: "YCbCr"}
LARGE = 4_000_000_000  # bytes of pixels; beyond them a TIFF becomes a BigTIFF, of wider numbers
_NONE = 1  # Compression
# Times as many bytes as go in may come out: deflate's own figure, LZW's, PackBits', and for others
# (JPEG, Zstandard, LZMA) more than any radiograph gives.
_MOST = {_NONE: 1, 5: 2000, 8: 1032, 32946: 1032, 32773: 64}
_MOST_ELSE = 100_000


def read_tiff(path: Path) -> tuple[np.ndarray, Geometry]:
    """Read a TIFF of grey levels, (slice, row, column): where white is 0, turned around.

    The geometry has the spacing in the plane, where the file gives it in inches or centimetres. A
    StackError says where pages differ, hold colours, lie turned, lack pixels, or are damaged.
    """
    import tifffile

    path.open("rb").close()  # whether it may be read at all
    try:
        with _listening() as warned, tifffile.TiffFile(path) as tiff:
            pages: list[Any] = [tiff.pages.get(number) for number in range(len(tiff.pages))]
            if not pages:
                raise _damaged(path, "it holds no page")
            kept = _kept(path, pages)
            pixels = _pixels(path, tiff, kept)
            tags = _tags(kept[0])
        if warned:
            raise _damaged(path, warned[0])
    except StackError:
        raise
    except MemoryError as error:
        raise _damaged(path, "its size is beyond this machine's memory") from error
    except Exception as error:  # each codec has faults of its own
        raise _damaged(path, str(error) or type(error).__name__) from error
    unit = _MM.get(tags.unit, 0.0)
    plane = [unit * below / above or 1.0 for above, below in (tags.along, tags.across)]
    n = 3 if len(pixels) > 1 else 2
    return pixels, replace(Geometry.plain(n), spacing=(*plane, 1.0)[:n], tags=tags)


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what tifffile warns of, a tag that it cannot read, say, and print nothing."""
    warned: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            warned.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(note)
    try:
        yield warned
    finally:
        logger.removeFilter(note)


def _damaged(path: Path, why: str) -> StackError:
    why = " ".join(re.sub(r"<[^>]*>|@\d+", " ", why).split()).rstrip(".")
    return StackError(
        f"{path} cannot be read as an image: it is damaged, truncated or no TIFF ({why}); write "
        "the TIFF anew."
    )


def _kept(path: Path, pages: list[tifffile.TiffPage]) -> list[tifffile.TiffPage]:
    """The pages that make the stack."""
    kept = [(n, page) for n, page in enumerate(pages) if not page.subfiletype & (_REDUCED | _MASK)]
    if not kept:
        raise StackError(
            f"{path} holds thumbnails and masks alone, where a page of full size is wanted; write "
            "the whole image."
        )
    first = kept[0][1]
    for number, page in kept:
        where = f"Page {number} of {path}"
        check_axes(path, page.samplesperpixel)
        if page.photometric not in (_MINISWHITE, _MINISBLACK):
            colours = _COLOURS.get(int(page.photometric), f"PhotometricInterpretation "
                                   f"{int(page.photometric)}")  # fmt: skip
            raise StackError(
                f"{where} is in {colours}, where grey levels are allowed; convert it to them."
            )
        orientation = page.tags.valueof(274, default=1)
        if orientation != 1:
            raise StackError(
                f"{where} has Orientation {orientation}, which viewers show turned or mirrored, "
                "where 1 is allowed, so that boxes fit what is seen; turn its pixels, and write it "
                "with Orientation 1."
            )
        if page.imagedepth != 1:
            raise StackError(f"{where} is a volume, where pages are wanted; write a page a slice.")
        for what in ("shape", "dtype", "photometric"):
            mine, others = getattr(page, what), getattr(first, what)
            if mine != others:
                raise StackError(
                    f"Pages {kept[0][0]} and {number} of {path} differ in {what} ({others} and "
                    f"{mine}), so they make no stack; write each image to a file of its own."
                )
        _check_segments(where, page)
    return [page for _, page in kept]


def _check_segments(where: str, page: tifffile.TiffPage) -> None:
    """Refuse a page whose pieces are missing, or cannot hold what its tags say."""
    offsets, counts = page.dataoffsets, page.databytecounts
    pieces = math.prod(page.chunked) if page.chunked else 1
    if len(offsets) != pieces or len(counts) != pieces or 0 in offsets or 0 in counts:
        raise StackError(
            f"{where} lacks pixels: {len([c for c in counts if c])} of its {pieces} pieces are "
            "there; write the TIFF anew."
        )
    size = page.parent.filehandle.size
    if any(offset + count > size for offset, count in zip(offsets, counts, strict=True)):
        raise StackError(f"{where} is truncated: its pixels end beyond the file; copy it anew.")
    bits = math.prod(page.shape) * page.bitspersample
    if sum(counts) * 8 * _MOST.get(int(page.compression), _MOST_ELSE) < bits:
        raise StackError(
            f"{where} is damaged: the {sum(counts)} bytes that it holds of pixels cannot be the "
            f"{bits // 8} that its tags ask for; copy it anew."
        )


def _pixels(path: Path, tiff: tifffile.TiffFile, kept: list[tifffile.TiffPage]) -> np.ndarray:
    first = kept[0]
    behind = _behind_one_page(path, tiff, kept)
    if behind is not None:
        pixels = behind
    else:
        pixels = np.empty((len(kept), *first.shape), first.dtype)
        for page, slice_ in zip(kept, pixels, strict=True):
            slice_[...] = page.asarray(maxworkers=1)  # each of its pieces gives all of its pixels
    if first.photometric == _MINISWHITE:
        if pixels.dtype.kind != "u":
            raise StackError(
                f"{path} says that white is 0 of pixels of {pixels.dtype}, where that is defined "
                "for unsigned whole numbers alone; write it with black as 0."
            )
        top = _top(first)
        if int(pixels.max()) > top:
            raise _damaged(path, f"its MaxSampleValue is {top}, and it has greater ones")
        pixels = np.subtract(top, pixels, dtype=pixels.dtype, casting="unsafe")
    return pixels


def _top(page: tifffile.TiffPage) -> int:
    """The level of black where white is 0."""
    stated = page.tags.valueof(_MAX_SAMPLE_VALUE, default=0)
    most = (1 << page.bitspersample) - 1
    return stated if isinstance(stated, int) and 0 < stated <= most else most


def _behind_one_page(
    path: Path, tiff: tifffile.TiffFile, kept: list[tifffile.TiffPage]
) -> np.ndarray | None:
    """The stack where the file holds more slices than pages; refuse channels and more axes."""
    if not (tiff.is_imagej or tiff.is_shaped or tiff.is_ome):
        return None
    series = tiff.series[0]
    axes = dict(zip(series.axes, series.shape, strict=True))
    several = [axis for axis, length in axes.items() if length > 1 and axis not in "YX"]
    channels = max(axes.get("C", 1), axes.get("S", 1))
    check_axes(path, channels, series.ndim if len(several) > 1 else 2)
    slices, page = math.prod(series.shape[:-2]), kept[0]
    if len(kept) > 1 or slices == 1 or not (tiff.is_imagej or tiff.is_shaped):
        return None
    held = tiff.filehandle.size - page.dataoffsets[0]
    if page.compression != _NONE or slices * page.nbytes > held:
        raise _damaged(path, f"it lacks the pixels of its {slices} slices")
    return np.asarray(series.asarray().reshape(slices, *page.shape), page.dtype)


def _tags(page: tifffile.TiffPage) -> TiffTags:
    """What the page says of resolution, and of white."""
    unit = int(page.tags.valueof(296, default=2))
    found = [page.tags.valueof(tag) for tag in (282, 283)]
    white = _top(page) if page.photometric == _MINISWHITE else 0
    good = all(isinstance(value, tuple) and len(value) == 2 and min(value) > 0 for value in found)
    if not good:  # none stated, or 0 / 0
        return TiffTags((1, 1), (1, 1), 1, white)
    along, across = ((int(above), int(below)) for above, below in found)
    return TiffTags(along, across, unit, white)


# --- writing --------------------------------------------------------------------------------------


@contextmanager
def write_tiff(
    path: Path, geometry: Geometry, shape: tuple[int, ...], dtype: np.dtype, mark: Mark | None
) -> Iterator[Callable[[np.ndarray], None]]:
    """Write .tif, one page a slice; of the geometry, a TIFF can hold the spacing in the plane.

    Takes what :func:`nodegen.io.stack.stack_writer` takes, and yields a function that takes the
    next slice, (row, column).
    """
    from tifffile import TiffWriter

    x, y = geometry.spacing[:2]
    along, across, unit, white = geometry.tags or ((10 / x), (10 / y), 3, 0)
    tags: list[Any] = []
    if white and white < np.iinfo(dtype).max:
        tags.append((_MAX_SAMPLE_VALUE, "H", 1, white, True))
    first: dict[str, Any] = {"extratags": tags, "software": None}
    if mark:
        content = mark.xmp.encode()
        first["extratags"] = [*tags, (XMP_TIFF, "B", len(content), content, True)]
        first |= {"description": mark.text, "software": f"nodegen {__version__}"}
    with whole_file(path) as file:
        tiff = TiffWriter(file, bigtiff=math.prod(shape) * dtype.itemsize > LARGE)
        pages = chain([first], repeat({"extratags": tags, "software": None}))

        def write(pixels: np.ndarray) -> None:
            tiff.write(
                (white - pixels).astype(pixels.dtype, copy=False) if white else pixels,
                photometric="miniswhite" if white else "minisblack",
                resolution=(along, across),
                resolutionunit=unit,
                metadata=None,
                **next(pages),
            )

        yield write
        tiff.close()
