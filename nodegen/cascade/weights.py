"""The cascade's weights on disk: safetensors in half precision, named with their hash.

A cascade is a folder with ``cascade.json`` (the scales, the margins and the card's figures) and a
few ``scales-00-03-<hash>.safetensors``. Every file is checked against its hash on loading.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from nodegen.constants import BATCH_NORM_EPS, CHANNELS_DOUBLE_EVERY, KERNEL, LAYERS, SCALES
from nodegen.errors import ModelError
from nodegen.io.files import check_weights, write_bytes, write_text
from nodegen.schemas import CASCADE_FORMAT, CascadeFile, SchemaFault, read_json

INDEX = "cascade.json"
GROUP = CHANNELS_DOUBLE_EVERY  # scales in a file: those of one width in the paper
Layer = tuple[torch.Tensor, torch.Tensor]  # weight (out, in, row, column) and bias (out,)


def save_cascade(
    folder: Path,
    scales: list[dict[str, torch.Tensor]],
    amplitudes: list[float],
    card: dict[str, Any],
) -> None:
    """Write a cascade: convolutions in half precision, batch norm's statistics in single.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files and their index go.
    scales : list of dict
        State of each generator, coarse to fine.
    amplitudes : list of float
        Of the noise at each scale, in units of -1..1.
    card : dict
        What is written beside them: profile, source, seed, figures.
    """
    files = []
    for first in range(0, len(scales), GROUP):
        group = scales[first : first + GROUP]
        tensors = {
            f"{first + i:02d}.{name}": _storable(value)
            for i, state in enumerate(group)
            for name, value in state.items()
            if not name.endswith("num_batches_tracked")
        }
        data = save(tensors)
        digest = hashlib.sha256(data).hexdigest()
        name = f"scales-{first:02d}-{first + len(group) - 1:02d}-{digest[:12]}.safetensors"
        write_bytes(folder / name, data)
        files.append({"name": name, "sha256": digest})
    index = {"format": CASCADE_FORMAT, "amplitudes": amplitudes, "files": files, "card": card}
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")


def _storable(value: torch.Tensor) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.ndim == 4 else value


def read_index(folder: Path) -> dict[str, Any]:
    """Read ``cascade.json``, and add to it, as ``sha256``, a hash of what decides its pixels.

    Raises
    ------
    ModelError
        Where it is missing or malformed.
    """
    try:
        index, _ = read_json(CascadeFile, folder / INDEX)
    except SchemaFault as fault:
        raise ModelError(
            f"{fault}; give a folder with hyposignal and hypersignal as nodegen ships it, or copy "
            "the model anew."
        ) from None
    index["sha256"] = _identity(index)
    return index


def _identity(index: dict[str, Any]) -> str:
    """A hash of what decides a cascade's pixels: not of its card, which has a date."""
    decides = {
        "amplitudes": index["amplitudes"],
        "margins": index.get("margins"),
        "files": [file["sha256"] for file in index["files"]],
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def load_layers(folder: Path, index: dict[str, Any]) -> list[list[Layer]]:
    """Load the generators, batch norm folded into the convolutions.

    Returns
    -------
    list of list of (weight, bias)
        For each scale, coarse to fine, its five convolutions in single precision.

    Raises
    ------
    ModelError
        As :func:`load_tensors` does.
    """
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
            if weight.shape != (wanted, channels, KERNEL, KERNEL) or bias.shape != (wanted,):
                raise ModelError(
                    f"Scale {n} of the weights in {folder} has a layer of the shape "
                    f"{tuple(weight.shape)}, which does not follow the one before it; copy the "
                    "model anew."
                )
            if not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
                raise ModelError(
                    f"Scale {n} of the weights in {folder} holds numbers that are not finite; copy "
                    "the model anew."
                )
            channels = wanted
    return layers


def load_tensors(folder: Path, index: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Load the weights as they were saved, each under its scale's number.

    Raises
    ------
    ModelError
        Where a file is missing, truncated, or not the one that ``cascade.json`` names.
    """
    tensors: dict[str, torch.Tensor] = {}
    for file in index["files"]:
        path = folder / file["name"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"The weights {path} cannot be read ({error.strerror}); copy the model anew."
            ) from error
        check_weights(path, data, file["sha256"], INDEX)
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
