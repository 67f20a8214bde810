"""What a training leaves: the cascade, and its card, what it was trained on and how, as a page."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from nodegen.cascade.cascade import INDEX, read_index
from nodegen.cascade.pyramid import scale_sizes
from nodegen.constants import CHANNELS_DOUBLE_EVERY, SCALES
from nodegen.io.files import write_bytes, write_text
from nodegen.io.tables import markdown_table
from nodegen.schemas import CASCADE_FORMAT

PAGE = "README.md"
GROUP = CHANNELS_DOUBLE_EVERY  # scales in a file: those of one width in the paper


def save_cascade(
    folder: Path,
    scales: list[dict[str, torch.Tensor]],
    amplitudes: list[float],
    card: dict[str, Any],
) -> None:
    """Write a cascade: convolutions in half precision, batch norm's statistics in single.

    Scales are the generators' states, coarse to fine; amplitudes are their noise's, of -1..1.
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


def write_page(folder: Path) -> None:
    """Write the page of the cascade in ``folder`` from its ``cascade.json``."""
    index = read_index(folder)
    card: dict[str, Any] = index["card"]
    facts = {
        key: f"`{json.dumps(value)}`" if isinstance(value, dict) else value
        for key, value in card.items()
        if not isinstance(value, list)
    }
    columns = {
        "scale": range(SCALES),
        "side_px": scale_sizes(),
        **{key: value for key, value in card.items() if isinstance(value, list)},
        "noise_amplitude": [f"{amplitude:.4f}" for amplitude in index["amplitudes"]],
        "margin_px": index.get("margins", ["not measured"] * SCALES),
    }
    lines = [
        f"# Cascade `{folder.name}`\n",
        "One-shot SinGAN cascade that harmonises pasted nodules; trained by `nodegen train`. "
        "Weights in half precision, batch norm in single. Reconstructions are measured in grey "
        "levels of 0..1; amplitudes, and errors of margins, in -1..1.\n",
        markdown_table(("", ""), facts.items()) + "\n",
        markdown_table(tuple(columns), zip(*columns.values(), strict=True)),
    ]
    write_text(folder / PAGE, "\n".join(lines) + "\n")
