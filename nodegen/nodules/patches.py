"""CT patches and their segmentations, in the form in which the NODE21 organisers publish them.

``<series>_dcm_<n>.mha`` holds HU, ``<series>_seg_<n>.mha`` the nodule's mask, and
``ct_nodules.csv`` (``img_name,diameter``) the diameter of each. Arrays are (slice, row, column).
"""

import csv
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from nodegen.errors import NodegenError, OutputError, SettingError

PATCH_MARK, SEGMENTATION_MARK = "_dcm_", "_seg_"
SUFFIX = ".mha"
PATCHES, SEGMENTATIONS = "patches", "segmentations"
DIAMETERS = "ct_nodules.csv"
SPACING_TOLERANCE = 0.01  # of 1 mm: diameters count voxels, so a voxel must be a millimetre


class PairError(NodegenError):
    """A patch and its segmentation cannot be used; the message is the reason."""


@dataclass(frozen=True)
class Pair:
    """A patch and its segmentation; one of the two is None where it has no partner."""

    name: str  # the patch's file name without its suffix
    patch: Path | None
    segmentation: Path | None


def find_pairs(patches: Path, segmentations: Path) -> list[Pair]:
    """List the pairs of two folders (which may be the same one), by name.

    Raises
    ------
    SettingError
        Where a folder is missing, or the first holds no patch.
    """
    for folder in (patches, segmentations):
        if not Path(folder).is_dir():
            raise SettingError(f"There is no folder {folder}: give one that holds CT patches.")
    found_patches = _by_key(Path(patches), PATCH_MARK)
    found_masks = _by_key(Path(segmentations), SEGMENTATION_MARK)
    if not found_patches:
        raise SettingError(
            f"{patches} holds no file named *{PATCH_MARK}*{SUFFIX}: give the folder of CT patches."
        )
    return [
        Pair(_name(key), found_patches.get(key), found_masks.get(key))
        for key in sorted(found_patches.keys() | found_masks.keys())
    ]


def _by_key(folder: Path, mark: str) -> dict[tuple[str, str], Path]:
    """Files with a mark in their name, by what stands before and after it."""
    found = {}
    for path in folder.iterdir():
        series, split, number = path.name.rpartition(mark)
        if split and path.suffix.lower() == SUFFIX and not path.name.startswith("."):
            found[(series, number[: -len(SUFFIX)])] = path
    return found


def _name(key: tuple[str, str]) -> str:
    return f"{key[0]}{PATCH_MARK}{key[1]}"


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Read a pair as it lies in its files; headers' orientations do not turn it.

    Returns
    -------
    volume_hu : ndarray, shape (slice, row, column)
        In the file's own pixel type.
    mask : ndarray of bool, the same shape

    Raises
    ------
    PairError
        With the reason, where the two cannot be used.
    """
    if pair.patch is None:
        raise PairError("the segmentation has no patch")
    if pair.segmentation is None:
        raise PairError("the patch has no segmentation")
    volume, spacing = _read(pair.patch, "patch")
    labels, _ = _read(pair.segmentation, "segmentation")
    if volume.shape != labels.shape:
        raise PairError(f"the patch has shape {volume.shape} and the segmentation {labels.shape}")
    if any(abs(side - 1) > SPACING_TOLERANCE for side in spacing):
        raise PairError(f"the patch's voxels are {spacing} mm, not 1 mm: resample it first")
    if not np.isfinite(volume).all():
        raise PairError("the patch holds values that are not finite")
    mask = labels > 0
    if not mask.any():
        raise PairError("the segmentation is empty")
    return volume, mask


def _read(path: Path, what: str) -> tuple[np.ndarray, tuple[float, ...]]:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        # ITK's words fill a page; their last line names the fault.
        why = str(error).strip().splitlines()[-1].strip()
        raise PairError(f"the {what} cannot be read ({why})") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise PairError(
            f"the {what} has {image.GetDimension()} dimensions and "
            f"{image.GetNumberOfComponentsPerPixel()} values a voxel, not 3 and 1"
        )
    return sitk.GetArrayFromImage(image), image.GetSpacing()


def write_patches(folder: Path, nodules: Iterable[tuple[str, np.ndarray, np.ndarray, int]]) -> None:
    """Write patches and masks in the organisers' form: all of them, or none.

    Parameters
    ----------
    folder : Path
        Gets ``patches/``, ``segmentations/`` and, last, ``ct_nodules.csv``; must hold none of them.
    nodules : iterable of (name, volume_hu, mask, diameter_mm)
        The name is the patch's file name without its suffix, ``<series>_dcm_<n>``.

    Raises
    ------
    OutputError
        Where the folder cannot be written, or holds patches already.
    """
    folder = Path(folder)
    for name in (PATCHES, SEGMENTATIONS, DIAMETERS):
        if (folder / name).exists():
            raise OutputError(
                f"{folder} holds {name} already, and nothing is overwritten: give a new folder."
            )
    made = not folder.exists()
    beside = folder / ".part"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        (beside / PATCHES).mkdir(parents=True)
        (beside / SEGMENTATIONS).mkdir()
        rows = ["img_name,diameter"]
        for name, volume_hu, mask, diameter_mm in nodules:
            write_volume(beside / PATCHES / f"{name}{SUFFIX}", volume_hu)
            partner = name.replace(PATCH_MARK, SEGMENTATION_MARK)
            write_volume(beside / SEGMENTATIONS / f"{partner}{SUFFIX}", mask)
            rows.append(f"{name}{SUFFIX},{diameter_mm}")
        (beside / DIAMETERS).write_text("\n".join(rows) + "\n")
        for name in (PATCHES, SEGMENTATIONS, DIAMETERS):
            (beside / name).replace(folder / name)
    except (OSError, RuntimeError) as error:
        # ITK's words fill a page; their last line names the fault.
        why = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1].strip()
        raise OutputError(
            f"The patches cannot be written to {folder} ({why}): "
            "give a folder that can be written, with room left."
        ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if made:
            with suppress(OSError):
                folder.rmdir()  # does so only where it is empty


def write_volume(path: Path, volume: np.ndarray) -> None:
    """Write a patch or a mask, (slice, row, column) at 1 mm, centred on the origin; compressed."""
    image = sitk.GetImageFromArray(volume)
    image.SetOrigin([-(size - 1) / 2 for size in image.GetSize()])
    sitk.WriteImage(image, str(path), useCompression=True)


def read_diameters(path: Path) -> dict[str, int]:
    """Read ``ct_nodules.csv`` as patch name (without suffix) to diameter in mm.

    Raises
    ------
    SettingError
        Where it is missing or has other columns.
    """
    try:
        with open(path, newline="") as stream:
            return {
                row["img_name"].removesuffix(SUFFIX): int(float(row["diameter"]))
                for row in csv.DictReader(stream)
            }
    except (OSError, KeyError, TypeError, ValueError):
        raise SettingError(
            f"{path} cannot be read as a table with the columns img_name and diameter: "
            f"give the organisers' {DIAMETERS} or leave it out."
        ) from None
