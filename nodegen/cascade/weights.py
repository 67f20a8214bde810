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

from nodegen.constants import BATCH_NORM_EPS, CHANNELS_DOUBLE_EVERY, LAYERS, SCALES
from nodegen.errors import ModelError

FORMAT = "nodegen-cascade-1"
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
    scales : list of dict
        State of each generator, coarse to fine.
    amplitudes : list of float
        Of the noise at each scale, in units of -1..1.
    card : dict
        What is written beside them: profile, source, seed, figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
        (folder / name).write_bytes(data)
        files.append({"name": name, "sha256": digest})
    index = {"format": FORMAT, "amplitudes": amplitudes, "files": files, "card": card}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")


def _storable(value: torch.Tensor) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.ndim == 4 else value


def read_index(folder: Path) -> dict[str, Any]:
    """Read ``cascade.json``, and add its own hash to it as ``sha256``.

    Raises
    ------
    ModelError
        Where it is missing or malformed.
    """
    path = folder / INDEX
    try:
        text = path.read_bytes()
        index: dict[str, Any] = json.loads(text)
        index["sha256"] = hashlib.sha256(text).hexdigest()
        complete = index["format"] == FORMAT and len(index["amplitudes"]) == SCALES
        names = [file["name"] + file["sha256"] for file in index["files"]]
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no cascade in {folder}: {INDEX} is missing; give a folder with the "
            "subfolders hyposignal and hypersignal, as nodegen ships it."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read ({type(error).__name__}: {error}); copy the model anew."
        ) from error
    if not complete or not names:
        raise ModelError(
            f"{path} does not describe a cascade of {SCALES} scales in the form {FORMAT}; "
            "copy the model anew, or export it with this version of nodegen."
        )
    return index


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
        return [_folded(tensors, f"{n:02d}.layers") for n in range(SCALES)]
    except KeyError as error:
        raise ModelError(f"The weights in {folder} lack {error}; copy the model anew.") from error


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
        if hashlib.sha256(data).hexdigest() != file["sha256"]:
            raise ModelError(
                f"The weights {path} are truncated or altered: their SHA-256 is not the one in "
                f"{INDEX}; copy the model anew."
            )
        tensors |= load(data)
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
