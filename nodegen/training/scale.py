"""Training a cascade on one image, scale by scale (SinGAN with the paper's setting).

All randomness follows from seed, scale and iteration: on the CPU a resumed run ends in the weights
of an unbroken one, bit for bit.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nodegen.cascade.pyramid import resize, scale_sizes
from nodegen.constants import HALF_WIDTH_PX, SCALES
from nodegen.training.iteration import (
    LEARNING_RATE,
    LOSSES,
    ScaleInTraining,
    Work,
    readable,
    recorded,
    save_state,
)
from nodegen.training.networks import Discriminator, Generator
from nodegen.training.profiles import Profile

DECAY_AT = 0.8  # part of a scale's iterations after which the learning rate falls (SinGAN)
DECAY = 0.1  # to this part of it (SinGAN)
NOISE_AMPLITUDE = 0.1  # times the RMSE of the reconstruction from the scale below (SinGAN)

CHECKPOINT_SECONDS = 30.0
LOG_EVERY = 25  # iterations; reading a loss stalls a GPU

# What a random stream is for; part of its key.
_FIXED, _BELOW, _WINDOW, _STEP = 1, 2, 3, 4


def stream(device: torch.device, *key: int) -> torch.Generator:
    """The random stream of ``key``, on ``device``."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator(device).manual_seed(seed)


def pad(image: torch.Tensor) -> torch.Tensor:
    """Pad (…, row, column) with the 10 px of zeros that a generator consumes."""
    return F.pad(image, (HALF_WIDTH_PX,) * 4)


@dataclass
class TrainedScale:
    """A trained generator, the state of its discriminator, its noise's amplitude (of -1..1)."""

    generator: Generator
    discriminator: dict[str, torch.Tensor]
    amplitude: float


class Training:
    """One training run on an image (row, column; -1..1): its pyramid, trained scales, the next one.

    ``folder`` gets ``scales/`` and the checkpoint; scales that are there are loaded.
    """

    def __init__(
        self, image: np.ndarray, folder: Path, profile: Profile, seed: int, device: torch.device
    ):
        self.folder, self.profile, self.seed, self.device = folder, profile, seed, device
        full = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
        self.sizes = scale_sizes(image.shape[0])
        self.reals = [resize(full.to(device), side, side) for side in self.sizes]
        fixed = stream(device, seed, 0, 0, _FIXED)
        self.fixed_noise = torch.randn(self.reals[0].shape, generator=fixed, device=device)
        self.scales: list[TrainedScale] = []
        while len(self.scales) < SCALES and self._file(len(self.scales)).is_file():
            self.scales.append(self._load_scale(len(self.scales)))

    def draw(self, rng: torch.Generator | None, upto: int | None = None) -> torch.Tensor:
        """Draw an image from the first ``upto`` scales; without ``rng`` the reconstruction."""
        return self._draw(*(self._noise(n, rng) for n in range(len(self.scales[:upto]))))[0]

    @torch.no_grad()
    def _draw(self, *noises: torch.Tensor) -> list[torch.Tensor]:
        """Draw the image that as many scales generate from their noises."""
        image = torch.zeros_like(self.reals[0])
        for n, (scale, noise) in enumerate(zip(self.scales, noises, strict=False)):
            image = pad(resize(image, self.sizes[n], self.sizes[n]))
            image = scale.generator(image + pad(noise * scale.amplitude), image)
        return [image]

    def _noise(self, n: int, rng: torch.Generator | None) -> torch.Tensor:
        if rng is None:
            return self.fixed_noise if n == 0 else torch.zeros_like(self.reals[n])
        return torch.randn(self.reals[n].shape, generator=rng, device=self.device)

    def train_scale(self) -> Iterator[dict[str, float]]:
        """Train the next scale, and yield its losses every ``LOG_EVERY`` iterations."""
        n, profile = len(self.scales), self.profile
        scale, checkpoint = self._begin(n), self.folder / "checkpoint.pt"
        start = scale.restore(checkpoint, n)
        iterations = profile.iterations[n]
        saved, rate = time.monotonic(), 0.0
        draw = recorded(self._draw, self.device)
        for i in range(start, iterations):
            due = LEARNING_RATE * (DECAY if i >= DECAY_AT * iterations else 1.0)
            if rate != due:
                rate = due
                for _, optimiser in scale.networks.values():
                    optimiser.param_groups[0]["lr"] = rate
                steps = recorded(scale.iterate, self.device)
            if i % profile.redraw_every == 0 or i == start:
                below = self._below(n, i - i % profile.redraw_every, draw)
            losses = steps(*self._inputs(scale, below, n, i))
            done = i + 1
            if done % LOG_EVERY == 0 or done == iterations:
                values = (round(float(value), 6) for value in losses)
                yield {"scale": n, "iteration": done, **dict(zip(LOSSES, values, strict=True))}
            if time.monotonic() - saved > CHECKPOINT_SECONDS and done < iterations:
                scale.save(checkpoint, n, done)
                saved = time.monotonic()
        self._finish_scale(n, scale)

    def _begin(self, n: int) -> ScaleInTraining:
        generator, discriminator = self._new_networks(n)
        real = self.reals[n]
        rebuilt = resize(self.draw(None), *real.shape[-2:])
        amplitude = NOISE_AMPLITUDE * float(F.mse_loss(rebuilt, real).sqrt()) if n else 1.0
        fixed_noise = pad(self._noise(n, None) * amplitude)
        return ScaleInTraining(generator, discriminator, real, pad(rebuilt), fixed_noise, amplitude)

    def _below(self, n: int, key: int, draw: Work) -> torch.Tensor:
        """Draw an image from the scales below, at this scale's size and padded."""
        rng = stream(self.device, self.seed, n, key, _BELOW)
        image = draw(*(self._noise(k, rng) for k in range(n)))[0] if n else self.draw(rng)
        return pad(resize(image, *self.reals[n].shape[-2:]))

    def _inputs(
        self, scale: ScaleInTraining, below: torch.Tensor, n: int, iteration: int
    ) -> list[torch.Tensor]:
        """Draw what an iteration takes: the window of each image, and all that is random."""
        side = min(self.sizes[n], self.profile.window_px or self.sizes[n])
        window_rng = np.random.default_rng((self.seed, n, iteration, _WINDOW))
        top, left = window_rng.integers(0, self.sizes[n] - side + 1, size=2)
        # The same window in padded coordinates, widened by what the generator consumes.
        wide = side + 2 * HALF_WIDTH_PX
        padded = np.s_[..., top : top + wide, left : left + wide]
        inputs = [scale.real[..., top : top + side, left : left + side]]
        inputs += [image[padded] for image in (below, scale.rebuilt, scale.fixed_noise)]
        rng = stream(self.device, self.seed, n, iteration, _STEP)
        for turn in range(2 * self.profile.steps):
            inputs.append(pad(self._noise(n, rng) * scale.amplitude)[padded])
            if turn < self.profile.steps:
                inputs.append(torch.rand((1, 1, 1, 1), generator=rng, device=self.device))
        return inputs

    def _new_networks(self, n: int) -> tuple[Generator, Discriminator]:
        """Networks of scale ``n``: those of the scale below where the width is the same."""
        channels = self.profile.channels[n]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.random.SeedSequence((self.seed, n)).generate_state(1)[0]))
            generator, discriminator = Generator(channels), Discriminator(channels)
        if n > 0 and self.profile.channels[n - 1] == channels:
            generator.load_state_dict(self.scales[-1].generator.state_dict())
            discriminator.load_state_dict(self.scales[-1].discriminator)
        self._to_device(generator)
        self._to_device(discriminator)
        return generator, discriminator

    def _to_device(self, network: nn.Module) -> None:
        """Move a network to the device, in the memory format in which convolutions are fast."""
        network.to(self.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _file(self, n: int) -> Path:
        return self.folder / "scales" / f"{n:02d}.pt"

    def _finish_scale(self, n: int, scale: ScaleInTraining) -> None:
        states = {name: network.state_dict() for name, (network, _) in scale.networks.items()}
        save_state(self._file(n), {**states, "amplitude": scale.amplitude})
        self.scales.append(self._load_scale(n))

    def _load_scale(self, n: int) -> TrainedScale:
        path, generator = self._file(n), Generator(self.profile.channels[n])
        with readable(path, "and those of the scales after it, to train them again"):
            saved = torch.load(path, "cpu", weights_only=True)
            generator.load_state_dict(saved["generator"])
            trained = TrainedScale(generator, saved["discriminator"], saved["amplitude"])
        self._to_device(generator)
        generator.eval().requires_grad_(False)
        return trained
