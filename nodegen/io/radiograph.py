"""Single radiographs of any common format, each `(row, column)`, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodegen.errors import StackError
from nodegen.io.stack import SUFFIXES, read_stack

PICTURES = (".png", ".jpg", ".jpeg")
DICOM = (".dcm", ".dicom")
READABLE = (*SUFFIXES, *PICTURES, *DICOM)
NODE21_MAX = 4095  # highest grey level of 12 bit, in which NODE21's radiographs come


@dataclass(frozen=True)
class Radiograph:
    """One radiograph in memory.

    Attributes
    ----------
    pixels : numpy.ndarray, shape (row, column)
        Bright where the beam was absorbed.
    spacing : tuple of float or None
        (x, y), mm; None where the file does not say.
    path : pathlib.Path
        The file that it came from.
    slice : int
        Its place in that file.
    patient : str or None
        As the file says; None where it does not.
    """

    pixels: np.ndarray
    spacing: tuple[float, float] | None
    path: Path
    slice: int = 0
    patient: str | None = None

    @property
    def window(self) -> tuple[float, float]:
        """Grey levels that 8 bit and 16 bit outputs map onto their range.

        Of 8 bit and of 12 bit in 16 the whole scale, so that images stay comparable; of any other
        the image's own minimum and maximum.
        """
        if self.pixels.dtype == np.uint8:
            return 0.0, 255.0
        low, high = float(self.pixels.min()), float(self.pixels.max())
        if self.pixels.dtype == np.uint16 and high <= NODE21_MAX:
            return 0.0, float(NODE21_MAX)
        return low, high


def is_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM: by its ending, or because it has none of the others."""
    return path.suffix.lower() not in (*SUFFIXES, *PICTURES)


def find_radiographs(inputs: list[Path]) -> list[tuple[Path, Path]]:
    """Files of the formats that can be read, in folders (and theirs) or named one by one.

    Returns
    -------
    list of (file, root)
        Sorted; the root is the folder that was given, or the file's own.

    Raises
    ------
    StackError
        Where a path does not exist, or there is no such file at all.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if given.is_dir():
            for path in sorted(given.rglob("*")):
                hidden = any(part.startswith(".") for part in path.relative_to(given).parts)
                if not hidden and path.suffix.lower() in READABLE and path.is_file():
                    found.setdefault(path, given)
        elif given.is_file():
            found.setdefault(given, given.parent)
        else:
            raise StackError(f"There is no file or folder {given}; give radiographs that exist.")
    if not found:
        raise StackError(
            f"There is no radiograph in {', '.join(map(str, inputs))}; give files or folders of "
            f"{', '.join(READABLE)}."
        )
    return sorted(found.items())


def count_slices(path: Path) -> int:
    """Radiographs in a file; only stacks hold more than one."""
    if path.suffix.lower() in PICTURES:
        return 1
    if path.suffix.lower() in SUFFIXES and path.suffix.lower() not in (".tif", ".tiff"):
        import SimpleITK as sitk

        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            return 1  # said when it is read
        size = reader.GetSize()
        return int(size[2]) if len(size) == 3 else 1
    return sum(1 for _ in read_radiographs(path))


def read_radiographs(path: Path) -> Iterator[Radiograph]:
    """Read the radiographs of one file.

    Parameters
    ----------
    path : pathlib.Path
        MetaImage, TIFF, PNG, JPEG or DICOM; the first two may hold a stack.

    Raises
    ------
    StackError
        Where the file cannot be read, or a package that reads it is missing.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        yield _read_picture(path)
    elif suffix in SUFFIXES:
        stack = read_stack(path)
        spacing = stack.geometry.spacing
        for number, pixels in enumerate(stack.pixels):
            yield Radiograph(pixels, (float(spacing[0]), float(spacing[1])), path, number)
    else:
        from nodegen.dicom.read import read_dicom

        yield from read_dicom(path)


def read_radiograph(path: Path, number: int = 0) -> Radiograph:
    """Read one radiograph of a file; see :func:`read_radiographs`."""
    for radiograph in read_radiographs(path):
        if radiograph.slice == number:
            return radiograph
    raise StackError(f"{path} has no slice {number}; it was changed since it was counted.")


def _read_picture(path: Path) -> Radiograph:
    """PNG and JPEG: grey of 8 or 16 bit; colours, where red, green and blue are the same."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode.startswith("I") or image.mode == "F":
                pixels = np.asarray(image)
                if pixels.dtype == np.int32:
                    pixels = pixels.clip(0, 65535).astype(np.uint16)
            elif image.mode in ("L", "1"):
                pixels = np.asarray(image.convert("L"))
            else:  # palettes, RGB, and NIH's few RGBA
                colours = np.asarray(image.convert("RGB"))
                spread = np.ptp(colours.astype(np.int16), axis=2)
                if np.percentile(spread, 99) > 8:
                    raise StackError(
                        f"{path} is a picture in colours, where a radiograph in grey levels is "
                        "wanted; leave it out."
                    )
                pixels = np.asarray(image.convert("L"))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise StackError(
            f"{path} cannot be read as an image: it is damaged, truncated or of another format; "
            "copy it anew."
        ) from error
    return Radiograph(np.ascontiguousarray(pixels), None, path)
