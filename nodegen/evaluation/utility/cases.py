"""Radiographs with their patients and boxes, and the check that no patient is on both sides."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from nodegen.errors import StackError, UtilityError
from nodegen.io.box_tables import BoxTable
from nodegen.io.boxes import Box
from nodegen.io.stack import READABLE, Stack, radiographs_in, read_stack

# NIH ChestX-ray14 names a file by the patient, then by the number of the visit: 00002361_008.
NIH_NAME = re.compile(r"(\d{8})_\d{3}")
THUMB_PX = 32  # side of the thumbnails that are compared
# Of 115 radiographs no two of different patients correlate above 0.955; the same one at half the
# size, in a grey scale stretched or with noise of 100 grey levels stays above 0.999.
SAME_RADIOGRAPH = 0.985


@dataclass(frozen=True)
class Radiograph:
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
        Boxes of a size that is not counted: no nodule for the test, and no place without one.
    places : tuple of Box
        Places without a nodule.
    """

    name: str
    patient: str
    load: Callable[[], np.ndarray] = field(compare=False, repr=False)
    nodules: tuple[Box, ...] = ()
    ignored: tuple[Box, ...] = ()
    places: tuple[Box, ...] = ()


def patient_of(stem: str) -> str:
    """The patient by the file's name: NIH's are known, any other file is a patient of its own.

    Examples
    --------
    >>> patient_of("00002361_008"), patient_of("n0044")
    ('00002361', 'n0044')
    """
    known = NIH_NAME.fullmatch(stem)
    return known[1] if known else stem


def read_folder(folder: Path) -> list[Radiograph]:
    """All radiographs in a folder and the folders in it, by name; each slice of a stack is one.

    Raises
    ------
    StackError
        Where there are none, or one cannot be read.
    """
    files = sorted(radiographs_in(folder))
    if not files:
        raise StackError(
            f"{folder} holds no images ({', '.join(READABLE)}), nor does any folder in it; give a "
            "folder of radiographs."
        )
    made = []
    for path in files:
        slices = len(_stack(path).pixels)
        for number in range(slices):
            name = path.stem if slices == 1 else f"{path.stem}:{number}"
            made.append(Radiograph(name, patient_of(path.stem if slices == 1 else name),
                                   _Slice(path, number)))  # fmt: skip
    return made


@lru_cache(maxsize=128)  # files; each is asked for several times, and 128 take 256 MB
def _stack(path: Path) -> Stack:
    return read_stack(path)


@dataclass(frozen=True)
class _Slice:
    path: Path
    number: int

    def __call__(self) -> np.ndarray:
        pixels: np.ndarray = _stack(self.path).pixels[self.number]
        return pixels


def with_boxes(
    radiographs: Sequence[Radiograph], table: BoxTable, sizes_px: tuple[float, float]
) -> list[Radiograph]:
    """Give each radiograph its boxes; those of which the table knows nothing have none.

    Parameters
    ----------
    sizes_px : (least, most)
        Of a box's larger side; others are ignored.

    Raises
    ------
    UtilityError
        Where not one box belongs to a radiograph.
    BoxesError
        Where a box lies wholly outside its radiograph, or rows match no radiograph.
    """
    made = []
    rows = table.match([radiograph.name for radiograph in radiographs])
    for radiograph, row in zip(radiographs, rows, strict=True):
        boxes = row.fitted(radiograph.load().shape) if row else []
        counted = [sizes_px[0] <= max(box.width, box.height) <= sizes_px[1] for box in boxes]
        nodules = tuple(box for box, good in zip(boxes, counted, strict=True) if good)
        ignored = tuple(box for box, good in zip(boxes, counted, strict=True) if not good)
        made.append(
            Radiograph(radiograph.name, radiograph.patient, radiograph.load, nodules, ignored)
        )
    if not any(one.nodules for one in made):
        raise UtilityError(
            f"None of the {len(made)} real radiographs has a nodule of {sizes_px[0]:g} to "
            f"{sizes_px[1]:g} px in the table of boxes; give images and boxes of the same names."
        )
    return made


def check_leaks(training: Sequence[Radiograph], test: Sequence[Radiograph]) -> None:
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


def thumbnails(radiographs: Sequence[Radiograph]) -> np.ndarray:
    """Thumbnails as unit vectors, shape (radiograph, pixel): their products are correlations."""
    import torch
    from torch.nn.functional import interpolate

    rows = []
    for one in radiographs:
        pixels = one.load()
        step = max(min(pixels.shape) // (4 * THUMB_PX), 1)  # a sparse grid is enough, and quick
        sparse = torch.from_numpy(pixels[::step, ::step].astype(np.float32))[None, None]
        scaled = interpolate(sparse, (THUMB_PX, THUMB_PX), mode="bilinear", antialias=True)
        small = scaled.numpy().ravel()
        small -= small.mean()
        rows.append(small / max(float(np.linalg.norm(small)), 1e-12))
    return np.reshape(rows, (-1, THUMB_PX**2))
