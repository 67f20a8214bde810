"""Energy-based normalisation of the grey scale, and its inverse.

An image is parted into bands of detail, and each band gets the energy that it has in NODE21's
images, inside the lungs (Philipsen et al., IEEE TMI 34(9), 2015). With its gains known the
normalisation is linear, so that a change of the normalised image has one change of the original
that it comes from.
"""

import numpy as np
from scipy import fft

from nodegen.synthesis.noise_and_blur import blur

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # of the Gaussians that part the bands, px
# Mean over 24 of NODE21's images: standard deviation of each band inside the lungs, that of what is
# left, and the mean, in grey levels of 0..4095.
ENERGIES = (51.7, 48.5, 69.3, 89.0, 99.9, 101.4)
REST_ENERGY, MEAN = 352.8, 2009.0
ROUNDS = 6  # of making energies equal; the bands overlap a little
OVERSHOOT = 1.3  # exponent on what a band lacks: neighbours take back a part
CLOSE = 0.03  # of each energy, where it ends
SAMPLED = 2  # px between those by which energies are measured
GAINS = (0.2, 5.0)  # of a band in all, so that a blank band's noise is not blown up


def bands(pixels: np.ndarray) -> list[np.ndarray]:
    """Part an image (row, column) into a band of detail for each of ``SIGMAS``, and the rest.

    They sum up to the image, whose sides are a multiple of 16 px. Each Gaussian is made of the one
    before, from 4 px on by a grid of half as many px a side, whose means and linear interpolation
    are allowed for in the variance. Of a spot each band is right to 0.04 of its peak.
    """
    import torch

    level: np.ndarray = pixels.astype(np.float32)
    low = level
    found, step, variance = [], 1, 0.0  # px of a cell; px², of what the level was blurred by
    for sigma in SIGMAS:
        interpolated = 0.0
        if sigma >= 4:
            rows = level[::2] + level[1::2]
            level = (rows[:, ::2] + rows[:, 1::2]) / 4
            variance += step**2 / 4
            step *= 2
            interpolated = step**2 / 6
        more = np.sqrt(sigma**2 - interpolated - variance) / step
        level = blur(level, more)
        variance = sigma**2 - interpolated
        smoother = level
        if step > 1:
            smoother = torch.nn.functional.interpolate(
                torch.from_numpy(level)[None, None], scale_factor=step, mode="bilinear"
            )[0, 0].numpy()
        found.append(low - smoother)
        low = smoother
    return [*found, low]


def energies(parts: list[np.ndarray], region: np.ndarray) -> np.ndarray:
    """Standard deviation of each band inside a region, and that of the rest at the end."""
    return np.array([part[region].std() for part in parts])


def normalised(
    pixels: np.ndarray, region: np.ndarray
) -> tuple[np.ndarray, tuple[float, ...], float]:
    """Give each band the energy that it has in NODE21's images, inside a region (bool).

    Returns the pixels, float32 in grey levels of 0..4095 and not yet cut off there; each band's
    gain and that of the rest; and what was added then, grey levels.
    """
    wanted = np.array([*ENERGIES, REST_ENERGY])
    parts = np.stack(bands(pixels))
    some = region[::SAMPLED, ::SAMPLED]
    whole = max(float(parts[-1, ::SAMPLED, ::SAMPLED][some].std()), 1e-6)
    lowest, highest = (limit * REST_ENERGY / whole for limit in GAINS)
    gains = np.full(len(parts), REST_ENERGY / whole)
    for number in range(ROUNDS):
        made = [part[::SAMPLED, ::SAMPLED] for part in bands(_sum(parts, gains))]
        ratio = wanted / np.maximum(energies(made, some), 1e-6)
        gains = np.clip(gains * ratio ** (OVERSHOOT if number else 1), lowest, highest)
        if np.abs(ratio - 1).max() < CLOSE:
            break
    grey = _sum(parts, gains)
    offset = MEAN - float(grey[region].mean())
    return grey + offset, tuple(float(gain) for gain in gains), offset


def amplified(pixels: np.ndarray, gains: tuple[float, ...]) -> np.ndarray:
    """An image with each band multiplied by its gain, (row, column) float32."""
    return _sum(np.stack(bands(pixels)), np.array(gains))


def attenuated(change: np.ndarray, gains: tuple[float, ...]) -> np.ndarray:
    """The inverse of :func:`amplified` for a change that is 0 near the edges.

    Near is three times the widest of ``SIGMAS``. Each band is divided by its gain in Fourier
    space, where bands are weights that sum to 1.

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


def _sum(parts: np.ndarray, gains: np.ndarray) -> np.ndarray:
    made: np.ndarray = gains.astype(np.float32) @ parts.reshape(len(parts), -1)
    return made.reshape(parts.shape[1:])
