"""The network's answer to one grid by NumPy alone.

Methods without generators need no torch, whose import alone takes longer than all of their work on
a slice. It computes what :class:`nodegen.lungs.network.LungNet` computes, in evaluation mode.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from nodegen.lungs.weights import LUNGS, read_weights

BATCH_NORM_EPS = 1e-5  # torch's default, with which it was trained
_Layer = tuple[np.ndarray, np.ndarray]  # kernel (down, across, output, input), bias (output,)


def forward(grid: np.ndarray, folder: Path = LUNGS) -> np.ndarray:
    """Probability of each class.

    Parameters
    ----------
    grid : numpy.ndarray of float32, shape (row, column)
        As :func:`nodegen.lungs.grid.to_grid` gives it; both sides a multiple of 32.
    folder : pathlib.Path
        Of the weights.

    Returns
    -------
    numpy.ndarray of float32, shape (class, row, column)

    Raises
    ------
    ModelError
        Where the weights are missing or altered.
    """
    layers = _layers(folder)
    features = _halved(grid[None], *layers["stem"])
    skips = []
    for level in range(5):
        if level:
            features = _pooled(features)
        features = _block(features, layers, f"down.{level}")
        skips.append(features)
    for level in reversed(range(4)):
        features = np.concatenate([_doubled(features), skips[level]])
        features = _block(features, layers, f"up.{level}")
    logits = _doubled(_convolved(features, *layers["head"]))
    chances = np.exp(logits - logits.max(0))
    return np.asarray(chances / chances.sum(0))


@lru_cache(maxsize=2)
def _layers(folder: Path) -> dict[str, _Layer]:
    """Kernels and biases by their layer, batch norm folded in."""
    return {name: (kernel.transpose(2, 3, 0, 1).copy(), bias)
            for name, kernel, bias in _folded(read_weights(folder))}  # fmt: skip


def _folded(weights: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for name in ("stem", "head"):
        yield name, weights[f"{name}.weight"], weights[f"{name}.bias"]
    for name, kernel in weights.items():
        if kernel.ndim == 4 and name[0] in "du":  # of a block: a convolution, then its batch norm
            block, _, layer = name.removesuffix(".weight").rpartition(".")
            norm = f"{block}.{int(layer) + 1}"
            mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
            gain = weights[f"{norm}.weight"] / np.sqrt(variance + np.float32(BATCH_NORM_EPS))
            bias = weights[f"{norm}.bias"] - gain * mean
            yield f"{block}.{layer}", kernel * gain[:, None, None, None], bias


def _block(features: np.ndarray, layers: Mapping[str, _Layer], name: str) -> np.ndarray:
    for layer in (0, 3):  # what lies between them is batch norm and ReLU
        features = np.maximum(_convolved(features, *layers[f"{name}.{layer}"]), 0)
    return features


def _convolved(features: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (channel, row, column), kept in size by zeros around it.

    Laid out in one line with a zero between rows, a shift of the image is a shift of the line: one
    product of matrices for each place of the kernel, and no copies.
    """
    channels, rows, columns = features.shape
    side, width = kernel.shape[0], columns + kernel.shape[0] - 1
    pad = side // 2
    # A row more below, for the shift across of the last one.
    line = np.pad(features, ((0, 0), (pad, pad + 1), (pad, pad))).reshape(channels, -1)
    length = rows * width
    made = np.zeros((kernel.shape[2], length), np.float32)
    made += bias[:, None]
    for down in range(side):
        for across in range(side):
            start = down * width + across
            made += kernel[down, across] @ line[:, start : start + length]
    return made.reshape(-1, rows, width)[:, :, :columns]


def _halved(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (1, row, column) by a kernel of 4 in steps of 2, a zero around it."""
    seen = np.lib.stride_tricks.sliding_window_view(np.pad(image[0], 1), (4, 4))[::2, ::2]
    made = np.tensordot(kernel[:, :, :, 0], seen, axes=((0, 1), (2, 3)))
    return np.asarray(made + bias[:, None, None])


def _pooled(features: np.ndarray) -> np.ndarray:
    """The largest of each 2 × 2 px."""
    down = np.maximum(features[:, ::2], features[:, 1::2])
    return np.asarray(np.maximum(down[:, :, ::2], down[:, :, 1::2]))


def _doubled(features: np.ndarray) -> np.ndarray:
    """Interpolate linearly to twice the size, by the middles of pixels."""
    for axis in (1, 2):
        shape = list(features.shape)
        before = np.concatenate([features.take([0], axis), features], axis)
        after = np.concatenate([features, features.take([-1], axis)], axis)
        keep = [slice(None)] * 3
        keep[axis] = slice(0, shape[axis])
        early = before[tuple(keep)]
        keep[axis] = slice(1, None)
        late = after[tuple(keep)]
        near = np.float32(0.75) * features
        both = near + np.float32(0.25) * early, near + np.float32(0.25) * late
        shape[axis] *= 2
        features = np.stack(both, axis + 1).reshape(shape)
    return features
