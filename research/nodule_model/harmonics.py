"""Real spherical harmonics, and how they behave when the body is mirrored.

Directions are unit vectors in the array's own order (slice, row, column); the polar axis is the
slices'. Degree l has 2 l + 1 harmonics, orders m = -l..l: cosines of m >= 0, sines of m < 0.
"""

import numpy as np


def orders(degree: int) -> list[tuple[int, int]]:
    """List all (l, m) up to a degree, l first."""
    return [(l, m) for l in range(degree + 1) for m in range(-l, l + 1)]  # noqa: E741


def harmonics(directions: np.ndarray, degree: int) -> np.ndarray:
    """Evaluate all real harmonics up to a degree.

    Parameters
    ----------
    directions : ndarray, shape (n, 3)
        Unit vectors, in (slice, row, column).
    degree : int
        Highest degree, at least 0.

    Returns
    -------
    ndarray, shape (n, (degree + 1) ** 2)
        In the order of :func:`orders`; their mean square over the sphere is 1.
    """
    height, row, column = np.asarray(directions, dtype=np.float64).T
    values = np.empty(((degree + 1) ** 2, len(height)))
    # around = (column + i row) ** m, which holds sin(polar) ** m; the rest of the Legendre function
    # is a polynomial in the height, by the usual recurrence in l.
    around = np.ones_like(height, dtype=np.complex128)
    first = 1.0
    for m in range(degree + 1):
        if m > 0:
            around = around * (column + 1j * row)
            first *= np.sqrt((2 * m + 1) / (2 * m))
        before, now = np.zeros_like(height), np.full_like(height, first)
        for l in range(m, degree + 1):  # noqa: E741
            if l > m:
                scale = np.sqrt((4 * l * l - 1) / (l * l - m * m))
                other = np.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1))
                before, now = now, scale * (height * now - other * before)
            middle = l * (l + 1)
            if m == 0:
                values[middle] = now
            else:
                values[middle + m] = np.sqrt(2) * now * around.real
                values[middle - m] = np.sqrt(2) * now * around.imag
    return values.T


def parities(degree: int) -> np.ndarray:
    """Say which harmonics change sign when slices, rows or columns are mirrored.

    Returns
    -------
    ndarray of bool, shape ((degree + 1) ** 2, 3)
        True: odd in that axis.
    """
    odd = [((l + m) % 2, int(m < 0), (m + (m < 0)) % 2) for l, m in orders(degree)]  # noqa: E741
    return np.array(odd, dtype=bool)


def sphere(count: int) -> np.ndarray:
    """Spread directions evenly over the sphere (Fibonacci's lattice), shape (count, 3)."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    azimuth = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height**2)
    return np.stack([height, radius * np.sin(azimuth), radius * np.cos(azimuth)], axis=1)
