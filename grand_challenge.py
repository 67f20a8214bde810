"""What both entries of the containers do: model, case, log and ``results.json``."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from nodegen.errors import OutputError
from nodegen.io.files import write_text
from nodegen.pipeline import generate
from nodegen.renderer import Renderer
from nodegen.settings import Settings

UNPACKED_MODEL = Path("/opt/ml/model")  # where the platform unpacks a model of its own
RESULTS = "results.json"


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add the options that both entries have.

    Parameters
    ----------
    parser : ArgumentParser
        Gets ``--input``, ``--output`` and ``--workers``.
    """
    for name in ("input", "output"):
        parser.add_argument(
            f"--{name}", type=Path, default=Path(f"/{name}"), help="(default: %(default)s)"
        )
    parser.add_argument(
        "--workers",
        type=int,
        help="slices rendered side by side (default: one for each processor that may be used)",
    )


def open_renderer(workers: int | None) -> Renderer:
    """Make the renderer, with the unpacked model where there is one, and log what it runs on.

    Parameters
    ----------
    workers : int or None
        As in :class:`nodegen.settings.Settings`.
    """
    renderer = Renderer(settings_of(workers))
    print(
        f"nodegen on {renderer.device.type}, torch {torch.__version__}, CUDA {torch.version.cuda}",
        flush=True,
    )
    return renderer


def settings_of(workers: int | None, folder: Path = UNPACKED_MODEL) -> Settings:
    """The default settings, with the model that is unpacked in place of what the image ships.

    Parameters
    ----------
    workers : int or None
        As in :class:`nodegen.settings.Settings`.
    folder : Path
        May hold hyposignal, hypersignal and nodules.
    """
    cascades = any((folder / name).is_dir() for name in ("hyposignal", "hypersignal"))
    library = folder / "nodules"
    return Settings(
        workers=workers,
        model=folder if cascades else None,
        library=library if library.is_dir() else None,
    )


def generate_case(renderer: Renderer, input_dir: Path, output_dir: Path) -> dict[str, Any]:
    """Process one case and log it.

    Parameters
    ----------
    renderer : Renderer
        Draws the nodules.
    input_dir, output_dir : Path
        Folder of the case, and the one that gets the result.

    Returns
    -------
    dict
        The case's entry in ``results.json``.
    """
    start = time.perf_counter()
    # Whatever fails from here on, no older results.json may stay.
    with suppress(OSError):
        (output_dir / RESULTS).unlink()
    done = generate(input_dir, output_dir, renderer=renderer, overwrite=True)
    for line in done.lines(time.perf_counter() - start):
        print(line, flush=True)
    name = {"type": "metaio_image", "filename": done.image.name}
    return {"outputs": [name], "inputs": [dict(name)], "error_messages": []}


def save_results(output_dir: Path, results: list[dict[str, Any]]) -> None:
    """Write ``results.json`` as evalutils does; where it cannot be written, leave no image.

    Parameters
    ----------
    output_dir : Path
        Folder of the results.
    results : list of dict
        Of :func:`generate_case`.

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """
    try:
        write_text(output_dir / RESULTS, json.dumps(results))
    except OutputError:
        for result in results:
            (output_dir / result["outputs"][0]["filename"]).unlink(missing_ok=True)
        raise
