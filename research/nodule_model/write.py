"""Writing drawn nodules in the organisers' form, which ``nodegen prepare`` takes."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from nodegen.errors import OutputError
from nodegen.nodules.patches import DIAMETERS, PATCH_MARK, SEGMENTATION_MARK, SUFFIX
from research.nodule_model.synthesise import Synthetic

PATCHES, SEGMENTATIONS = "patches", "segmentations"


def write_patches(folder: Path, series: str, count: int, nodules: Iterable[Synthetic]) -> None:
    """Write patches and masks, compressed: all of them, or none.

    Parameters
    ----------
    folder : Path
        Gets ``patches/``, ``segmentations/`` and ``ct_nodules.csv``; must be new or empty.
    series : str
        Begins the files' names.
    count : int
        Of the nodules, for numbers of one width.
    nodules : iterable of Synthetic
        What is written.

    Raises
    ------
    OutputError
        Where the folder cannot be written or holds something.
    """
    width, rows = len(str(count - 1)), ["img_name,diameter"]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder.parent) as beside:
            made = Path(beside) / "made"
            for kind in (PATCHES, SEGMENTATIONS):
                (made / kind).mkdir(parents=True)
            for number, nodule in enumerate(nodules):
                name = f"{number:0{width}}{SUFFIX}"
                _write(made / PATCHES / f"{series}{PATCH_MARK}{name}", nodule.volume_hu)
                _write(made / SEGMENTATIONS / f"{series}{SEGMENTATION_MARK}{name}", nodule.mask)
                rows.append(f"{series}{PATCH_MARK}{name},{nodule.diameter_mm}")
            (made / DIAMETERS).write_text("\n".join(rows) + "\n")
            made.rename(folder)  # takes the place of an empty folder, too
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror}); give a new folder, with room."
        ) from None


def _write(path: Path, volume: np.ndarray) -> None:
    """Write an array (slice, row, column) at 1 mm, centred on the origin."""
    image = sitk.GetImageFromArray(volume)
    image.SetOrigin([-(size - 1) / 2 for size in image.GetSize()])
    sitk.WriteImage(image, str(path), useCompression=True)
