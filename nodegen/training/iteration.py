"""A scale in training, its checkpoint, one iteration of both its networks, and its recording."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from nodegen.errors import TrainingError
from nodegen.io.files import write_bytes
from nodegen.training.networks import Discriminator, Generator

LEARNING_RATE = 5e-4  # SinGAN
ADAM_BETAS = (0.5, 0.999)  # SinGAN
GRADIENT_PENALTY = 0.1  # weight of WGAN-GP's penalty, SinGAN
RECONSTRUCTION_WEIGHT = 10.0  # SinGAN
WARM_UP = 3  # calls before a recording: kernels are chosen, optimisers make their state

LOSSES = ("real", "fake", "penalty", "adversarial", "reconstruction")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Save tensors and numbers, whole or not at all; reading them runs no code of the file."""
    stream = io.BytesIO()
    torch.save(state, stream)
    write_bytes(path, stream.getvalue())


@contextmanager
def readable(path: Path, remedy: str) -> Iterator[None]:
    """Say of a damaged file, or one of other networks, that it is to be deleted."""
    try:
        yield
    except Exception as error:  # of pickle and zipfile, and torch's for other shapes
        raise TrainingError(
            f"{path} cannot be read ({type(error).__name__}); delete it {remedy}."
        ) from error


@dataclass
class ScaleInTraining:
    """The scale in training: its networks, their optimisers, and its images in -1..1."""

    generator: Generator
    discriminator: Discriminator
    real: torch.Tensor  # (1, 1, row, column): the training image at this scale
    # (1, 1, row + 20, column + 20): the reconstruction from the scale below, and its noise.
    rebuilt: torch.Tensor
    fixed_noise: torch.Tensor
    amplitude: float  # standard deviation of the noise

    def __post_init__(self) -> None:
        on_gpu = self.real.is_cuda  # there its steps can be recorded
        self.adam_g, self.adam_d = (
            torch.optim.Adam(
                network.parameters(), LEARNING_RATE, ADAM_BETAS, foreach=True, capturable=on_gpu
            )
            for network in (self.generator, self.discriminator)
        )

    @property
    def networks(self) -> dict[str, tuple[nn.Module, torch.optim.Optimizer]]:
        """Each network with its optimiser, by name."""
        return {
            "generator": (self.generator, self.adam_g),
            "discriminator": (self.discriminator, self.adam_d),
        }

    def save(self, path: Path, number: int, iteration: int) -> None:
        """Write the checkpoint of scale ``number`` after ``iteration`` iterations."""
        states = {
            name: (network.state_dict(), optimiser.state_dict()["state"])
            for name, (network, optimiser) in self.networks.items()
        }
        save_state(path, {"scale": number, "iteration": iteration, **states})

    def restore(self, path: Path, number: int) -> int:
        """Load the checkpoint, and return the iterations done; 0 without one of this scale."""
        if not path.is_file():
            return 0
        with readable(path, f"to train scale {number} again"):
            saved = torch.load(path, "cpu", weights_only=True)
            if saved["scale"] != number:
                return 0
            for name, (network, optimiser) in self.networks.items():
                weights, state = saved[name]
                network.load_state_dict(weights)
                optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
            return int(saved["iteration"])

    def iterate(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        """Train both networks on one window, and return the last steps' losses, as in ``LOSSES``.

        Inputs: windows of the training image, of an image drawn from the scales below, and of the
        scale's own two, padded but the first; for each step of the discriminator its padded noise
        and the point in 0..1 where the gradient penalty is taken; each generator step's noise.
        """
        real, below, rebuilt, fixed_noise, *drawn = inputs
        steps = len(drawn) // 3
        for noise, mix in zip(drawn[0 : 2 * steps : 2], drawn[1 : 2 * steps : 2], strict=True):
            with torch.no_grad():
                generated = self.generator(below + noise, below)
            self.adam_d.zero_grad(set_to_none=True)
            score_real, score_fake = (self.discriminator(x).mean() for x in (real, generated))
            penalty = GRADIENT_PENALTY * _penalty(self.discriminator, real, generated, mix)
            (score_fake - score_real + penalty).backward()
            self.adam_d.step()
        self.discriminator.requires_grad_(False)
        for noise in drawn[2 * steps :]:
            self.adam_g.zero_grad(set_to_none=True)
            adversarial = -self.discriminator(self.generator(below + noise, below)).mean()
            reconstruction = F.mse_loss(self.generator(rebuilt + fixed_noise, rebuilt), real)
            (adversarial + RECONSTRUCTION_WEIGHT * reconstruction).backward()
            self.adam_g.step()
        self.discriminator.requires_grad_(True)
        return [x.detach() for x in (score_real, score_fake, penalty, adversarial, reconstruction)]


def _penalty(
    discriminator: nn.Module, real: torch.Tensor, generated: torch.Tensor, mix: torch.Tensor
) -> torch.Tensor:
    """WGAN-GP's gradient penalty, at the point ``mix`` between ``real`` and ``generated``."""
    between = (mix * real + (1 - mix) * generated).requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    penalty: torch.Tensor = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    return penalty


Work = Callable[..., Sequence[torch.Tensor]]


def recorded(work: Work, device: torch.device) -> Work:
    """Work on tensors of unchanging shapes, which a GPU records once and replays as a CUDA graph.

    A step at a coarse scale is hundreds of small kernels, which leave a GPU idle if Python starts
    each. All that is random must be given; what else is read, such as a learning rate, stays as
    when it was recorded. What is returned holds until the next call.
    """
    if device.type != "cuda":
        return work
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    graph, calls = torch.cuda.CUDAGraph(), 0
    given: list[torch.Tensor] = []
    made: Sequence[torch.Tensor] = ()

    def call(*inputs: torch.Tensor) -> Sequence[torch.Tensor]:
        nonlocal calls, given, made
        calls += 1
        if calls <= WARM_UP:  # on the stream that will record, which must not be the default one
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                made = work(*inputs)
            torch.cuda.current_stream(device).wait_stream(stream)
            return made
        if calls == WARM_UP + 1:
            given = [value.detach().clone() for value in inputs]
            with torch.cuda.graph(graph, stream=stream):
                made = work(*given)
        for here, value in zip(given, inputs, strict=True):
            here.copy_(value)
        graph.replay()
        return made

    return call
