"""Stacks of radiographs: found in a folder, read into memory once, and written slice by slice.

One reader for every format: MetaImage and TIFF, which may hold a stack, PNG, JPEG and DICOM.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from nodegen.dicom.read import count_frames, is_dicom, read_dicom
from nodegen.errors import OutputError, StackError
from nodegen.io.files import writing
from nodegen.io.image import Geometry, Mark, check_pixels
from nodegen.io.metaimage import PackedSlice, pack_slice, read_metaimage, write_metaimage
from nodegen.io.metaimage import count_slices as _count_metaimage
from nodegen.io.png_jpeg import read_picture
from nodegen.io.tiff import read_tiff, write_tiff

METAIMAGE = (".mha", ".mhd")
TIFF = (".tif", ".tiff")
SUFFIXES = (*METAIMAGE, *TIFF)  # of files that are written, too
PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".dicom", ".ima")  # and any file that begins as DICOM does
READABLE = (*SUFFIXES, *PICTURES, *DICOM)
# Files beside radiographs that are never opened to look for DICOM.
_OTHERS = (".raw", ".zraw", ".json", ".csv", ".txt", ".md", ".html", ".py", ".gz", ".npz", ".npy")
logger = logging.getLogger(__name__)
FOLDERS = 200  # below the given one, in which an image is looked for, to name it in a message


@dataclass(frozen=True, eq=False)
class Stack:
    """A stack of radiographs in memory."""

    path: Path
    pixels: np.ndarray  # (slice, row, column) in the file's own type; not to be written to
    geometry: Geometry
    spacing: tuple[float, float] | None = None  # (x, y), mm; None where the file does not say
    patient: str | None = None  # what stands for the patient; None where the file does not say


def may_be_radiograph(name: PurePath) -> bool:
    """Whether a file is one of a format that is read, or may be DICOM under another name."""
    suffix = name.suffix.lower()
    if name.name.startswith(".") or name.name.upper() == "DICOMDIR":
        return False
    return suffix in READABLE or suffix not in _OTHERS


def is_radiograph(path: Path) -> bool:
    """Whether a file is one of a format that is read, by its name or by how it begins."""
    if not may_be_radiograph(path):
        return False
    return path.suffix.lower() in READABLE or (path.is_file() and is_dicom(path))


def radiographs_in(folder: Path) -> Iterator[Path]:
    """Files of the formats that are read, in a folder and those below it, linked ones too.

    A warning names what is left out: links that lead nowhere or back, folders that are not read.
    """

    def unreadable(error: OSError) -> None:
        logger.warning("left out %s: it cannot be read (%s)", error.filename, error.strerror)

    seen: dict[str, str] = {}
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            logger.warning("left out %s: it is the same folder as %s", place, seen[real])
            folders.clear()
            continue
        seen[real] = place
        for name in sorted(names):
            path = Path(place, name)
            if path.is_symlink() and not path.exists() and may_be_radiograph(path):
                logger.warning(
                    "left out %s: it leads to %s, which is not there", path, os.readlink(path)
                )
            elif is_radiograph(path) and path.is_file():
                yield path


def find_image(folder: Path) -> Path:
    """Find the one image in a folder: the one stack, or else the one radiograph of any format.

    Parameters
    ----------
    folder : Path
        The folder; or the image itself, which is given back.

    Raises
    ------
    StackError
        Where the folder does not exist, or holds no image or several.
    """
    if folder.is_file():
        return folder
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise StackError(
            f"The input folder {folder} cannot be read ({error.strerror}); give a folder with one "
            "image and nodules.json."
        ) from error
    visible = [path for path in entries if not path.name.startswith(".")]
    found = [path for path in visible if path.suffix.lower() in SUFFIXES]
    found = found or [path for path in visible if path.is_file() and is_radiograph(path)]
    below = islice(os.walk(folder), FOLDERS)
    deeper = (Path(d) for d, _, names in below if any(is_radiograph(Path(d, n)) for n in names))
    if not found and (place := next(deeper, None)):
        raise StackError(
            f"The input folder {folder} holds no image itself, and {place} does; give the folder "
            "in which the image lies, with its nodules.json."
        )
    if len(found) != 1:
        names = f" ({', '.join(p.name for p in found[:4])})" if found else ""
        raise StackError(
            f"The input folder {folder} holds {len(found) or 'no'} images{names} where one "
            f"({', '.join(READABLE)}) is wanted; leave one there."
        )
    return found[0]


def output_name(source: Path) -> str:
    """The name under which a stack like ``source`` is written: its own where that format is."""
    if source.suffix.lower() in SUFFIXES:
        return source.name
    return f"{bare_name(source.name)}.mha"


def bare_name(name: str) -> str:
    """A file's name without its suffix; a UID, as which DICOM files are named, has none.

    Examples
    --------
    >>> bare_name("a/b.PNG"), bare_name("1.2.840.5")
    ('a/b', '1.2.840.5')
    """
    suffix = PurePath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in READABLE else name


def count_slices(path: Path) -> int:
    """Slices of a stack, without reading more than is needed; raises as :func:`read_stack`."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return 1
    if suffix in TIFF:
        return len(read_stack(path).pixels)
    try:
        return _count_metaimage(path) if suffix in METAIMAGE else count_frames(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def read_stack(path: Path) -> Stack:
    """Read a stack or a single image of any format.

    Raises
    ------
    StackError
        Where the file is missing, of another kind, damaged or truncated, has other than 2 or 3
        dimensions or one channel, or holds pixels that are not finite.
    """
    if not path.is_file():
        raise StackError(f"There is no image {path}; give the path of one.")
    suffix = path.suffix.lower()
    readers = dict.fromkeys(METAIMAGE, read_metaimage) | dict.fromkeys(TIFF, read_tiff)
    readers |= dict.fromkeys(PICTURES, read_picture)
    if not is_radiograph(path):
        raise StackError(
            f"{path} is of a kind that is not read ({suffix or 'no suffix'}), where "
            f"{', '.join(READABLE)} are; convert it to one of them."
        )
    spacing, patient = None, None
    try:
        if suffix in readers:
            pixels, geometry = readers[suffix](path)
            if suffix not in PICTURES:
                spacing = geometry.spacing[0], geometry.spacing[1]
        else:
            made = read_dicom(path)
            pixels, spacing, patient = made.pixels, made.spacing, made.patient
            x, y = made.direction
            geometry = Geometry(spacing or (1.0, 1.0), (0.0, 0.0), (x, 0.0, 0.0, y), 2)
            geometry = geometry.stacked if len(pixels) > 1 else geometry
    except OSError as error:
        raise _unreadable(path, error) from error
    except MemoryError as error:
        raise StackError(
            f"{path} is too large for this machine's memory; split it, or take another machine."
        ) from error
    pixels = pixels.view() if pixels.ndim == 3 else pixels[None]
    pixels.flags.writeable = False
    check_pixels(pixels, path)
    return Stack(path, pixels, geometry, spacing, patient)


def _unreadable(path: Path, error: OSError) -> StackError:
    return StackError(
        f"{path} cannot be read ({error.strerror or error}); make it readable, or copy it anew."
    )


# --- writing --------------------------------------------------------------------------------------


@contextmanager
def stack_writer(
    path: Path,
    geometry: Geometry,
    shape: tuple[int, ...],
    dtype: np.dtype | type,
    mark: Mark | None = None,
) -> Iterator[Callable[[np.ndarray | PackedSlice], None]]:
    """Open a stack to be written: yields a function that takes one slice after the other.

    A slice is (row, column), or what :func:`packer_for` made of it. On a clean exit the whole file
    lies under ``path``; on an exception nothing does.

    Parameters
    ----------
    path : Path
        Ends in .mha, .mhd (the pixels go beside it, into .zraw) or .tif.
    geometry : Geometry
        Of the stack.
    shape, dtype : (slices, rows, columns), numpy.dtype
        Of the pixels that will be written.
    mark : Mark, optional
        Says in the file what is synthetic.

    Raises
    ------
    OutputError
        Where the file cannot be written, from the function, too.
    """
    check_suffix(path)
    dtype, count = np.dtype(dtype), 0
    form: Callable[..., Any] = write_tiff if path.suffix.lower() in TIFF else write_metaimage
    pack = packer_for(path)
    with ExitStack() as files:
        with writing(path):
            append = files.enter_context(form(path, geometry, tuple(shape), dtype, mark))

        def write(slice_: np.ndarray | PackedSlice) -> None:
            nonlocal count
            if isinstance(slice_, np.ndarray):
                if slice_.shape != tuple(shape[1:]) or slice_.dtype != dtype:
                    raise ValueError(
                        f"a slice of {slice_.dtype} {slice_.shape}, not {dtype} {tuple(shape[1:])}"
                    )
                slice_ = pack(slice_)
            with writing(path):
                append(slice_)
            count += 1

        yield write
        with writing(path):
            if count != shape[0]:
                raise ValueError(f"{count} of {shape[0]} slices were written")
            files.close()  # gives the file its name


def packer_for(path: Path) -> Callable[[np.ndarray], np.ndarray | PackedSlice]:
    """What packs a slice (row, column) for a file of this name; can be pickled."""
    return np.asarray if path.suffix.lower() in TIFF else pack_slice


def check_suffix(path: Path) -> None:
    """Refuse a name that ends otherwise than stacks do, by an OutputError."""
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"{path} ends in {path.suffix or 'no suffix'}, where one of {', '.join(SUFFIXES)} is "
            "wanted; give such a name."
        )
