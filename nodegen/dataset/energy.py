"""Energy-based normalisation of the grey scale, and its inverse.

An image is parted into bands of detail, and each band gets the energy that it has in NODE21's
images, inside the lungs (Philipsen et al., IEEE TMI 34(9), 2015). With its gains known the
normalisation is linear, so that a change of the normalised image has one change of the original
that it comes from.
"""

import numpy as np
from scipy import fft, ndimage

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # of the Gaussians that part the bands, px
# Mean over 24 of NODE21's images: standard deviation of each band inside the lungs, that of what is
# left, and the mean, in grey levels of 0..4095.
ENERGIES = (51.7, 48.5, 69.3, 89.0, 99.9, 101.4)
REST_ENERGY, MEAN = 352.8, 2009.0
ROUNDS = 10  # of making energies equal; the bands overlap a little
CLOSE = 0.02  # of each energy, where it ends
GAINS = (0.2, 5.0)  # of a band in all, so that a blank band's noise is not blown up


def bands(pixels: np.ndarray) -> list[np.ndarray]:
    """Part an image into bands of detail, fine to coarse, and what is left; they sum up to it."""
    found, low = [], pixels.astype(np.float32)
    for sigma in SIGMAS:
        smoother = _blurred(pixels, sigma)
        found.append(low - smoother)
        low = smoother
    return [*found, low]


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones on a coarser grid, where they cost little."""
    factor = max(int(sigma // 4), 1)
    rows, columns = pixels.shape
    if factor == 1 or rows % factor or columns % factor:
        made: np.ndarray = ndimage.gaussian_filter(pixels, sigma, mode="nearest", truncate=3)
        return made
    coarse = pixels.reshape(rows // factor, factor, columns // factor, factor).mean((1, 3))
    coarse = ndimage.gaussian_filter(coarse, sigma / factor, mode="nearest", truncate=3)
    zoomed: np.ndarray = ndimage.zoom(coarse, factor, order=1, grid_mode=True, mode="nearest")
    return zoomed


def energies(parts: list[np.ndarray], region: np.ndarray) -> np.ndarray:
    """Standard deviation of each band inside a region, and that of the rest at the end."""
    return np.array([part[region].std() for part in parts])


def normalised(
    pixels: np.ndarray, region: np.ndarray
) -> tuple[np.ndarray, tuple[float, ...], float]:
    """Give each band the energy that it has in NODE21's images, inside a region.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
    region : numpy.ndarray of bool, shape (row, column)
        The lungs.

    Returns
    -------
    pixels : numpy.ndarray of float32
        In grey levels of 0..4095, not yet cut off there.
    gains : tuple of float
        What each band was multiplied by, fine to coarse, and what the rest was.
    offset : float
        What was added then, grey levels.
    """
    wanted = np.array([*ENERGIES, REST_ENERGY])
    parts = bands(pixels)
    whole = max(float(parts[-1][region].std()), 1e-6)
    gains = np.full(len(parts), REST_ENERGY / whole)
    lowest, highest = (limit * REST_ENERGY / whole for limit in GAINS)
    for _ in range(ROUNDS):
        made = _sum(parts, gains)
        ratio = wanted / np.maximum(energies(bands(made), region), 1e-6)
        gains = np.clip(gains * ratio, lowest, highest)
        if np.abs(ratio - 1).max() < CLOSE:
            break
    made = _sum(parts, gains)
    offset = MEAN - float(made[region].mean())
    return made + offset, tuple(float(gain) for gain in gains), offset


def amplified(pixels: np.ndarray, gains: tuple[float, ...]) -> np.ndarray:
    """An image with each band multiplied by its gain, (row, column) float32."""
    return _sum(bands(pixels), np.array(gains))


def attenuated(change: np.ndarray, gains: tuple[float, ...]) -> np.ndarray:
    """The change that :func:`amplified` makes this one of: its inverse.

    Each band is divided by its gain in Fourier space, where bands are weights that sum to 1.

    Parameters
    ----------
    change : numpy.ndarray, shape (row, column)
        Zero near its edges, for at least three times the widest of ``SIGMAS``.

    Examples
    --------
    >>> spot = np.zeros((256, 256), np.float32)
    >>> spot[120:136, 120:136] = 100
    >>> gains = (2.0, 2.0, 1.5, 1.5, 1.0, 1.0, 0.5)
    >>> back = amplified(attenuated(spot, gains), gains)
    >>> bool(np.abs(back - spot).max() < 1)
    True
    """
    rows, columns = (np.asarray(fft.fftfreq(length)) for length in change.shape)
    square = (2 * np.pi) ** 2 * (
        rows[:, None] ** 2 + columns[None, : change.shape[1] // 2 + 1] ** 2
    )
    left = np.ones(square.shape)
    gain = np.zeros(square.shape)
    for sigma, own in zip(SIGMAS, gains, strict=False):
        smoother = np.exp(-0.5 * sigma**2 * square)
        gain += own * (left - smoother)
        left = smoother
    gain += gains[-1] * left
    spectrum = fft.rfft2(change.astype(np.float64)) / gain
    return np.asarray(fft.irfft2(spectrum, s=change.shape), np.float32)


def _sum(parts: list[np.ndarray], gains: np.ndarray) -> np.ndarray:
    made: np.ndarray = np.tensordot(gains.astype(np.float32), np.stack(parts), 1)
    return made
