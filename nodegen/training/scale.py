"""Training a cascade on one image, scale by scale (SinGAN with the paper's setting).

Every random number is a function of the seed, the scale and the iteration. A run that is killed and
resumed therefore draws what an unbroken run would have drawn, and on the CPU ends in the same
weights, bit for bit.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from nodegen.cascade.pyramid import resize, scale_sizes
from nodegen.constants import (
    DECAY,
    DECAY_AT,
    HALF_WIDTH_PX,
    LEARNING_RATE,
    NOISE_AMPLITUDE,
    SCALES,
)
from nodegen.errors import TrainingError
from nodegen.training.checkpoint import Checkpoint, save_tensors
from nodegen.training.generator import Discriminator, Generator
from nodegen.training.iteration import LOSSES, Bench, adam, iterate
from nodegen.training.profiles import Profile
from nodegen.training.recorded import Recorded

_Network = TypeVar("_Network", bound=nn.Module)

CHECKPOINT_SECONDS = 30.0
LOG_EVERY = 25  # iterations; reading a loss stalls a GPU

# What a random stream is for; part of its key.
_INITIAL, _FIXED, _BELOW, _WINDOW, _STEP, _SAMPLE = range(6)


def stream(device: torch.device, *key: int) -> torch.Generator:
    """The random stream of ``key``, on ``device``."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator(device).manual_seed(seed)


def pad(image: torch.Tensor) -> torch.Tensor:
    """Pad (…, row, column) with the 10 px of zeros that a generator consumes."""
    return F.pad(image, (HALF_WIDTH_PX,) * 4)


@dataclass
class TrainedScale:
    """A generator that is done, with the amplitude of its noise."""

    generator: Generator
    amplitude: float


class Training:
    """One training run: the image's pyramid, the scales that are done, and the next one.

    Parameters
    ----------
    image : ndarray, shape (row, column)
        The training image in -1..1.
    folder : Path
        Where scales, checkpoints, log and pictures go.
    """

    def __init__(
        self,
        image: np.ndarray,
        folder: Path,
        profile: Profile,
        seed: int,
        device: torch.device,
    ):
        self.folder, self.profile, self.seed, self.device = (
            folder,
            profile,
            seed,
            device,
        )
        full = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
        self.sizes = scale_sizes(image.shape[0])
        self.reals = [resize(full.to(device), side, side) for side in self.sizes]
        self.scales: list[TrainedScale] = []
        fixed = stream(device, seed, 0, 0, _FIXED)
        self.fixed_noise = torch.randn(self.reals[0].shape, generator=fixed, device=device)

    # --- drawing from the scales that are done ----------------------------------------------------

    @torch.no_grad()
    def draw(self, rng: torch.Generator | None, upto: int | None = None) -> torch.Tensor:
        """Draw an image from the first ``upto`` scales; without ``rng`` the reconstruction."""
        return self._drawn(*(self._noise(n, rng) for n in range(len(self.scales[:upto]))))[0]

    @torch.no_grad()
    def _drawn(self, *noises: torch.Tensor) -> list[torch.Tensor]:
        """The image that as many scales make of their noises."""
        image = torch.zeros_like(self.reals[0])
        for n, (scale, noise) in enumerate(zip(self.scales, noises, strict=False)):
            image = pad(resize(image, self.sizes[n], self.sizes[n]))
            image = scale.generator(image + pad(noise * scale.amplitude), image)
        return [image]

    def _noise(self, n: int, rng: torch.Generator | None) -> torch.Tensor:
        if rng is None:
            return self.fixed_noise if n == 0 else torch.zeros_like(self.reals[n])
        return torch.randn(self.reals[n].shape, generator=rng, device=self.device)

    # --- one scale --------------------------------------------------------------------------------

    def train_scale(self) -> Iterator[dict[str, float]]:
        """Train the next scale, yielding its losses now and then; ends with the scale appended."""
        n, profile = len(self.scales), self.profile
        bench = self._begin(n)
        checkpoint = Checkpoint(self.folder / "checkpoint")
        state = checkpoint.load(bench.networks, n)
        start = state["iteration"] if state else 0
        iterations = profile.iterations[n]
        saved, rate = time.monotonic(), 0.0
        draw = Recorded(self._drawn, self.device)
        for i in range(start, iterations):
            due = LEARNING_RATE * (DECAY if i >= DECAY_AT * iterations else 1.0)
            if rate != due:
                rate = due
                for _, optimiser in bench.networks.values():
                    optimiser.param_groups[0]["lr"] = rate
                steps = Recorded(partial(iterate, bench), self.device)
            if i % profile.redraw_every == 0 or i == start:
                below = self._below(n, i - i % profile.redraw_every, draw)
            losses = self._iterate(steps, bench, below, self._window(n, i), self._rng(n, i, _STEP))
            done = i + 1
            if done % LOG_EVERY == 0 or done == iterations:
                told = {name: round(float(value), 6) for name, value in losses.items()}
                yield {"scale": n, "iteration": done, **told}
            if time.monotonic() - saved > CHECKPOINT_SECONDS and done < iterations:
                checkpoint.save({"scale": n, "iteration": done}, bench.networks)
                saved = time.monotonic()
        self._finish_scale(n, bench)

    def _begin(self, n: int) -> Bench:
        generator, discriminator = self._new_networks(n)
        real = self.reals[n]
        rebuilt = resize(self.draw(None), *real.shape[-2:])
        amplitude = 1.0
        if n > 0:
            amplitude = NOISE_AMPLITUDE * float(F.mse_loss(rebuilt, real).sqrt())
        fixed = pad(self._noise(n, None) * amplitude)
        return Bench(
            generator, adam(generator, self.device),
            discriminator, adam(discriminator, self.device),
            real, pad(rebuilt), fixed, amplitude,
        )  # fmt: skip

    def _below(self, n: int, key: int, draw: Recorded) -> torch.Tensor:
        """Draw an image from the scales below, at this scale's size and padded."""
        rng = self._rng(n, key, _BELOW)
        image = draw(*(self._noise(k, rng) for k in range(n)))[0] if n else self.draw(rng)
        return pad(resize(image, *self.reals[n].shape[-2:]))

    def _rng(self, n: int, iteration: int, purpose: int) -> torch.Generator:
        return stream(self.device, self.seed, n, iteration, purpose)

    def _iterate(
        self,
        steps: Recorded,
        bench: Bench,
        below: torch.Tensor,
        window: tuple[slice, slice],
        rng: torch.Generator,
    ) -> dict[str, torch.Tensor]:
        """Steps of the discriminator, then of the generator, on one window."""
        # The same window in padded coordinates, widened by what the generator consumes.
        rows, columns = (slice(s.start, s.stop + 2 * HALF_WIDTH_PX) for s in window)
        images = [
            bench.real[..., window[0], window[1]],
            *(image[..., rows, columns] for image in (below, bench.rebuilt, bench.fixed)),
        ]
        n, drawn = len(self.scales), []
        for turn in range(2 * self.profile.steps):
            noise = pad(self._noise(n, rng) * bench.amplitude)
            drawn.append(noise[..., rows, columns])
            if turn < self.profile.steps:
                drawn.append(torch.rand((1, 1, 1, 1), generator=rng, device=self.device))
        return dict(zip(LOSSES, steps(*images, *drawn), strict=True))

    def _window(self, n: int, iteration: int) -> tuple[slice, slice]:
        side = min(self.sizes[n], self.profile.window_px or self.sizes[n])
        rng = np.random.default_rng((self.seed, n, iteration, _WINDOW))
        top, left = rng.integers(0, self.sizes[n] - side + 1, size=2)
        return slice(top, top + side), slice(left, left + side)

    def _new_networks(self, n: int) -> tuple[Generator, Discriminator]:
        """Networks of scale ``n``: those of the scale below where the width is the same."""
        channels = self.profile.channels[n]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.random.SeedSequence((self.seed, n)).generate_state(1)[0]))
            generator, discriminator = Generator(channels), Discriminator(channels)
        if n > 0 and self.profile.channels[n - 1] == channels:
            generator.load_state_dict(self.scales[-1].generator.state_dict())
            discriminator.load_state_dict(self._load(n - 1, "discriminator"))
        return self._laid_out(generator).train(), self._laid_out(discriminator).train()

    def _laid_out(self, network: _Network) -> _Network:
        """Move a network to the device, in the memory format that convolutions are fast in."""
        network.to(self.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    # --- scales that are done ---------------------------------------------------------------------

    def _file(self, n: int, name: str) -> Path:
        return self.folder / "scales" / f"{n:02d}-{name}.safetensors"

    def _load(self, n: int, name: str) -> dict[str, torch.Tensor]:
        return load_file(self._file(n, name))

    def _finish_scale(self, n: int, bench: Bench) -> None:
        generator = bench.generator.eval()
        self._file(n, "").parent.mkdir(parents=True, exist_ok=True)
        save_tensors(self._file(n, "discriminator"), bench.discriminator.state_dict())
        tensors = {**generator.state_dict(), "amplitude": torch.tensor(bench.amplitude)}
        save_tensors(self._file(n, "generator"), tensors)  # last: it says that the scale is done
        self.scales.append(TrainedScale(generator.requires_grad_(False), bench.amplitude))

    def restore(self) -> None:
        """Take up the scales that an earlier run finished in the same folder."""
        while len(self.scales) < SCALES and self._file(len(self.scales), "generator").is_file():
            n = len(self.scales)
            generator = Generator(self.profile.channels[n])
            try:
                weights = self._load(n, "generator")
                amplitude = float(weights.pop("amplitude"))
                generator.load_state_dict(weights)
            except Exception as error:  # safetensors' own, and torch's for other shapes
                path = self._file(n, "generator")
                raise TrainingError(
                    f"{path} cannot be read ({type(error).__name__}); delete it and those of the "
                    "scales after it, to train them anew."
                ) from error
            generator = self._laid_out(generator).eval()
            self.scales.append(TrainedScale(generator.requires_grad_(False), amplitude))

    def log(self, entry: dict[str, float]) -> None:
        """Append a line to ``log.jsonl``."""
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")
