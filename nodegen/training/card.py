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
SCALE_COLUMNS = (
    "scale", "side, px", "channels", "iterations", "noise amplitude",
    "reconstruction RMSE (of 0..1)", "margin, px",
)  # fmt: skip


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


def write_page(folder: Path) -> Path:
    """Write the page of the cascade in ``folder`` from its ``cascade.json``."""
    index = read_index(folder)
    card = index["card"]
    facts = {
        "training image": card.get("source") or "not given",
        "SHA-256 of the training image": f"`{card['image_sha256'][:16]}…`",
        "profile": card["profile"],
        "seed": card["seed"],
        "steps an iteration": card["steps"],
        "window, px": card["window_px"] or "the whole crop",
        "trained": f"{card['trained']}, in {card['minutes']} minutes on {card['device']} "
        f"({card['machine']}), torch {card['torch']}",
    }
    figures = card["channels"], card["iterations"], index["amplitudes"], card["reconstruction_rmse"]
    margins = index.get("margins", ["not measured"] * len(index["amplitudes"]))
    rows = [
        (n, side, channels, iterations, f"{amplitude:.4f}", f"{error:.4f}", margin)
        for n, side, channels, iterations, amplitude, error, margin in zip(
            range(SCALES), scale_sizes(), *figures, margins, strict=True
        )
    ]
    lines = [
        f"# Cascade `{folder.name}`\n",
        "One-shot SinGAN cascade that harmonises pasted nodules; trained by `nodegen train`. "
        "Weights in half precision, batch norm in single.\n",
        markdown_table(("", ""), facts.items()) + "\n",
        markdown_table(SCALE_COLUMNS, rows),
    ]
    if "margins" in card:
        cases, error, bound = (card["margins"][k] for k in ("cases", "largest_error", "bound"))
        lines += [
            "",
            f"Margins: measured on {cases} boxes; the largest error of the default windows was "
            f"{error:.4f} of the -1..1 scale; {bound} is allowed.",
        ]
    if "crop" in card:
        lines += ["", f"The training crop: `{json.dumps(card['crop'])}`."]
    write_text(folder / PAGE, "\n".join(lines) + "\n")
    return folder / PAGE
