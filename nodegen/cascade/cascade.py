"""A trained cascade at work: an image goes in at scale n0 and comes out of the last scale.

A cascade is a folder with ``cascade.json`` (the scales, the margins and the card's figures) and a
few ``scales-00-03-<hash>.safetensors``, in half precision. Every file is checked against its hash
on loading.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load
from torch.nn import functional as F

from nodegen.cascade.pyramid import (
    Axis,
    Plan,
    Span,
    exact_axis,
    full_axis,
    margin_axis,
    resize_window,
    scale_sizes,
    upsample,
)
from nodegen.constants import BATCH_NORM_EPS, HALF_WIDTH_PX, KERNEL, LAYERS, LEAKY_SLOPE, SCALES
from nodegen.errors import ModelError
from nodegen.io.files import read_weights
from nodegen.schemas import CascadeFile, read_json
from nodegen.settings import quick_dtype

INDEX = "cascade.json"
Layer = tuple[torch.Tensor, torch.Tensor]  # weight (out, in, row, column) and bias (out,)


class Cascade:
    """The generators of one class, with batch norm folded in.

    Parameters
    ----------
    layers
        Five convolutions, each (weight, bias), for each scale, coarse to fine.
    amplitudes, margins
        Of each scale's noise, in units of -1..1; of the default windows at each scale, px, measured
        on these weights.
    sha256, dtype
        Of all that decides the pixels; in which the default windows are convolved.
    """

    def __init__(
        self,
        layers: list[list[Layer]],
        amplitudes: list[float],
        margins: tuple[int, ...] = (HALF_WIDTH_PX,) * SCALES,
        sha256: str = "",
        dtype: torch.dtype = torch.float32,
    ):
        self.layers, self.amplitudes, self.margins = layers, amplitudes, margins
        self.sha256, self.dtype = sha256, dtype
        self.device = layers[0][0][0].device
        self.quick_layers = [
            [
                (weight.to(dtype, memory_format=torch.channels_last), bias.to(dtype))
                for weight, bias in scale
            ]
            for scale in layers
        ]

    @classmethod
    def open(cls, folder: Path, device: torch.device | str = "cpu") -> "Cascade":
        """Load a cascade; a ModelError says which file is missing, truncated or altered."""
        index, device = read_index(folder), torch.device(device)
        layers = [
            [(weight.to(device), bias.to(device)) for weight, bias in scale]
            for scale in load_layers(folder, index)
        ]
        margins = tuple(index.get("margins") or [HALF_WIDTH_PX] * SCALES)
        return cls(layers, index["amplitudes"], margins, index["sha256"], quick_dtype(device))

    @property
    def channels(self) -> list[int]:
        """Inner width of the generator at each scale."""
        return [scale[0][0].shape[0] for scale in self.layers]

    def draw_noise(self, rng: np.random.Generator, plan: Plan) -> list[torch.Tensor]:
        """Draw the noise of every scale of a plan, for the whole crop: whatever the windows."""
        sizes = [(rows.size, columns.size) for rows, columns in plan.scales]
        return [torch.from_numpy(rng.standard_normal(size, dtype=np.float32)) for size in sizes]

    def plan(
        self, shape: tuple[int, int], n0: int, support: tuple[Span, Span], windows: str = "default"
    ) -> Plan:
        """What each scale computes so that a part of a crop comes out.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns of the crop, px.
        n0 : int
            Scale to begin at, from 0, the coarsest, to ``SCALES`` - 1.
        support : ((int, int), (int, int))
            Rows and columns of the crop that are wanted, px; ends are exclusive.
        windows : {"default", "exact", "full"}
            ``default``: up to scale 10, in windows of few sizes. ``exact``: every scale, and the
            least windows that lose nothing. ``full``: every scale, the whole crop.
        """
        axes = []
        side_px = max(high - low for low, high in support)
        for side, span in zip(shape, support, strict=True):
            sizes = scale_sizes(side)
            if windows == "full":
                axes.append(full_axis(sizes, n0))
            elif windows == "exact":
                axes.append(exact_axis(sizes, n0, span))
            else:
                axes.append(margin_axis(sizes, n0, span, self.margins, side_px))
        wanted = list(zip(shape, support, strict=True))
        return Plan(list(zip(*axes, strict=True)), wanted)

    @torch.inference_mode()
    def harmonise(
        self, images: torch.Tensor, n0: int, noise: list[torch.Tensor], plan: Plan
    ) -> torch.Tensor:
        """Bring images down to scale ``n0`` and through the scales of the plan.

        Parameters
        ----------
        images : Tensor of float32, shape (batch, 1, row, column)
            Crops in -1..1.
        n0, plan
            As :meth:`plan` takes and returns them, of the same crop.
        noise : list of Tensor, shape (row, column)
            Of each scale from ``n0`` on, as :meth:`draw_noise` gives it; shared by the batch.

        Returns
        -------
        Tensor, shape (batch, 1, row, column)
            The support of the plan.
        """
        quick = len(plan.scales) < SCALES - n0
        made, have = images, [(0, (0, 0))] * 2
        for n, (rows, columns) in enumerate(plan.scales, n0):
            wanted = _spans(rows, columns, "read")
            if n == n0:
                image = resize_window(images, wanted)
            else:
                image = upsample(made, have, wanted, images)
            z = noise[n - n0][slice(*rows.read), slice(*columns.read)].to(image.device)
            padding = (*columns.padding, *rows.padding)
            padded = F.pad(image + self.amplitudes[n] * z, padding)
            made = image[..., rows.inner, columns.inner] + self.generate(n, padded, quick)
            have = _spans(rows, columns, "out")
        if quick:
            return upsample(made, have, plan.support, images)
        top, left = (span[0] for _, span in have)
        (_, down), (_, across) = plan.support
        return made[..., down[0] - top : down[1] - top, across[0] - left : across[1] - left]

    def generate(self, n: int, x: torch.Tensor, quick: bool = True) -> torch.Tensor:
        """Run the generator of scale ``n`` on padded images in -1..1, (batch, 1, row, column).

        Each layer takes 4 px off. If ``quick``, it computes in ``dtype``, else in single precision.
        """
        *wide, (weight, bias) = (self.quick_layers if quick else self.layers)[n]
        x = x.to(weight.dtype, memory_format=torch.channels_last)
        for layer_weight, layer_bias in wide:
            x = F.leaky_relu_(F.conv2d(x, layer_weight, layer_bias), LEAKY_SLOPE)
        return _to_one_channel(x, weight, bias).float().tanh_()


def _to_one_channel(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Convolve (batch, channel, row, column), channels last, down to a single channel.

    CPU libraries fill their vectors with output channels, so a single one costs them a quarter of
    the whole generator. One matrix product gives every tap of the kernel a plane of its own; the
    planes are then added up, each moved by its tap.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32:
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


def _spans(rows: Axis, columns: Axis, what: str) -> list[tuple[int, Span]]:
    return [(axis.size, getattr(axis, what)) for axis in (rows, columns)]


# --- weights -------------------------------------------------------------------------------------


def read_index(folder: Path) -> dict[str, Any]:
    """Read ``cascade.json``, and add to it, as ``sha256``, a hash of what decides its pixels."""
    remedy = "give a folder with hyposignal and hypersignal as nodegen ships it"
    index, _ = read_json(CascadeFile, folder / INDEX, ModelError, remedy)
    decides = {  # the card does not, and has a date
        "amplitudes": index["amplitudes"],
        "margins": index.get("margins"),
        "files": [file["sha256"] for file in index["files"]],
    }
    index["sha256"] = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return index


def load_layers(folder: Path, index: dict[str, Any]) -> list[list[Layer]]:
    """Load the generators of each scale, coarse to fine, batch norm folded in, single precision."""
    tensors = load_tensors(folder, index)
    try:
        layers = [_folded(tensors, f"{n:02d}.layers") for n in range(SCALES)]
    except KeyError as error:
        raise ModelError(f"The weights in {folder} lack {error}; copy the model anew.") from error
    except RuntimeError as error:  # shapes that do not fit each other
        raise ModelError(
            f"The weights in {folder} are of other shapes than a cascade's; copy the model anew."
        ) from error
    for n, scale in enumerate(layers):
        channels = 1
        for i, (weight, bias) in enumerate(scale):
            wanted = 1 if i == LAYERS - 1 else len(bias)
            fault = None
            if weight.shape != (wanted, channels, KERNEL, KERNEL) or bias.shape != (wanted,):
                shape = tuple(weight.shape)
                fault = f"has a layer of the shape {shape}, which does not follow the one before it"
            elif not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
                fault = "holds numbers that are not finite"
            if fault:
                raise ModelError(f"Scale {n} of the weights in {folder} {fault}; copy it anew.")
            channels = wanted
    return layers


def load_tensors(folder: Path, index: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Load the weights as they were saved, each under its scale's number."""
    tensors: dict[str, torch.Tensor] = {}
    for file in index["files"]:
        path = folder / file["name"]
        data = read_weights(path, file["sha256"], INDEX)
        try:
            tensors |= load(data)
        except Exception as error:  # safetensors' own
            raise ModelError(f"The weights {path} are no safetensors; copy them anew.") from error
    return tensors


def _folded(tensors: dict[str, torch.Tensor], prefix: str) -> list[Layer]:
    layers = []
    for i in range(LAYERS):
        # Each inner layer is convolution, batch norm, leaky ReLU; the last is a convolution alone.
        weight = tensors[f"{prefix}.{3 * i}.weight"].float()
        bias = tensors[f"{prefix}.{3 * i}.bias"].float()
        if i < LAYERS - 1:
            norm = f"{prefix}.{3 * i + 1}"
            spread = (tensors[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
            gain = tensors[f"{norm}.weight"] / spread
            weight = weight * gain[:, None, None, None]
            bias = (bias - tensors[f"{norm}.running_mean"]) * gain + tensors[f"{norm}.bias"]
        layers.append((weight.contiguous(memory_format=torch.channels_last), bias))
    return layers
