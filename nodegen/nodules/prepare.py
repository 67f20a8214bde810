"""Prepare: CT patches and their segmentations, projected once and stored as a library.

Each pair becomes one part, a small file of its own under ``parts/`` in the output folder, so that
an interrupted run goes on where it stopped. The library itself is put together at the end from all
the parts, in the order of their names, whatever the number of processes.
"""

import csv
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from nodegen.constants import PROJECTION_AXIS
from nodegen.errors import LibraryError, OutputError, SettingError
from nodegen.io.files import locked, write_bytes
from nodegen.nodules.patches import DIAMETERS, SUFFIX, Pair, PairError, find_pairs, read_pair
from nodegen.progress import track
from nodegen.schemas import LIBRARY_VERSION
from nodegen.synthesis.library_writer import write_library
from nodegen.synthesis.nodule import Nodule
from nodegen.synthesis.projection import cut_to_mask, diameter_mm, project
from nodegen.synthesis.water_thickness import added_water, along

PARTS, SKIPPED = "parts", "skipped.csv"
CHUNK = 8  # pairs handed to a worker at a time


@dataclass(frozen=True)
class Prepared:
    """What a run of :func:`prepare` did."""

    sha256: str  # of the library
    nodules: int  # pairs that are in it
    entries: int  # nodules times axes
    continued: int  # pairs taken over from an interrupted run
    skipped: dict[str, str]  # name of each pair left out: the reason


def project_nodule(
    name: str,
    volume_hu: np.ndarray,
    mask: np.ndarray,
    axes: Sequence[int] = (0, 1, 2),
    opaque: bool = True,
) -> list[Nodule]:
    """Cut a nodule out by its mask and project it along each axis.

    Parameters
    ----------
    name : str
        The patch that it comes from, as the library lists it.
    volume_hu, mask : ndarray, shape (slice, row, column)
        CT patch at 1 mm, in HU, and its segmentation: any value above 0 is the nodule.
    axes : sequence of {0, 1, 2}
        Axes of the rays in the patch's array (slice, row, column).
    opaque : bool
        False leaves the thickness out (a single 0), for what looks at the projection alone.

    Returns
    -------
    list of Nodule
        Without those projections that are constant inside their mask, as those of a nodule whose
        every voxel lies below the HU window: nothing of it could be seen. May be empty.
    """
    nodules = []
    added_mm, step_mm = np.zeros((1, 1, 1), np.float32), 1.0
    if opaque:
        added_mm, step_mm = added_water(volume_hu, mask)
    for axis in axes:
        projection, mask2d = cut_to_mask(*project(volume_hu, mask, axis))
        if np.ptp(projection[mask2d]) > 0:
            water_mm, side_mm = along(added_mm, step_mm, axis)
            nodules.append(
                Nodule(projection, mask2d, diameter_mm(mask2d), name, axis, water_mm, side_mm)
            )
    return nodules


def prepare(
    patches: Path,
    segmentations: Path,
    output: Path,
    *,
    workers: int | None = None,
    axes: Sequence[int] = (0, 1, 2),
    progress: bool = True,
) -> Prepared:
    """Turn folders of CT patches and segmentations into a nodule library.

    Parameters
    ----------
    patches, segmentations : Path
        Folders of ``*_dcm_*.mha`` (HU, at 1 mm) and ``*_seg_*.mha``; they may be the same.
    output : Path
        The library's folder. Pairs left out are listed there in ``skipped.csv``; as in the
        organisers', ``ct_nodules.csv`` holds the diameter of every readable pair along axis 1.
    workers : int, optional
        Processes; by default as many as this process may use cores.
    axes : sequence of {0, 1, 2}
        Axes of the patch array to project along; each is an entry of its own.
    progress : bool
        Show a progress bar.

    Raises
    ------
    SettingError
        Where a folder is missing or empty, or a setting is not allowed.
    LibraryError
        Where not one pair can be used.
    OutputError
        Where the output cannot be written.
    """
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if workers < 1:
        raise SettingError(f"{workers} workers were asked for: give at least 1.")
    axes = sorted(set(axes))
    if not axes or not set(axes) <= {0, 1, 2}:
        raise SettingError(f"The axes are {axes}: give some of 0, 1 and 2.")
    pairs = find_pairs(patches, segmentations)
    with locked(Path(output)):
        return _prepare(pairs, patches, Path(output), workers, axes, progress)


def _prepare(
    pairs: Sequence[Pair],
    patches: Path,
    output: Path,
    workers: int,
    axes: Sequence[int],
    progress: bool,
) -> Prepared:
    parts = output / PARTS
    try:
        parts.mkdir(parents=True, exist_ok=True)
        # Parts whose files are no longer as they were have other names: never taken up, then gone.
        paths = {pair.name: parts / f"{_mark(pair, axes)}.npz" for pair in pairs}
        todo = [pair for pair in pairs if not paths[pair.name].exists()]
        work = partial(_make_parts, axes=axes, parts=str(parts))
        with closing(_run(work, todo, workers)) as done:
            told = track(done, len(todo), "prepare", "nodule", progress)
            skipped = {name: reason for name, reason in told if reason is not None}
        diameters: dict[str, int] = {}
        nodules: list[Nodule] = []
        for pair in pairs:
            if pair.name not in skipped:
                diameters[f"{pair.name}{SUFFIX}"], projected = _read_part(
                    paths[pair.name], pair.name
                )
                nodules += projected
                if not projected:
                    skipped[pair.name] = "its projections are constant inside the mask"
        write_bytes(output / SKIPPED, _table(("name", "reason"), dict(sorted(skipped.items()))))
        write_bytes(output / DIAMETERS, _table(("img_name", "diameter"), diameters))
        if not nodules:
            name, reason = next(iter(skipped.items()))
            raise LibraryError(
                f"None of the {len(pairs)} pairs in {patches} can be used ({name}: {reason}): "
                f"see {output / SKIPPED}, and give patches with their segmentations."
            )
        sha256 = write_library(output, nodules)
        shutil.rmtree(parts)
    except OSError as error:
        raise OutputError(
            f"The library cannot be written to {output} ({error.strerror or error}): "
            "give a folder that can be written, with room left."
        ) from None
    return Prepared(
        sha256, len(pairs) - len(skipped), len(nodules), len(pairs) - len(todo), skipped
    )


def _mark(pair: Pair, axes: Sequence[int]) -> str:
    """Name of a pair's part: changes with its files' sizes and times, and with the axes."""
    said = [f"library {LIBRARY_VERSION}", pair.name, *map(str, axes)]
    for path in (pair.patch, pair.segmentation):
        state = path.stat() if path is not None and path.exists() else None
        said.append(f"{state.st_size} {state.st_mtime_ns}" if state else "-")
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]


def _run(
    work: Callable[[list[Pair]], dict[str, str | None]], todo: list[Pair], workers: int
) -> Generator[tuple[str, str | None], None, None]:
    """Do all pairs, in this process or in several; yield each one's name and why it is left out."""
    chunks = [todo[start : start + CHUNK] for start in range(0, len(todo), CHUNK)]
    if workers == 1 or len(chunks) < 2:
        for chunk in chunks:
            yield from work(chunk).items()
        return
    # Spawned, so that no thread of this process is copied in the middle of its work.
    pool = ProcessPoolExecutor(min(workers, len(chunks)), mp_context=get_context("spawn"))
    try:
        for future in as_completed([pool.submit(work, chunk) for chunk in chunks]):
            yield from future.result().items()
    except BrokenProcessPool:
        raise OutputError(
            "A worker process died (killed, or out of memory): "
            "run the same command again with fewer workers, and it goes on."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _make_parts(pairs: list[Pair], axes: Sequence[int], parts: str) -> dict[str, str | None]:
    """Project some pairs and write their parts; return why each is left out, or None."""
    done: dict[str, str | None] = {}
    for pair in pairs:
        try:
            volume_hu, mask = read_pair(pair)
        except PairError as error:
            done[pair.name] = str(error)
            continue
        nodules = project_nodule(pair.name, volume_hu, mask, axes)
        arrays = {
            f"{what}{nodule.axis}": getattr(nodule, what)
            for nodule in nodules
            for what in ("projection", "mask", "water_mm", "step_mm")
        }
        stream = io.BytesIO()
        np.savez(stream, diameter=diameter_mm(np.any(mask, axis=PROJECTION_AXIS)), **arrays)
        write_bytes(Path(parts) / f"{_mark(pair, axes)}.npz", stream.getvalue())
        done[pair.name] = None
    return done


def _read_part(path: Path, name: str) -> tuple[int, list[Nodule]]:
    """Diameter along the baseline's axis, and the projections."""
    try:
        return _unpack(path, name)
    except (ValueError, KeyError, EOFError, BadZipFile):
        path.unlink()
        raise OutputError(
            f"The part of {name} that an earlier run left in {path.parent} was damaged and is now "
            "removed: run the same command again."
        ) from None


def _unpack(path: Path, name: str) -> tuple[int, list[Nodule]]:
    with np.load(path, allow_pickle=False) as arrays:
        return int(arrays["diameter"]), [
            Nodule(
                arrays[f"projection{axis}"],
                arrays[f"mask{axis}"],
                max(arrays[f"mask{axis}"].shape),
                name,
                axis,
                arrays[f"water_mm{axis}"],
                float(arrays[f"step_mm{axis}"]),
            )
            for axis in (0, 1, 2)
            if f"mask{axis}" in arrays
        ]


def _table(columns: tuple[str, str], rows: Mapping[str, object]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows.items())
    return text.getvalue().encode()
