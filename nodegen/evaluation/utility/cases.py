"""Real radiographs with their patients and boxes, and the check that none is on both sides."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from nodegen.dataset.sources import find_patient
from nodegen.dataset.standardise import LungCrop, is_node21, standardise
from nodegen.errors import StackError, UtilityError
from nodegen.evaluation.utility.cache import Arrays, content_hash, once
from nodegen.io.box_tables import BoxTable
from nodegen.io.boxes import Box
from nodegen.io.radiograph import Radiograph, find_radiographs, left_out, read_radiographs
from nodegen.io.stack import bare_name

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
def _radiographs(path: Path) -> list[Radiograph]:
    return list(read_radiographs(path))


def _read(path: Path, number: int, store: Path | None) -> tuple[np.ndarray, LungCrop | None]:
    """The pixels of a file's slice; with a store, in NODE21's form, and how they were cropped."""
    original = _radiographs(path)[number]
    if store is None or is_node21(original.pixels):
        return original.pixels, None

    def make() -> Arrays:
        made = standardise(original)
        return {
            "pixels": made.radiograph.pixels,
            "crop": np.array(astuple(made.transformation.crop)),
        }

    made = once(store, "standardised", [original.pixels], make)
    return made["pixels"], LungCrop(*made["crop"].tolist())


def _pixels(path: Path, number: int, store: Path | None) -> np.ndarray:
    return _read(path, number, store)[0]


def read_cases(
    folders: Sequence[Path],
    store: Path | None = None,
    tables: Sequence[BoxTable] = (),
    sizes_px: tuple[float, float] = (0, np.inf),
    ignored_sources: Collection[str] = (),
) -> list[BoxedRadiograph]:
    """Read the radiographs in folders, each slice of a stack by itself, with their boxes.

    One that cannot be used is named and left out. With a store, those that are not in NODE21's form
    are brought to it, and kept there. One that no table names has no nodule. Boxes whose larger
    side is beyond ``sizes_px``, or with one of ``ignored_sources``, do not count.
    """
    found: list[BoxedRadiograph] = []
    sources: list[tuple[Path, int, Path | None]] = []
    names: list[str] = []
    for path, folder in find_radiographs(list(folders)):
        with left_out(str(path)):
            patient = Path(find_patient(path, path.relative_to(folder).as_posix())).name
            own = [(path, number, store) for number in range(len(_radiographs(path)))]
            for source in own if store else ():
                _read(*source)
            parts = [f":{number}" for number in range(len(own))] if len(own) > 1 else [""]
            sources += own
            names += [f"{path}{part}" for part in parts]
            found += [
                BoxedRadiograph(
                    bare_name(path.name) + part, patient + part, partial(_pixels, *source)
                )
                for part, source in zip(parts, own, strict=True)
            ]
    if not found:
        raise StackError(
            f"No file in {', '.join(map(str, folders))} is a radiograph that can be used; "
            "give other folders."
        )
    for table in tables:
        for one, source, row in zip(found, sources, table.match(names), strict=True):
            if row is None:
                continue
            one.others_unboxed |= row.others_unboxed
            crop, shape = _read(*source)[1], _radiographs(source[0])[source[1]].pixels.shape
            for box, drawn in zip(row.fitted(shape), row.boxes, strict=True):
                edges = crop.apply_box(box.edges) if crop else box.edges
                if edges is None:  # beyond the crop
                    continue
                counts = sizes_px[0] <= max(edges[2] - edges[0], edges[3] - edges[1]) <= sizes_px[1]
                if counts and drawn.source not in ignored_sources:
                    one.nodules += (Box(0, *edges),)
                else:
                    one.ignored += (Box(0, *edges),)
    if tables and not any(one.nodules for one in found):
        raise UtilityError(
            f"None of the {len(found)} real radiographs has a nodule of {sizes_px[0]:g} to "
            f"{sizes_px[1]:g} px in the table of boxes; give images and boxes of the same names."
        )
    return found


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
