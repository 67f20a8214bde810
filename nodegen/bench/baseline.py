"""The organisers' baseline for one box, done at run time from a 3D patch, for comparison.

Their steps: read the patch and its mask, resample both in 3D to the box's size, project, match the
contrast, blend by Poisson. The parts are nodegen's own and scipy's, in float and in memory; the
baseline's own way through 8-bit files is slower.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import zoom

from nodegen.bench.generators import SIDES_PX, median_ms
from nodegen.blend import PlacedNodule
from nodegen.blend.poisson import poisson
from nodegen.contrast import match_contrast, normalise
from nodegen.nodules.patches import write_volume
from nodegen.projection import project
from nodegen.resample import centred

PATCH_MM = 50  # side of the organisers' patches, at 1 mm
ORDER = 3  # cubic splines, scipy's default, which the baseline uses


def measure_baseline(crop: np.ndarray, repeats: int) -> dict[str, float]:
    """Milliseconds of one box by box side, with a ball of soft tissue of 20 mm as the nodule.

    Parameters
    ----------
    crop : ndarray of float32, shape (256, 256)
        Where the box lies, in 0..1.
    """
    at = np.indices((PATCH_MM,) * 3) - (PATCH_MM - 1) / 2
    ball = np.sqrt((at**2).sum(axis=0)) < 10
    rng = np.random.default_rng(0)
    volume = (np.where(ball, 30, -850) + rng.normal(0, 30, ball.shape)).astype(np.int16)
    with tempfile.TemporaryDirectory() as folder:
        patch, segmentation = Path(folder) / "patch.mha", Path(folder) / "segmentation.mha"
        write_volume(patch, volume)
        write_volume(segmentation, ball.astype(np.uint8))

        def box(side: int) -> None:
            hu, mask = (
                sitk.GetArrayFromImage(sitk.ReadImage(str(p))) for p in (patch, segmentation)
            )
            hu = zoom(hu.astype(np.float32), side / PATCH_MM, order=ORDER)
            mask = zoom(mask, side / PATCH_MM, order=0)
            shadow, mask2d = project(hu, mask)
            shadow = normalise(shadow)
            contrast = match_contrast(shadow[mask2d], crop, "hyposignal")
            middle = crop.shape[0] / 2, crop.shape[1] / 2
            placed = PlacedNodule(
                centred(shadow * np.float32(contrast), crop.shape, *middle),
                centred(mask2d, crop.shape, *middle) > 0,
            )
            poisson(crop, placed)

        return {str(side): median_ms(partial(box, side), repeats) for side in SIDES_PX}
