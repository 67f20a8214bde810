"""CT patches and their segmentations, in the form in which the NODE21 organisers publish them.

``<series>_dcm_<n>.mha`` holds HU, ``<series>_seg_<n>.mha`` the nodule's mask, and
``ct_nodules.csv`` (``img_name,diameter``) the diameter of each. Arrays are (slice, row, column).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from nodegen.errors import NodegenError, SettingError, StackError
from nodegen.io.image import Geometry
from nodegen.io.stack import read_stack

PATCH_MARK, SEGMENTATION_MARK = "_dcm_", "_seg_"
SUFFIX = ".mha"
DIAMETERS = "ct_nodules.csv"
AIR_HU, TISSUE_HU = -300.0, -700.0  # every patch of a lung nodule reaches below and above
PROBABILITY = 0.5  # from which on a voxel belongs to the nodule
# Pieces of one nodule lie within; in the organisers' masks 5.1 mm apart at most (297 seen).
GAP_MM = 10.0
STRAY = 0.05  # of a mask's voxels that may lie farther off, and are left out: slips of the pen
SPACING_TOLERANCE = 0.01  # of 1 mm: diameters count voxels, so a voxel must be a millimetre
# How far a patch's geometry and its segmentation's may differ: rounding in their headers.
_SAME = {"spacing": SPACING_TOLERANCE, "origin": 0.1, "direction": 0.001}


class PairError(NodegenError):
    """A patch and its segmentation cannot be used; the message is the reason."""


@dataclass(frozen=True)
class Pair:
    """A patch and its segmentation; one of the two is None where it has no partner."""

    name: str  # the patch's file name without its suffix
    patch: Path | None
    segmentation: Path | None


def find_pairs(patches: Path, segmentations: Path) -> list[Pair]:
    """List the pairs of two folders, sorted by name.

    Parameters
    ----------
    patches, segmentations : Path
        Folders of CT patches and of their masks; may be the same one.

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
        Pair(PATCH_MARK.join(key), found_patches.get(key), found_masks.get(key))
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


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Read a pair as it lies in its files; headers' orientations do not turn it.

    Voxels of the mask that lie far from the nodule, and are few, are left out of it.

    Parameters
    ----------
    pair : Pair
        From :func:`find_pairs`.

    Returns
    -------
    volume_hu, mask : ndarray, shape (slice, row, column)
        HU in the file's own pixel type; bool.

    Raises
    ------
    PairError
        With the reason, where the two cannot be used.
    """
    if pair.patch is None:
        raise PairError("the segmentation has no patch")
    if pair.segmentation is None:
        raise PairError("the patch has no segmentation")
    volume, place = _read(pair.patch, "patch")
    labels, its_place = _read(pair.segmentation, "segmentation")
    if volume.shape != labels.shape:
        raise PairError(f"the patch has shape {volume.shape} and the segmentation {labels.shape}")
    for what, tolerance in _SAME.items():
        one, other = getattr(place, what), getattr(its_place, what)
        if max(abs(a - b) for a, b in zip(one, other, strict=True)) > tolerance:
            raise PairError(
                f"the patch has {what} {_numbers(one)} and the segmentation {_numbers(other)}: "
                "resample one to the other's voxels first"
            )
    if any(abs(side - 1) > SPACING_TOLERANCE for side in place.spacing):
        raise PairError(
            f"the patch's voxels are {_numbers(place.spacing)} mm, not 1 mm: resample it first"
        )
    _check_hu(volume)
    return volume, _one_nodule(_mask(labels))


def _read(path: Path, what: str) -> tuple[np.ndarray, Geometry]:
    try:
        stack = read_stack(path)
    except StackError as error:
        raise PairError(f"the {what} cannot be read ({str(error).rstrip('.')})") from None
    if stack.geometry.dimension != 3:
        raise PairError(f"the {what} has {stack.geometry.dimension} dimensions, not 3")
    return stack.pixels, stack.geometry


def _numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def _check_hu(volume: np.ndarray) -> None:
    """Refuse values that are no HU: with an offset, in another unit, or all the same."""
    low, high = float(volume.min()), float(volume.max())
    if low == high:
        raise PairError(f"the patch is constant ({low:g}): there is nothing to project")
    if low > AIR_HU or high < TISSUE_HU:
        raise PairError(
            f"the patch's values are {low:g} to {high:g}, where HU of lung and of a nodule are "
            "wanted: they are in another unit or have an offset, such as 1024, to be taken off"
        )


def _mask(labels: np.ndarray) -> np.ndarray:
    """The nodule in a segmentation: labels, or probabilities of which a half and more count."""
    values = np.unique(labels)
    if values[0] < 0:
        raise PairError(f"the segmentation holds {values[0]:g}, where 0 and more are allowed")
    if np.issubdtype(labels.dtype, np.floating) and not np.all(values == np.rint(values)):
        if values[-1] > 1:
            raise PairError(
                "the segmentation holds neither labels nor probabilities, but fractions up to "
                f"{values[-1]:g}"
            )
        mask = np.asarray(labels >= PROBABILITY)
    else:
        found = values[values > 0]
        if len(found) > 1:
            raise PairError(
                f"the segmentation holds {len(found)} labels ({found[0]:g}, {found[1]:g}, …) where "
                "one nodule is wanted: write each to a pair of its own"
            )
        mask = np.asarray(labels > 0)
    if not mask.any():
        raise PairError("the segmentation is empty")
    if mask.all():
        raise PairError("the segmentation covers the whole patch")
    return mask


def _one_nodule(mask: np.ndarray) -> np.ndarray:
    """Leave out of a mask what lies far from the nodule; refuse it where that is much."""
    pieces, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if count == 1:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    near: np.ndarray = np.asarray(pieces == sizes.argmax())
    while True:  # a piece near a piece that belongs belongs, too
        within = ndimage.distance_transform_edt(~near) <= GAP_MM
        grown = np.isin(pieces, np.unique(pieces[within & mask]))
        if np.array_equal(grown, near):
            break
        near = grown
    stray = int(mask.sum() - near.sum())
    if stray > STRAY * mask.sum():
        raise PairError(
            f"the segmentation has pieces more than {GAP_MM:g} mm apart: write each nodule to a "
            "pair of its own"
        )
    return near
