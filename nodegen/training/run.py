"""A training run from beginning to end: image in, cascade, card, log and pictures out."""

import hashlib
import io
import json
import platform
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from tqdm import tqdm

from nodegen.cascade.weights import save_cascade
from nodegen.constants import CHALLENGE_MAX, CROP_PX, GREY_MAX, SCALES
from nodegen.errors import TrainingError
from nodegen.io.files import locked, write_bytes, write_text
from nodegen.training.card import write_page
from nodegen.training.profiles import PROFILES
from nodegen.training.scale import Training, stream

SAMPLES = 3  # random draws in each scale's picture
RUN = "training.json"
CASCADE = "cascade"  # folder of the finished cascade
_PICTURE = 7  # key of the pictures' random streams


def train(
    image: np.ndarray,
    folder: Path,
    *,
    profile: str = "compact",
    seed: int = 0,
    device: torch.device | None = None,
    resume: bool = False,
    source: str = "",
    stop_after: int = SCALES,
    progress: bool = True,
) -> Path | None:
    """Train a cascade, or go on with one.

    Parameters
    ----------
    image : ndarray, shape (256, 256)
        The training image: 0..1, grey levels of 0..4095, or 8 bit (0..255).
    folder : Path
        Gets ``scales/``, ``checkpoint/``, ``log.jsonl``, a picture of each scale, and, in the end,
        the cascade in ``cascade/``.
    profile : {"paper", "compact"}
    resume : bool
        Go on where an earlier run in ``folder`` stopped.
    source : str
        Where the image comes from, for the card.
    stop_after : int
        Leave after so many scales are done, to be resumed later.

    Returns
    -------
    Path or None
        Folder of the cascade; None where scales remain.

    Raises
    ------
    TrainingError
        Where the image does not fit, or ``folder`` holds another run.
    """
    unit = _checked(image)
    with locked(folder):
        return _train(unit, folder, profile, seed, device, resume, source, stop_after, progress)


def _train(
    unit: np.ndarray,
    folder: Path,
    profile: str,
    seed: int,
    device: torch.device | None,
    resume: bool,
    source: str,
    stop_after: int,
    progress: bool,
) -> Path | None:
    run = {
        "profile": profile,
        "seed": seed,
        "image_sha256": hashlib.sha256(unit.tobytes()).hexdigest(),
    }
    _claim(folder, run, resume)
    device = device or torch.device("cpu")
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    training = Training(unit * 2 - 1, folder, PROFILES[profile], seed, device)
    training.restore()
    while len(training.scales) < stop_after:
        _train_scale(training, progress)
        _picture(training, folder)
    if len(training.scales) < SCALES:
        return None
    return _export(training, folder, {**run, "source": source})


def _checked(image: np.ndarray) -> np.ndarray:
    if image.shape != (CROP_PX, CROP_PX):
        raise TrainingError(
            f"The training image has the shape {image.shape}, where one of {CROP_PX} x {CROP_PX} "
            "px is wanted; cut one with `nodegen training-crop`."
        )
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image, dtype=np.float32) / CHALLENGE_MAX
    unit = np.ascontiguousarray(image, dtype=np.float32)
    if not np.isfinite(unit).all() or unit.min() < 0 or unit.max() > GREY_MAX:
        raise TrainingError(
            f"The training image holds values from {unit.min():g} to {unit.max():g}, where 0..1, "
            f"0..{GREY_MAX}, or 8 bit is wanted; cut one with `nodegen training-crop`."
        )
    return unit if unit.max() <= 1 else unit / GREY_MAX


def _claim(folder: Path, run: dict[str, Any], resume: bool) -> None:
    path = folder / RUN
    if path.is_file():
        if not resume:
            raise TrainingError(
                f"{folder} already holds a training run; add --resume to go on with it, or give "
                "another --output."
            )
        try:
            earlier = json.loads(path.read_bytes())
            known = {key: earlier[key] for key in run}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{path} cannot be read ({type(error).__name__}), so nobody knows what run lies in "
                f"{folder}; give another --output."
            ) from error
        for key, value in run.items():
            if known[key] != value:
                raise TrainingError(
                    f"The run in {folder} was started with {key} {known[key]}, not {value}; give "
                    "the same, or another --output."
                )
    write_text(path, json.dumps(run, indent=2) + "\n")


def _train_scale(training: Training, progress: bool) -> None:
    n = len(training.scales)
    total = training.profile.iterations[n]
    label = f"scale {n:2d} of {SCALES}, {training.sizes[n]:3d} px"
    started = time.monotonic()
    with tqdm(total=total, desc=label, disable=None if progress else True, file=sys.stdout) as bar:
        for losses in training.train_scale():
            training.log({**losses, "seconds": round(time.monotonic() - started, 1)})
            bar.update(losses["iteration"] - bar.n)
            bar.set_postfix(reconstruction=losses["reconstruction"])
    if progress and bar.disable:
        print(f"{label}: done in {time.monotonic() - started:.0f} s", flush=True)


def _picture(training: Training, folder: Path) -> None:
    """Save the last scale's image, its reconstruction and random samples, side by side."""
    n = len(training.scales) - 1
    draws = [training.reals[n], training.draw(None)]
    for i in range(SAMPLES):
        draws.append(training.draw(stream(training.device, training.seed, n, i, _PICTURE)))
    strip = torch.cat(draws, dim=-1)[0, 0].cpu().numpy()
    grey = np.clip((strip + 1) * 127.5, 0, 255).astype(np.uint8)
    zoom = max(1, CROP_PX // grey.shape[0])
    drawn = io.BytesIO()
    Image.fromarray(grey.repeat(zoom, 0).repeat(zoom, 1)).save(drawn, format="PNG")
    write_bytes(folder / f"scale_{n:02d}.png", drawn.getvalue())


def _export(training: Training, folder: Path, run: dict[str, Any]) -> Path:
    errors = [
        float(F.mse_loss(training.draw(None, n + 1), training.reals[n]).sqrt()) / 2
        for n in range(SCALES)
    ]
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    seconds = {entry["scale"]: entry["seconds"] for entry in entries if "seconds" in entry}
    threads = torch.get_num_threads()
    card = {
        **run,
        "trained": date.today().isoformat(),
        "torch": torch.__version__,
        "device": training.device.type,
        "machine": f"{platform.machine()}, {threads} thread{'s' * (threads != 1)}",
        "minutes": round(sum(seconds.values()) / 60, 1),
        "channels": list(training.profile.channels),
        "iterations": list(training.profile.iterations),
        "steps": training.profile.steps,
        "window_px": training.profile.window_px,
        "reconstruction_rmse": [round(error, 5) for error in errors],
    }
    states = [scale.generator.state_dict() for scale in training.scales]
    amplitudes = [scale.amplitude for scale in training.scales]
    save_cascade(folder / CASCADE, states, amplitudes, card)
    write_page(folder / CASCADE)
    return folder / CASCADE
