"""Noise, blur, noise, on every slice, so that a detector cannot learn it as a sign."""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from nodegen.constants import CHALLENGE_MAX, SLICE_STREAM

NOISE = 3.0 / CHALLENGE_MAX  # sigma, of 0..1
BLUR_PX = 1.0  # sigma of the "Gaussian blur of 3 pixels"
BLUR_TRUNCATE = 3.0  # sigmas: its 3 pixels

BAND_ROWS = 64  # at a time, so that what lies between stays in the processor's cache
ALIGNED = 16  # numbers in a line of the cache, 64 bytes
LEVELS = 2**16  # of the second noise
BYTE_MEAN, BYTE_SIGMA = 127.5, 73.9  # of all bytes


def noise_and_blur(slice01: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add noise, blur, and add noise again, to a copy of a slice.

    Parameters
    ----------
    slice01 : ndarray of float32, shape (row, column)
        In 0..1.
    rng : Generator
        Of the slice: :func:`noise_and_blur_stream`.

    Notes
    -----
    The first noise is even, in steps of a byte: blurred it is normal to 0.2 of its kurtosis, and a
    twelfth of the second's variance. That is of ``LEVELS`` quantiles of the normal distribution, up
    to 4.2 standard deviations. Both take a sixth of the time of drawing normal numbers.
    """
    first, second = (_drawn(slice01.shape, rng, kind) for kind in (np.uint8, np.uint16))

    taps = _taps(BLUR_PX, BLUR_TRUNCATE)
    noise = _aligned((BAND_ROWS + 2 * len(taps), slice01.shape[1]))

    def noisy(rows: slice, out: np.ndarray) -> None:
        own = noise[: rows.stop - rows.start]
        own[...] = first[rows]
        own -= np.float32(BYTE_MEAN)
        own *= np.float32(NOISE / BYTE_SIGMA)
        np.add(own, slice01[rows], out=out)

    made = np.empty_like(slice01)
    for rows, band in _blurred(slice01.shape, noisy, taps):
        own = np.take(_quantiles(), second[rows], mode="clip", out=noise[: len(band)])
        own += band
        np.clip(own, 0.0, 1.0, out=made[rows])
    return made


def noise_and_blur_stream(seed: int, slice_: int) -> np.random.Generator:
    """The random stream of a slice's noise and blur.

    Parameters
    ----------
    seed, slice_ : int
        Of the run, and the slice's place in the stack, from 0.
    """
    return np.random.default_rng((seed, SLICE_STREAM, slice_))


def blur(image: np.ndarray, sigma: float, truncate: float = BLUR_TRUNCATE) -> np.ndarray:
    """Blur an image as ``scipy.ndimage.gaussian_filter`` does, in half its time.

    Parameters
    ----------
    image : ndarray of float32, shape (row, column)
        It goes on beyond its edges as it ends.
    sigma, truncate : float
        Standard deviation, px; where the kernel ends, in standard deviations.
    """
    made = np.empty_like(image)

    def given(rows: slice, out: np.ndarray) -> None:
        out[...] = image[rows]

    for rows, band in _blurred(image.shape, given, _taps(sigma, truncate)):
        made[rows] = band
    return made


def _drawn(shape: tuple[int, ...], rng: np.random.Generator, dtype: type) -> np.ndarray:
    """As ``rng.integers`` draws all of a type's numbers, in half its time."""
    size = math.prod(shape)
    raw = np.asarray(rng.bit_generator.random_raw(-(-size * np.dtype(dtype).itemsize // 8)))
    return raw.view(dtype)[:size].reshape(shape)


@lru_cache(maxsize=1)
def _quantiles() -> np.ndarray:
    """Of the second noise, in 0..1."""
    normal = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    return np.asarray(normal * (NOISE / normal.std()), dtype=np.float32)


def _taps(sigma: float, truncate: float) -> np.ndarray:
    """A Gaussian from its middle to its end."""
    taps = np.exp(-0.5 * (np.arange(int(truncate * sigma + 0.5) + 1) / sigma) ** 2)
    return np.asarray(taps / (2 * taps.sum() - taps[0]), dtype=np.float32)


def _blurred(
    shape: tuple[int, ...], fill: Callable[[slice, np.ndarray], None], taps: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the bands of a blurred image, and which rows each is.

    ``fill`` writes rows of the image into an array. Rows lie end to end in memory, so that a tap is
    one addition of a whole band to itself, moved. Each band takes the memory of the one before,
    which the processor's cache still holds.
    """
    reach, (rows, columns) = len(taps) - 1, shape
    left = -(-reach // ALIGNED) * ALIGNED  # columns before the image
    width = left + -(-(columns + reach) // ALIGNED) * ALIGNED
    wide, sums, pair = (_aligned((BAND_ROWS + 2 * reach, width)) for _ in range(3))
    for top in range(0, rows, BAND_ROWS):
        end = min(top + BAND_ROWS, rows)
        low, high = max(top - reach, 0), min(end + reach, rows)
        before, inside = low - (top - reach), high - low
        band = wide[: end - top + 2 * reach]
        fill(slice(low, high), band[before : before + inside, left : left + columns])
        band[:before] = band[before]  # the image goes on as it ends
        band[before + inside :] = band[before + inside - 1]
        band[:, :left] = band[:, left : left + 1]
        band[:, left + columns :] = band[:, left + columns - 1 : left + columns]
        for source, target, step, margin in (
            (wide, sums, width, reach * width),
            (sums, wide, 1, left),
        ):
            given, length = source.ravel(), band.size - 2 * margin
            made, both = target.ravel()[margin:][:length], pair.ravel()[:length]
            np.multiply(given[margin:][:length], taps[0], out=made)
            for away in range(step, (reach + 1) * step, step):
                one, other = (given[margin + moved :][:length] for moved in (-away, away))
                np.add(one, other, out=both)
                both *= taps[away // step]
                made += both
        yield slice(top, end), band[reach : reach + end - top, left : left + columns]


def _aligned(shape: tuple[int, int]) -> np.ndarray:
    """Memory for float32 that begins with a line of the cache: additions take half the time."""
    size = math.prod(shape)
    memory = np.zeros(size + ALIGNED, np.float32)
    start = -memory.ctypes.data // memory.itemsize % ALIGNED
    return memory[start : start + size].reshape(shape)
