"""Real radiographs with their patients and boxes, and the check that none is on both sides."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from nodegen.dataset.standardise import LungCrop, is_node21, standardise
from nodegen.errors import UtilityError
from nodegen.evaluation.boxed_images import BoxedImage, read_real
from nodegen.evaluation.utility.cache import Arrays, content_hash, once
from nodegen.io.box_tables import BoxTable
from nodegen.io.boxes import Box
from nodegen.io.radiograph import Radiograph, left_out
from nodegen.io.stack import Stack, read_stack

BACKGROUND_SHARE = 0.75  # of the patients without a nodule, where no backgrounds are given
THUMB_PX = 32  # side of the thumbnails that are compared
# Of 115 radiographs no two of different patients correlate above 0.955; the same one at half the
# size, in a grey scale stretched or with noise of 100 grey levels stays above 0.999.
SAME_RADIOGRAPH = 0.985


@dataclass
class BoxedRadiograph:
    """One radiograph, whose pixels are read when they are asked for."""

    name: str  # the file's stem, with the slice's number in a stack
    patient: str
    load: Callable[[], np.ndarray] = field(compare=False, repr=False)  # gives pixels (row, column)
    nodules: tuple[Box, ...] = ()  # in slice 0
    ignored: tuple[Box, ...] = ()  # boxes that do not count: neither a nodule nor a false alarm
    others_unboxed: bool = False  # other nodules have no box: false positives do not count


@lru_cache(maxsize=128)  # files; each is asked for several times, and 128 take 256 MB
def _stack(path: Path) -> Stack:
    return read_stack(path)


def _load(path: Path, number: int, store: Path | None) -> np.ndarray:
    pixels = _stack(path).pixels[number]
    return _standardised(pixels, store)[0] if store and not is_node21(pixels) else pixels


def _standardised(pixels: np.ndarray, store: Path) -> tuple[np.ndarray, LungCrop]:
    """Pixels in NODE21's form, which the store keeps, and how they were cropped."""

    def make() -> Arrays:
        made = standardise(Radiograph(pixels, None, Path()))
        return {
            "pixels": made.radiograph.pixels,
            "crop": np.array(astuple(made.transformation.crop)),
        }

    made = once(store, "standardised", [pixels], make)
    return made["pixels"], LungCrop(*made["crop"].tolist())


def read_cases(
    folders: Sequence[Path],
    store: Path | None = None,
    tables: Sequence[BoxTable] = (),
    sizes_px: tuple[float, float] = (0, np.inf),
    ignored_sources: Collection[str] = (),
) -> list[BoxedRadiograph]:
    """Read radiographs with their boxes as :func:`read_real` does, those without a nodule, too.

    With a store, those that are not in NODE21's form are brought to it, and kept there. Boxes whose
    larger side is beyond ``sizes_px``, or with one of ``ignored_sources``, do not count.
    """
    found: list[BoxedRadiograph] = []
    for image in read_real(folders, tables, without_nodules=True):
        with left_out(str(image.file[0])):
            found.append(_case(image, store, sizes_px, ignored_sources))
    if not found:
        raise UtilityError("None of the radiographs can be used; see why above.")
    if tables and not any(one.nodules for one in found):
        raise UtilityError(
            f"None of the {len(found)} real radiographs has a nodule of {sizes_px[0]:g} to "
            f"{sizes_px[1]:g} px in the table of boxes; give images and boxes of the same names."
        )
    return found


def _case(
    image: BoxedImage,
    store: Path | None,
    sizes_px: tuple[float, float],
    ignored_sources: Collection[str],
) -> BoxedRadiograph:
    load = partial(_load, *image.file, store)
    if store and not is_node21(image.pixels):
        image = image.in_crop(*_standardised(image.pixels, store))
    nodules, ignored = list[Box](), list[Box]()
    for box, source in zip(image.boxes, image.sources, strict=True):
        counts = sizes_px[0] <= max(box.width, box.height) <= sizes_px[1]
        (nodules if counts and source not in ignored_sources else ignored).append(box)
    return BoxedRadiograph(
        image.name, image.patient, load, tuple(nodules), tuple(ignored), image.others_unboxed
    )


def split(
    real: Sequence[BoxedRadiograph], backgrounds: Sequence[BoxedRadiograph] | None, seed: int
) -> tuple[list[BoxedRadiograph], list[BoxedRadiograph]]:
    """Part real radiographs into backgrounds and test, no patient on both sides.

    Without backgrounds, ``seed`` chooses three quarters of the patients without a nodule.
    """
    test = list(real)
    if backgrounds is None:
        sick = {one.patient for one in real if one.nodules or one.ignored or one.others_unboxed}
        healthy = {one.patient for one in real} - sick
        order = sorted(healthy, key=lambda name: content_hash("split", name, seed))
        taken = set(order[: round(BACKGROUND_SHARE * len(order))])
        backgrounds = [one for one in real if one.patient in taken]
        test = [one for one in real if one.patient not in taken]
    if not backgrounds:
        raise UtilityError(
            "There are no radiographs to draw nodules into; give a folder of backgrounds, or real "
            "radiographs without a nodule."
        )
    check_leaks(backgrounds, test)
    return list(backgrounds), test


def check_leaks(training: Sequence[BoxedRadiograph], test: Sequence[BoxedRadiograph]) -> None:
    """Refuse a patient, or a radiograph under whatever name, that is on both sides."""
    patients = {one.patient: one.name for one in test}
    for one in training:
        if one.patient in patients:
            raise UtilityError(
                f"Patient {one.patient} is among the backgrounds ({one.name}) and in the test "
                f"({patients[one.patient]}); take one of them out."
            )
    likeness = _thumbnails(training) @ _thumbnails(test).T
    if likeness.size and likeness.max() > SAME_RADIOGRAPH:
        i, k = divmod(int(likeness.argmax()), len(test))
        raise UtilityError(
            f"Background {training[i].name} and the test's {test[k].name} are the same radiograph "
            f"(correlation {likeness.max():.3f}); take one of them out."
        )


def _thumbnails(radiographs: Sequence[BoxedRadiograph]) -> np.ndarray:
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
