"""A trained cascade at work: an image goes in at scale n0 and comes out of the last scale."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.cascade import window
from nodegen.cascade.pyramid import resize_tensor, scale_sizes
from nodegen.cascade.weights import Layer, load_layers, read_index
from nodegen.cascade.window import Axis, Plan, Span
from nodegen.constants import HALF_WIDTH_PX, KERNEL, LEAKY_SLOPE, SCALES


class Cascade:
    """The generators of one class, with batch norm folded in.

    Parameters
    ----------
    layers : list of list of (weight, bias)
        Five convolutions for each scale, coarse to fine.
    amplitudes : list of float
        Of each scale's noise, in units of -1..1.
    margins : tuple of int
        Of the default windows at each scale, px; measured on these weights.
    sha256 : str
        Of ``cascade.json``, which names the hash of every file of weights.
    """

    def __init__(
        self,
        layers: list[list[Layer]],
        amplitudes: list[float],
        margins: tuple[int, ...] = (HALF_WIDTH_PX,) * SCALES,
        sha256: str = "",
    ):
        self.layers, self.amplitudes, self.margins = layers, amplitudes, margins
        self.sha256 = sha256
        self.device = layers[0][0][0].device

    @classmethod
    def open(cls, folder: Path, device: torch.device | str = "cpu") -> "Cascade":
        """Load a cascade and check it against its hashes.

        Raises
        ------
        ModelError
            Where a file is missing, truncated or altered.
        """
        index = read_index(folder)
        layers = [
            [(weight.to(device), bias.to(device)) for weight, bias in scale]
            for scale in load_layers(folder, index)
        ]
        return cls(layers, index["amplitudes"], _margins(index), index["sha256"])

    @property
    def channels(self) -> list[int]:
        """Inner width of the generator at each scale."""
        return [scale[0][0].shape[0] for scale in self.layers]

    def draw_noise(
        self, rng: np.random.Generator, n0: int, shape: tuple[int, int]
    ) -> list[torch.Tensor]:
        """Draw the noise of every scale from ``n0`` on, for a crop of ``shape`` (row, column)."""
        rows, columns = (scale_sizes(side) for side in shape)
        sizes = zip(rows[n0:], columns[n0:], strict=True)
        return [torch.from_numpy(rng.standard_normal(size, dtype=np.float32)) for size in sizes]

    def plan(
        self, shape: tuple[int, int], n0: int, support: tuple[Span, Span], windows: str = "default"
    ) -> Plan:
        """What each scale computes so that ``support`` (rows, columns) of the crop comes out."""
        axes = []
        for side, span in zip(shape, support, strict=True):
            sizes = scale_sizes(side)
            if windows == "full":
                axes.append(window.full_axis(sizes, n0))
            elif windows == "exact":
                axes.append(window.exact_axis(sizes, n0, span))
            else:
                axes.append(window.margin_axis(sizes, n0, span, self.margins))
        return list(zip(*axes, strict=True))

    @torch.inference_mode()
    def harmonise(
        self, images: torch.Tensor, n0: int, noise: list[torch.Tensor], plan: Plan
    ) -> torch.Tensor:
        """Bring images down to scale ``n0`` and through all scales from there on.

        Parameters
        ----------
        images : Tensor of float32, shape (batch, 1, row, column)
            Crops in -1..1.
        noise : list of Tensor, shape (row, column)
            Of each scale from ``n0`` on, as :meth:`draw_noise` gives it; shared by the batch.
        plan : Plan
            From :meth:`plan`, of the same crop and ``n0``.

        Returns
        -------
        Tensor, shape (batch, 1, row, column)
            The last scale's window of the plan.
        """
        made: torch.Tensor | None = None
        below: tuple[Axis, Axis] | None = None
        for n, axes, z in zip(range(n0, SCALES), plan, noise, strict=True):
            if made is None or below is None:
                image = _resized(images, axes)
            else:
                image = _carried_up(made, below, images, axes)
            rows, columns = axes
            padding = (*columns.padding, *rows.padding)
            noisy = image + self.amplitudes[n] * z[slice(*rows.read), slice(*columns.read)].to(
                image
            )
            image = image[..., _inner(rows), _inner(columns)]
            made = image + self._generate(n, F.pad(noisy, padding))
            below = axes
        assert made is not None
        return made

    def _generate(self, n: int, x: torch.Tensor) -> torch.Tensor:
        """Run the generator of scale ``n`` on a padded image; each layer is 4 px smaller."""
        *inner, (weight, bias) = self.layers[n]
        x = x.contiguous(memory_format=torch.channels_last)
        for layer_weight, layer_bias in inner:
            x = F.leaky_relu_(F.conv2d(x, layer_weight, layer_bias), LEAKY_SLOPE)
        return _to_one_channel(x, weight, bias).tanh_()


def _to_one_channel(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Convolve (batch, channel, row, column), channels last, down to a single channel.

    CPU libraries fill their vectors with output channels, so a single one costs them a quarter of
    the whole generator. One matrix product gives every tap of the kernel a plane of its own; the
    planes are then added up, each moved by its tap.
    """
    if x.device.type != "cpu":
        return F.conv2d(x, weight, bias)
    batch, channels, rows, columns = x.shape
    taps = weight[0].permute(1, 2, 0).reshape(-1, channels)
    planes = taps @ x.permute(0, 2, 3, 1).reshape(-1, channels).T
    planes = planes.view(KERNEL, KERNEL, batch, 1, rows, columns)
    height, width = rows - KERNEL + 1, columns - KERNEL + 1
    total = bias.view(1, 1, 1, 1).expand(batch, 1, height, width).clone()
    for i in range(KERNEL):
        for j in range(KERNEL):
            total += planes[i, j, ..., i : i + height, j : j + width]
    return total


def _inner(axis: Axis) -> slice:
    """Where the generator's output lies in what it read."""
    return slice(axis.out[0] - axis.read[0], axis.out[1] - axis.read[0])


def _resized(images: torch.Tensor, axes: tuple[Axis, Axis]) -> torch.Tensor:
    """What ``axes`` read of the images, resized from the crop's own size."""
    return _window_of(images, [(axis.size, axis.read) for axis in axes])


def _window_of(images: torch.Tensor, spans: list[tuple[int, Span]]) -> torch.Tensor:
    """Resize images (…, row, column) to (size, size), but only these spans of the result."""
    down, across = (
        resize_tensor(length, size)[slice(*span)].to(images)
        for length, (size, span) in zip(images.shape[-2:], spans, strict=True)
    )
    return down @ images @ across.T


def _carried_up(
    made: torch.Tensor, below: tuple[Axis, Axis], images: torch.Tensor, axes: tuple[Axis, Axis]
) -> torch.Tensor:
    """What ``axes`` read of ``made``, the scale below, resized to this scale.

    Where the window below ends too early, the images themselves continue it.
    """
    pairs = list(zip(below, axes, strict=True))
    needed = [window.source_span(low.size, high.size, high.read) for low, high in pairs]
    if any(n[0] < low.out[0] or n[1] > low.out[1] for n, low in zip(needed, below, strict=True)):
        ground = _window_of(images, [(a.size, n) for a, n in zip(below, needed, strict=True)])
        rows, columns = (_overlap(n, low.out) for n, low in zip(needed, below, strict=True))
        ground[..., rows[0], columns[0]] = made[..., rows[1], columns[1]]
    else:
        kept = [slice(n[0] - a.out[0], n[1] - a.out[0]) for n, a in zip(needed, below, strict=True)]
        ground = made[..., kept[0], kept[1]]
    down, across = (
        resize_tensor(low.size, high.size)[slice(*high.read), slice(*span)].to(made)
        for (low, high), span in zip(pairs, needed, strict=True)
    )
    return down @ ground @ across.T


def _overlap(needed: Span, have: Span) -> tuple[slice, slice]:
    """Where two spans overlap, as slices of the first and of the second."""
    low, high = max(needed[0], have[0]), min(needed[1], have[1])
    return slice(low - needed[0], high - needed[0]), slice(low - have[0], high - have[0])


def _margins(index: dict[str, Any]) -> tuple[int, ...]:
    return tuple(index.get("margins") or [HALF_WIDTH_PX] * SCALES)
