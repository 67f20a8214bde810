"""A trained cascade at work: an image goes in at scale n0 and comes out of the last scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from nodegen.cascade import window
from nodegen.cascade.carry import carried_up, inner, resized
from nodegen.cascade.pyramid import scale_sizes
from nodegen.cascade.weights import Layer, load_layers, read_index
from nodegen.cascade.window import Plan, Span
from nodegen.constants import HALF_WIDTH_PX, KERNEL, LEAKY_SLOPE, SCALES


@dataclass(frozen=True)
class Job:
    """One box's way through a cascade; see :meth:`Cascade.harmonise` for its parts."""

    images: torch.Tensor
    n0: int
    noise: list[torch.Tensor]
    plan: Plan


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

    Attributes
    ----------
    half : bool
        Convolve in half precision, which a GPU does several times as fast; False at first.
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
        self.half = False

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
        return self.harmonise_all([Job(images, n0, noise, plan)])[0]

    @torch.inference_mode()
    def harmonise_all(self, jobs: Sequence[Job]) -> list[torch.Tensor]:
        """Harmonise each job as :meth:`harmonise` does, windows of one size in one batch."""
        made: list[torch.Tensor] = [job.images for job in jobs]
        for n in range(SCALES):
            noisy: dict[tuple[int, ...], dict[int, torch.Tensor]] = {}
            for i, job in enumerate(jobs):
                if n < job.n0:
                    continue
                axes = rows, columns = job.plan[n - job.n0]
                if n == job.n0:
                    image = resized(job.images, axes)
                else:
                    image = carried_up(made[i], job.plan[n - job.n0 - 1], job.images, axes)
                z = job.noise[n - job.n0][slice(*rows.read), slice(*columns.read)].to(image)
                padding = (*columns.padding, *rows.padding)
                padded = F.pad(image + self.amplitudes[n] * z, padding)
                noisy.setdefault(tuple(padded.shape[-2:]), {})[i] = padded
                made[i] = image[..., inner(rows), inner(columns)]
            for members in noisy.values():
                parts = list(members.values())
                grown = self._generate(n, torch.cat(parts) if len(parts) > 1 else parts[0])
                for i, part in zip(
                    members, torch.split(grown, [len(p) for p in parts]), strict=True
                ):
                    made[i] = made[i] + part
        return made

    def _generate(self, n: int, x: torch.Tensor) -> torch.Tensor:
        """Run the generator of scale ``n`` on a padded image; each layer is 4 px smaller."""
        *wide, (weight, bias) = self.layers[n]
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.float16, enabled=self.half):
            for layer_weight, layer_bias in wide:
                x = F.leaky_relu_(F.conv2d(x, layer_weight, layer_bias), LEAKY_SLOPE)
            return _to_one_channel(x, weight, bias).float().tanh_()


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


def _margins(index: dict[str, Any]) -> tuple[int, ...]:
    return tuple(index.get("margins") or [HALF_WIDTH_PX] * SCALES)
