"""The organisers' baseline for one box, done at run time from a 3D patch, for comparison.

Their steps: read the patch and its mask, resample both in 3D, linearly, so that the nodule gets the
box's size, project along every ray of the patch, match the contrast, blend by Poisson. The parts
are nodegen's own and scipy's, in float and in memory; the baseline's way through JPEG files is not
timed.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import zoom

from benchmarks.generators import SIDES_PX, median_ms
from nodegen.io.library import Library
from nodegen.synthesis.choice import larger
from nodegen.synthesis.contribution import FittedNodule
from nodegen.synthesis.poisson import poisson
from nodegen.synthesis.projection import centred, cut_to_mask, match_contrast, normalise, project

PATCH_MM = 50  # side of the organisers' patches, at 1 mm
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the diameters: what a smaller nodule costs is cubic


def measure_baseline(crop: np.ndarray, library: Library, repeats: int) -> dict[str, float]:
    """Milliseconds of one box by box side: the mean over the diameters that ``library`` gives.

    A nodule is a ball of soft tissue. The smaller it is, the more voxels a patch has when it is
    resampled to the box.

    Parameters
    ----------
    crop : ndarray of float32, shape (256, 256)
        Where the box lies, in 0..1.
    library : Library
        Gives the diameters of the balls, mm.
    repeats : int
        Timed runs of each ball; 3 at most.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for side in SIDES_PX:
            diameters = library.diameters_mm[larger(library, side)]
            times = []
            for diameter in np.quantile(diameters, QUANTILES):
                patch, segmentation = _write_ball(Path(folder), diameter)
                work = partial(_box, crop, patch, segmentation, diameter, side)
                times.append(median_ms(work, min(repeats, 3)))
            results[str(side)] = float(np.mean(times))
        return results


def _write_ball(folder: Path, diameter_mm: float) -> tuple[Path, Path]:
    at = np.indices((PATCH_MM,) * 3) - (PATCH_MM - 1) / 2
    ball = np.sqrt((at**2).sum(axis=0)) < diameter_mm / 2
    rng = np.random.default_rng(0)
    volume = (np.where(ball, 30, -850) + rng.normal(0, 30, ball.shape)).astype(np.int16)
    patch, segmentation = folder / "patch.mha", folder / "segmentation.mha"
    for path, array in ((patch, volume), (segmentation, ball.astype(np.uint8))):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path), useCompression=True)
    return patch, segmentation


def _box(
    crop: np.ndarray, patch: Path, segmentation: Path, diameter_mm: float, side_px: int
) -> None:
    hu, mask = (
        zoom(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), side_px / diameter_mm, order=1)
        for path in (patch, segmentation)
    )
    shadow, mask2d = cut_to_mask(*project(hu, mask))
    shadow = normalise(shadow)
    contrast = match_contrast(shadow[mask2d], crop, "hyposignal")
    middle = crop.shape[0] / 2, crop.shape[1] / 2
    fitted = FittedNodule(
        (slice(0, crop.shape[0]), slice(0, crop.shape[1])),
        centred(shadow * np.float32(contrast), crop.shape, *middle),
        centred(mask2d, crop.shape, *middle) > 0,
    )
    poisson(crop.copy(), fitted)
