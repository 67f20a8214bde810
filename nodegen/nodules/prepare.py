"""Prepare: CT patches and their segmentations, projected once and stored as a library."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nodegen.constants import PROJECTION_AXIS
from nodegen.errors import LibraryError, SettingError
from nodegen.io.files import claim, write_text
from nodegen.io.library import ARRAY, INDEX, TABLE, WATER, Nodule, write_library
from nodegen.io.tables import csv_text
from nodegen.nodules.patches import DIAMETERS, SUFFIX, Pair, PairError, find_pairs, read_pair
from nodegen.synthesis.projection import cut_to_mask, diameter_mm, project
from nodegen.synthesis.water_thickness import added_water, along
from nodegen.workers import side_by_side, track, workers_for

SKIPPED = "skipped.csv"


@dataclass(frozen=True)
class PreparedLibrary:
    """What a run of :func:`prepare` did."""

    sha256: str  # of the library
    nodules: int  # pairs that are in it
    entries: int  # nodules times axes
    skipped: dict[str, str]  # name of each pair left out: the reason


def prepare(
    patches: Path,
    segmentations: Path,
    output: Path,
    *,
    workers: int | None = None,
    axes: Sequence[int] = (0, 1, 2),
    overwrite: bool = False,
    progress: bool = True,
) -> PreparedLibrary:
    """Turn folders of CT patches and segmentations into a nodule library.

    Parameters
    ----------
    patches, segmentations : Path
        Folders of ``*_dcm_*.mha`` (HU, at 1 mm) and ``*_seg_*.mha``; they may be the same.
    output : Path
        The library's folder. Pairs left out are listed there in ``skipped.csv``; as in the
        organisers', ``ct_nodules.csv`` holds the diameter of every readable pair along axis 1.
    workers : int, optional
        Threads; by default as many as this process may use cores.
    axes : sequence of {0, 1, 2}
        Axes of the patch array to project along; each is an entry of its own.
    overwrite : bool
        Replace a library that is there.
    progress : bool
        Show a progress bar.

    Raises
    ------
    SettingError
        Where a folder is missing or empty, or a setting is not allowed.
    LibraryError
        Where not one pair can be used.
    OutputError
        Where the output cannot be written, or holds a library already.
    """
    if not axes or not set(axes) <= {0, 1, 2}:
        raise SettingError(
            f"--axes is {','.join(map(str, axes))}, where 0, 1 and 2 are allowed; choose of them."
        )
    pairs = find_pairs(patches, segmentations)
    skipped: dict[str, str] = {}
    diameters: dict[str, int] = {}
    nodules: list[Nodule] = []
    results = [output / name for name in (SKIPPED, DIAMETERS, ARRAY, WATER, TABLE, INDEX)]
    with claim(*results, overwrite=overwrite) as staged:
        work = partial(_projected, axes=sorted(set(axes)))
        made = side_by_side(work, pairs, workers_for(workers, len(pairs)))
        for pair, done in zip(
            pairs, track(made, len(pairs), "prepare", "nodule", progress), strict=True
        ):
            if isinstance(done, str):
                skipped[pair.name] = done
                continue
            diameters[f"{pair.name}{SUFFIX}"], projected = done
            nodules += projected
            if not projected:
                skipped[pair.name] = "its projections are constant inside the mask"
        if not nodules:
            name, reason = next(iter(skipped.items()))
            raise LibraryError(
                f"None of the {len(pairs)} pairs in {patches} can be used (of {name}: {reason}); "
                "give patches with their segmentations."
            )
        write_text(staged[output / SKIPPED], csv_text(("name", "reason"), skipped.items()))
        write_text(
            staged[output / DIAMETERS], csv_text(("img_name", "diameter"), diameters.items())
        )
        sha256 = write_library(staged[output / INDEX].parent, nodules)
    return PreparedLibrary(sha256, len(pairs) - len(skipped), len(nodules), skipped)


def _projected(pair: Pair, axes: Sequence[int]) -> tuple[int, list[Nodule]] | str:
    """Diameter (mm) along the baseline's axis and projections of a pair, or why it is left out."""
    try:
        volume_hu, mask = read_pair(pair)
    except PairError as error:
        return str(error)
    nodules = []
    added_mm, step_mm = added_water(volume_hu, mask)
    for axis in axes:
        projection, mask2d = cut_to_mask(*project(volume_hu, mask, axis))
        # Constant where every voxel lies below the HU window: nothing of it could be seen.
        if np.ptp(projection[mask2d]) > 0:
            water_mm, side_mm = along(added_mm, step_mm, axis)
            size_mm = diameter_mm(mask2d)
            nodules.append(Nodule(projection, mask2d, size_mm, pair.name, axis, water_mm, side_mm))
    return diameter_mm(np.any(mask, axis=PROJECTION_AXIS)), nodules
