"""Radiographs with their patients and boxes, and the check that no patient is on both sides."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from nodegen.dataset.sources import find_patient
from nodegen.dataset.standardise import SIDE_PX, LungCrop, standardise
from nodegen.errors import StackError, UtilityError
from nodegen.evaluation.utility.cache import Arrays, Cache, code_hash
from nodegen.io.box_tables import BoxTable
from nodegen.io.boxes import Box
from nodegen.io.radiograph import NODE21_MAX, Radiograph, find_radiographs, read_radiographs

CODE = code_hash("dataset/standardise.py", "dataset/energy.py", "lungs", "io/image.py",
                 "synthesis/noise_and_blur.py")  # fmt: skip
THUMB_PX = 32  # side of the thumbnails that are compared
# Of 115 radiographs no two of different patients correlate above 0.955; the same one at half the
# size, in a grey scale stretched or with noise of 100 grey levels stays above 0.999.
SAME_RADIOGRAPH = 0.985

logger = logging.getLogger(__name__)


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


def read_folders(folders: Sequence[Path], cache: Cache | None = None) -> list[BoxedRadiograph]:
    """All radiographs in folders and the folders in them; each slice of a stack is one.

    One that cannot be read or standardised is named and left out.

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
        Where there are none.
    """
    found = []
    for path, folder in find_radiographs(list(folders)):
        try:
            patient = Path(find_patient(path, path.relative_to(folder).as_posix())).name
            slices = len(_radiographs(path))
            sources = [PixelSource(path, number, cache) for number in range(slices)]
            for source in sources if cache else ():
                source()
        except StackError as fault:
            logger.warning("%s is left out: %s", path, fault)
            continue
        for source in sources:
            part = f":{source.number}" if slices > 1 else ""
            where = f"{path}{part}"
            found.append(BoxedRadiograph(path.stem + part, patient + part, source, path=where))
    if not found:
        raise StackError(
            f"No file in {', '.join(map(str, folders))} is a radiograph that can be used; "
            "give other folders."
        )
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
        crop = LungCrop(*made["crop"].tolist())
        moved = []
        for box in boxes:
            ends = *crop.apply(box.left, box.top), *crop.apply(box.right, box.bottom)
            left, top, right, bottom = (min(max(round(end), 0), SIDE_PX) for end in ends)
            moved.append(replace(box, left=left, top=top, right=right, bottom=bottom))
        return moved

    def _standardised(self) -> Arrays | None:
        pixels = self.original.pixels
        is_node21 = pixels.shape == (SIDE_PX,) * 2 and pixels.dtype == np.uint16
        if self.cache is None or (is_node21 and pixels.max() <= NODE21_MAX):
            return None
        return self.cache.once("standardised", [pixels, CODE], self._standardise)

    def _standardise(self) -> Arrays:
        made = standardise(self.original)
        crop = astuple(made.transformation.crop)
        return {"pixels": made.radiograph.pixels, "crop": np.array(crop, dtype=np.float64)}


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
