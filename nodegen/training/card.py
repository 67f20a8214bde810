"""The model card: what a cascade was trained on and how, as a page to be read."""

import json
from pathlib import Path

from nodegen.cascade.pyramid import scale_sizes
from nodegen.cascade.weights import read_index
from nodegen.io.files import write_text
from nodegen.io.tables import markdown_table

PAGE = "README.md"
SCALE_COLUMNS = (
    *("scale", "side, px", "channels", "iterations", "noise amplitude"),
    *("reconstruction RMSE (of 0..1)", "margin, px"),
)


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
        for n, (side, channels, iterations, amplitude, error, margin) in enumerate(
            zip(scale_sizes(), *figures, margins, strict=True)
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
