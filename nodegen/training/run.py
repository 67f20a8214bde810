"""A training run from beginning to end: image in, cascade, card, log and pictures out."""

import hashlib
import json
import platform
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from nodegen.constants import CHALLENGE_MAX, CROP_PX, GREY_MAX, SCALES
from nodegen.errors import TrainingError
from nodegen.io.files import locked, write_bytes, write_text
from nodegen.training.card import save_cascade, write_page
from nodegen.training.profiles import PROFILES
from nodegen.training.scale import Training, stream
from nodegen.workers import LINE_EVERY_S

SAMPLES = 3  # random draws in each scale's picture
RUN = "training.json"
LOG = "log.jsonl"
CASCADE = "cascade"  # folder of the finished cascade
FORMAT = 3  # of the run's folder
_PICTURE = 7  # key of the pictures' random streams


def train(
    image: np.ndarray,
    folder: Path,
    *,
    profile: str = "compact",
    seed: int = 0,
    device: str | torch.device = "cpu",
    source: str = "",
    stop_after: int = SCALES,
    progress: bool = True,
) -> Path | None:
    """Train a cascade, or resume the same training, and return its folder, if no scale remains.

    Parameters
    ----------
    image : ndarray, shape (256, 256)
        The training image: 0..1, -1..1, grey levels of 0..4095, or 8 bit (0..255).
    folder : Path
        Gets ``scales/``, ``checkpoint.pt``, ``log.jsonl``, a picture of each scale, and, in the
        end, the cascade in ``cascade/``.
    profile : {"compact", "paper"}
        Width and length of the training, see :mod:`nodegen.training.profiles`.
    seed : int
        Of everything random.
    device : str or torch.device
        Where it runs.
    source : str
        Where the image comes from, for the card.
    stop_after : int
        Number of trained scales after which to stop; the same call resumes.
    progress : bool
        Show the progress on stdout.

    Raises
    ------
    TrainingError
        Where the image does not fit, or ``folder`` holds another run.
    """
    unit = _to_unit(image)
    digest = hashlib.sha256(unit.tobytes()).hexdigest()
    run = {"format": FORMAT, "profile": profile, "seed": seed, "image_sha256": digest}
    device = torch.device(device)
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    with locked(folder):
        _claim(folder, run)
        training = Training(unit * 2 - 1, folder, PROFILES[profile], seed, device)
        while len(training.scales) < stop_after:
            _train_scale(training, progress)
            _save_picture(training)
        if len(training.scales) < SCALES:
            return None
        return _export(training, {**run, "source": source})


def _to_unit(image: np.ndarray) -> np.ndarray:
    """Bring the training image to 0..1, by its type and its range."""
    if image.shape != (CROP_PX, CROP_PX):
        raise TrainingError(
            f"The training image has the shape {image.shape}, and {CROP_PX} x {CROP_PX} px are "
            "needed; cut one with `nodegen training-crop`."
        )
    unit = np.ascontiguousarray(image, dtype=np.float32)
    if image.dtype == np.uint8:
        return unit / CHALLENGE_MAX
    low, high = unit.min(), unit.max()
    if -1 <= low < 0 and high <= 1:  # SinGAN's own scale
        return (unit + 1) / 2
    if not (low >= 0 and high <= GREY_MAX):  # NaN fails, too
        raise TrainingError(
            f"The training image holds values from {low:g} to {high:g}; 0..1, -1..1, "
            f"0..{GREY_MAX} and 8 bit are allowed; cut one with `nodegen training-crop`."
        )
    return unit if high <= 1 else unit / GREY_MAX


def _claim(folder: Path, run: dict[str, Any]) -> None:
    """Refuse a folder that holds another run, and write down this one."""
    path = folder / RUN
    try:
        earlier = json.loads(path.read_bytes())
        other = [key for key, value in run.items() if earlier[key] != value]
    except FileNotFoundError:
        write_text(path, json.dumps(run, indent=2) + "\n")
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}), so the run in {folder} cannot be "
            "resumed; give another --output."
        ) from error
    if other:
        raise TrainingError(
            f"The run in {folder} was started with {other[0]} {earlier[other[0]]}, not "
            f"{run[other[0]]}; give the same, or another --output."
        )


def _train_scale(training: Training, progress: bool) -> None:
    """Train one scale; a bar on a terminal, else a line every ten seconds."""
    n = len(training.scales)
    total = training.profile.iterations[n]
    label = f"scale {n + 1:2d} of {SCALES}, {training.sizes[n]:3d} px"
    started = shown = time.monotonic()
    with (
        tqdm(total=total, desc=label, disable=None if progress else True, file=sys.stdout) as bar,
        (training.folder / LOG).open("a") as log,
    ):
        for losses in training.train_scale():
            now, done, error = time.monotonic(), losses["iteration"], losses["reconstruction"]
            log.write(json.dumps({**losses, "seconds": round(now - started, 1)}) + "\n")
            log.flush()
            bar.update(done - bar.n)
            bar.set_postfix(reconstruction=error)
            if progress and bar.disable and (done == total or now - shown > LINE_EVERY_S):
                shown = now
                spent = f"reconstruction {error:.4f}, {now - started:.0f} s"
                print(f"{label}: iteration {done} of {total}, {spent}", flush=True)


def _save_picture(training: Training) -> None:
    """Save the last scale's image, its reconstruction and random samples, side by side."""
    n = len(training.scales) - 1
    streams = (stream(training.device, training.seed, n, i, _PICTURE) for i in range(SAMPLES))
    draws = [training.reals[n], training.draw(None), *map(training.draw, streams)]
    strip = torch.cat(draws, dim=-1)[0, 0].cpu().numpy()
    grey = np.clip((strip + 1) * 127.5, 0, 255).astype(np.uint8)
    zoom = max(1, CROP_PX // grey.shape[0])
    png = bytes(imagecodecs.png_encode(grey.repeat(zoom, 0).repeat(zoom, 1)))
    write_bytes(training.folder / f"scale_{n:02d}.png", png)


def _export(training: Training, run: dict[str, Any]) -> Path:
    """Write the trained scales as a cascade with its card, and return its folder."""
    errors = [
        float(F.mse_loss(training.draw(None, n + 1), training.reals[n]).sqrt()) / 2
        for n in range(SCALES)
    ]
    entries = [json.loads(line) for line in (training.folder / LOG).read_text().splitlines()]
    seconds = {entry["scale"]: entry["seconds"] for entry in entries}
    threads, profile = torch.get_num_threads(), training.profile
    card = {
        **run,
        "trained": date.today().isoformat(),
        "torch": torch.__version__,
        "device": training.device.type,
        "machine": f"{platform.machine()}, {threads} thread{'s' * (threads != 1)}",
        "minutes": round(sum(seconds.values()) / 60, 1),
        "channels": list(profile.channels),
        "iterations": list(profile.iterations),
        "steps": profile.steps,
        "window_px": profile.window_px,
        "reconstruction_rmse": [round(error, 5) for error in errors],
    }
    states = [scale.generator.state_dict() for scale in training.scales]
    amplitudes = [scale.amplitude for scale in training.scales]
    folder = training.folder / CASCADE
    save_cascade(folder, states, amplitudes, card)
    write_page(folder)
    return folder
