"""Radiographs with their patients and boxes, and the check that no patient is on both sides."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from nodegen.dataset.standardise import crop_of, standardise
from nodegen.errors import UtilityError
from nodegen.evaluation.utility.cache import Arrays, Cache
from nodegen.io.box_tables import BoxTable
from nodegen.io.boxes import Box
from nodegen.io.radiograph import NODE21_MAX, Radiograph, find_radiographs, read_radiographs
from nodegen.lungs.fields import find_lungs

# NIH ChestX-ray14 names a file by the patient, then by the number of the visit: 00002361_008.
NIH_NAME = re.compile(r"(\d{8})_\d{3}")
NODE21_PX = 1024  # side of NODE21's images
THUMB_PX = 32  # side of the thumbnails that are compared
# Of 115 radiographs no two of different patients correlate above 0.955; the same one at half the
# size, in a grey scale stretched or with noise of 100 grey levels stays above 0.999.
SAME_RADIOGRAPH = 0.985


@dataclass(frozen=True)
class BoxedRadiograph:
    """One radiograph, read when its pixels are asked for.

    Attributes
    ----------
    name : str
        The file's stem, with the slice's number in a stack.
    patient : str
    load : callable
        Gives the pixels, (row, column).
    nodules : tuple of Box
        In slice 0.
    ignored : tuple of Box
        Boxes that do not count: neither a nodule nor a false alarm.
    others_unboxed : bool
        Whether other nodules are seen that have no box: false positives do not count.
    path : str
        Of the file, with the slice's number in a stack; what a table of boxes is matched with.
    """

    name: str
    patient: str
    load: Callable[[], np.ndarray] = field(compare=False, repr=False)
    nodules: tuple[Box, ...] = ()
    ignored: tuple[Box, ...] = ()
    others_unboxed: bool = False
    path: str = ""


def patient_of(stem: str) -> str:
    """The patient by the file's name: NIH's are known, any other file is a patient of its own.

    Examples
    --------
    >>> patient_of("00002361_008"), patient_of("n0044")
    ('00002361', 'n0044')
    """
    known = NIH_NAME.fullmatch(stem)
    return known[1] if known else stem


def read_folders(folders: Sequence[Path], cache: Cache | None = None) -> list[BoxedRadiograph]:
    """All radiographs in folders and the folders in them; each slice of a stack is one.

    Parameters
    ----------
    folders : sequence of Path
        Searched with all folders in them.
    cache : Cache, optional
        Radiographs that are not in NODE21's form (1024 × 1024 px, 12 bit in 16) are brought to it,
        and kept here; None leaves all as they are.

    Raises
    ------
    StackError
        Where there are none, or one cannot be read or standardised.
    """
    found = []
    for path, _ in find_radiographs(list(folders)):
        slices = len(_radiographs(path))
        for number in range(slices):
            part = f":{number}" if slices > 1 else ""
            name, source = path.stem + part, PixelSource(path, number, cache)
            found.append(BoxedRadiograph(name, patient_of(name), source, path=f"{path}{part}"))
    return found


@lru_cache(maxsize=128)  # files; each is asked for several times, and 128 take 256 MB
def _radiographs(path: Path) -> list[Radiograph]:
    return list(read_radiographs(path))


@dataclass(frozen=True)
class PixelSource:
    """Loads a radiograph, standardised where a cache is given and it is in another form."""

    path: Path
    number: int
    cache: Cache | None = None

    def __call__(self) -> np.ndarray:
        """The pixels, (row, column)."""
        made = self._standardised()
        return self.original.pixels if made is None else made["pixels"]

    @property
    def original(self) -> Radiograph:
        """The radiograph as the file has it."""
        return _radiographs(self.path)[self.number]

    def carried(self, boxes: Sequence[Box]) -> list[Box]:
        """Boxes of the file in the image that is loaded; one that the crop leaves out is empty."""
        made = self._standardised()
        if made is None:
            return list(boxes)
        left, top, scale, x, y = made["crop"]
        rows, columns = made["pixels"].shape

        def moved(value: int, start: float, corner: float, length: int) -> int:
            return min(max(round(float((value - start) * scale + corner)), 0), length)

        return [
            replace(
                box,
                left=moved(box.left, left, x, columns),
                right=moved(box.right, left, x, columns),
                top=moved(box.top, top, y, rows),
                bottom=moved(box.bottom, top, y, rows),
            )
            for box in boxes
        ]

    def _standardised(self) -> Arrays | None:
        pixels = self.original.pixels
        is_node21 = pixels.shape == (NODE21_PX,) * 2 and pixels.dtype == np.uint16
        if self.cache is None or (is_node21 and pixels.max() <= NODE21_MAX):
            return None
        return self.cache.once("standardised", [pixels], self._standardise)

    def _standardise(self) -> Arrays:
        crop = crop_of(find_lungs(self.original.pixels))
        numbers = crop.left, crop.top, crop.scale, crop.x, crop.y
        pixels = standardise(self.original).radiograph.pixels
        return {"pixels": pixels, "crop": np.array(numbers, dtype=np.float64)}


def with_boxes(
    radiographs: Sequence[BoxedRadiograph],
    tables: Sequence[BoxTable],
    sizes_px: tuple[float, float],
    ignored_sources: Collection[str] = (),
) -> list[BoxedRadiograph]:
    """Give each radiograph its boxes; those of which no table knows anything have none.

    Parameters
    ----------
    radiographs : sequence of BoxedRadiograph
        As :func:`read_folders` gives them.
    tables : sequence of BoxTable
        Each may be about some of the radiographs.
    sizes_px : (least, most)
        Of a box's larger side; others are ignored.
    ignored_sources : collection of str
        Boxes with one of these annotation sources are ignored, too.

    Raises
    ------
    UtilityError
        Where not one box belongs to a radiograph.
    BoxesError
        Where a box lies wholly outside its radiograph, or rows match no radiograph.
    """
    paths = [one.path or one.name for one in radiographs]
    matched = [table.match(paths) for table in tables]
    found = []
    for one, *rows in zip(radiographs, *matched, strict=True):
        nodules, ignored = list[Box](), list[Box]()
        source = one.load if isinstance(one.load, PixelSource) else None
        known = [row for row in rows if row]
        for row in known:
            pixels = source.original.pixels if source else one.load()
            boxes = row.fitted(pixels.shape)
            carried = source.carried(boxes) if source else boxes
            for box, drawn in zip(carried, row.boxes, strict=True):
                counts = sizes_px[0] <= max(box.width, box.height) <= sizes_px[1]
                if min(box.width, box.height) > 0:
                    kind = nodules if counts and drawn.source not in ignored_sources else ignored
                    kind.append(box)
        unboxed = any(row.others_unboxed for row in known)
        boxed = replace(one, nodules=tuple(nodules), ignored=tuple(ignored))
        found.append(replace(boxed, others_unboxed=unboxed))
    if not any(one.nodules for one in found):
        raise UtilityError(
            f"None of the {len(found)} real radiographs has a nodule of {sizes_px[0]:g} to "
            f"{sizes_px[1]:g} px in the table of boxes; give images and boxes of the same names."
        )
    return found


def check_leaks(training: Sequence[BoxedRadiograph], test: Sequence[BoxedRadiograph]) -> None:
    """Refuse a patient, or a radiograph under whatever name, that is on both sides.

    Raises
    ------
    UtilityError
        Where there is one; the message names both files.
    """
    patients = {one.patient: one.name for one in test}
    for one in training:
        if one.patient in patients:
            raise UtilityError(
                f"Patient {one.patient} is among the backgrounds ({one.name}) and in the test "
                f"({patients[one.patient]}); take one of them out."
            )
    likeness = thumbnails(training) @ thumbnails(test).T
    if likeness.size and likeness.max() > SAME_RADIOGRAPH:
        i, k = divmod(int(likeness.argmax()), len(test))
        raise UtilityError(
            f"Background {training[i].name} and the test's {test[k].name} are the same radiograph "
            f"(correlation {likeness.max():.3f}); take one of them out."
        )


def thumbnails(radiographs: Sequence[BoxedRadiograph]) -> np.ndarray:
    """Thumbnails as unit vectors, shape (radiograph, pixel): their products are correlations."""
    rows = []
    for one in radiographs:
        pixels = one.load()
        step = max(min(pixels.shape) // (4 * THUMB_PX), 1)  # a sparse grid is enough, and quick
        sparse = Image.fromarray(pixels[::step, ::step].astype(np.float32))
        small = np.asarray(sparse.resize((THUMB_PX, THUMB_PX), Image.Resampling.BILINEAR)).ravel()
        small = small - small.mean()
        rows.append(small / max(float(np.linalg.norm(small)), 1e-12))
    return np.reshape(rows, (-1, THUMB_PX**2))
