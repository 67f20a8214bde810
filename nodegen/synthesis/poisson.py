"""Poisson: gradient-domain blending with mixed gradients (the organisers' baseline).

In the box, the image is sought whose gradients come closest to the stronger of the nodule's and the
radiograph's, and which meets the radiograph at the border. On a rectangle that equation is solved
exactly by a sine transform, in float and for a box of any size.
"""

import numpy as np
from scipy.fft import dstn, idstn
from scipy.ndimage import binary_dilation

from nodegen.constants import GAIN_MOST
from nodegen.io.boxes import Recipe
from nodegen.synthesis.contribution import FittedNodule
from nodegen.synthesis.fit_to_box import bounds

POISSON_WEIGHT = 0.5  # the baseline's mean of the blended and the untouched image

ROUNDS = 2  # of raising a nodule until its contrast is got
BORDER_PX = 2  # of radiograph around the nodule, so that the border itself carries no nodule


def poisson(slice01: np.ndarray, nodule: FittedNodule, recipe: Recipe | None = None) -> None:
    """Blend a nodule's gradients into a slice.

    Parameters
    ----------
    slice01 : ndarray of float32, shape (row, column)
        The slice in 0..1; changed in place.
    nodule : FittedNodule
        Its contribution, in the same levels; raised where the blend loses of its central disc.
    recipe : Recipe, optional
        Not used; all methods of drawing are called alike.
    """
    ground, disc = slice01[nodule.window], nodule.central_disc
    change = _change(ground, nodule.contribution, nodule.drawn)
    if disc is not None:
        # Half of the nodule is lost in the mean, and more where the radiograph's own gradients are
        # the stronger: what was drawn is raised until it is got, as far as that goes.
        wanted, gain = float(nodule.contribution[disc].mean()), 1 / POISSON_WEIGHT
        for _ in range(ROUNDS):
            change = _change(ground, nodule.contribution * np.float32(gain), nodule.drawn)
            found = float(change[disc].mean())
            gain = min(gain * wanted / found, GAIN_MOST) if found * wanted > 0 else GAIN_MOST
    slice01[nodule.window] = np.clip(ground + change, 0.0, 1.0)


def _change(window: np.ndarray, contribution: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What blending adds to a window of the slice (row, column)."""
    reach = BORDER_PX + 1
    # Beyond the slice its edge goes on, so that a box there has a border too.
    ground = np.pad(window, reach, mode="edge").astype(np.float64)
    source = np.pad(contribution, reach).astype(np.float64)
    rows, columns = bounds(binary_dilation(np.pad(mask, reach), iterations=BORDER_PX))
    frame = slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1)
    solved = _solve(ground[frame], source[frame])
    change = np.zeros_like(ground)
    change[rows, columns] = POISSON_WEIGHT * (solved - ground[rows, columns])
    inner = (slice(reach, -reach),) * 2
    return change[inner]


def _solve(ground: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The image inside ``ground`` (row, column) that takes on the mixed gradients.

    The outermost pixels of ``ground`` are the border that is met; the result lacks them.
    """
    divergence = np.zeros_like(ground)
    for axis in (0, 1):
        own, other = np.diff(ground, axis=axis), np.diff(source, axis=axis)
        mixed = np.where(np.abs(other) > np.abs(own), other, own)
        # In place, by views in which the axis comes first.
        moved, change = np.moveaxis(divergence, axis, 0), np.moveaxis(mixed, axis, 0)
        moved[:-1] += change
        moved[1:] -= change
    rhs = divergence[1:-1, 1:-1].copy()
    rhs[0] -= ground[0, 1:-1]
    rhs[-1] -= ground[-1, 1:-1]
    rhs[:, 0] -= ground[1:-1, 0]
    rhs[:, -1] -= ground[1:-1, -1]
    eigen_rows, eigen_columns = (
        2.0 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1)) - 2.0 for n in rhs.shape
    )
    spectrum = dstn(rhs, type=1) / (eigen_rows[:, None] + eigen_columns)
    return np.asarray(idstn(spectrum, type=1))
