"""Noise, blur, noise, on every slice, so that a detector cannot learn it as a sign."""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from nodegen.constants import CHALLENGE_MAX, SLICE_STREAM

NOISE = 3.0 / CHALLENGE_MAX  # sigma, of 0..1
BLUR_PX = 1.0  # sigma of the "Gaussian blur of 3 pixels"
BLUR_TRUNCATE = 3.0  # sigmas: its 3 pixels

BAND_ROWS = 64  # at a time, so that what lies between stays in the processor's cache
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
    taps, made = _taps(BLUR_PX, BLUR_TRUNCATE), np.empty_like(slice01)
    for rows, near in _bands(len(slice01), len(taps) - 1):
        noisy = np.subtract(first[near], BYTE_MEAN, dtype=np.float32)
        noisy *= np.float32(NOISE / BYTE_SIGMA)
        noisy += slice01[near]
        band = _blurred(noisy, taps)
        band += np.take(_quantiles(), second[rows], mode="clip")
        np.clip(band, 0.0, 1.0, out=made[rows])
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
    taps, made = _taps(sigma, truncate), np.empty_like(image)
    for rows, near in _bands(len(image), len(taps) - 1):
        made[rows] = _blurred(image[near], taps)
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


def _bands(rows: int, reach: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The bands of an image, and the rows that each is made of."""
    for top in range(0, rows, BAND_ROWS):
        end = min(top + BAND_ROWS, rows)
        yield slice(top, end), np.arange(top - reach, end + reach).clip(0, rows - 1)


def _blurred(image: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Blur a band, of which the rows that the taps reach are lost at either end.

    Its rows lie end to end in memory, so that a tap is one addition of all of it to itself, moved.
    """
    reach, (rows, columns) = len(taps) - 1, image.shape
    width = columns + 2 * reach
    wide = np.empty((rows, width), np.float32)
    wide[:, reach : reach + columns] = image
    wide[:, :reach], wide[:, reach + columns :] = image[:, :1], image[:, -1:]
    flat = wide.ravel()
    for step in (width, 1):
        length = len(flat) - 2 * reach * step
        made = taps[0] * flat[reach * step :][:length]
        pair = np.empty_like(made)
        for away in range(1, reach + 1):
            before, after = (reach - away) * step, (reach + away) * step
            np.add(flat[before : before + length], flat[after : after + length], out=pair)
            pair *= taps[away]
            made += pair
        flat = made
    whole = np.empty((rows - 2 * reach) * width, np.float32)
    whole[: len(flat)] = flat
    return whole.reshape(-1, width)[:, :columns]
