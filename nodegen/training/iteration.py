"""One iteration of a scale's training: steps of the discriminator, then of the generator."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from nodegen.constants import ADAM_BETAS, GRADIENT_PENALTY, LEARNING_RATE, RECONSTRUCTION_WEIGHT
from nodegen.training.generator import Discriminator, Generator

LOSSES = ("real", "fake", "penalty", "adversarial", "reconstruction")


@dataclass
class Bench:
    """The scale in training: its networks, their optimisers, and the images that it works on.

    ``rebuilt`` (the reconstruction from below) and ``fixed`` (its noise) are padded.
    """

    generator: Generator
    adam_g: torch.optim.Optimizer
    discriminator: Discriminator
    adam_d: torch.optim.Optimizer
    real: torch.Tensor
    rebuilt: torch.Tensor
    fixed: torch.Tensor
    amplitude: float

    @property
    def networks(self) -> dict[str, tuple[nn.Module, torch.optim.Optimizer]]:
        """Each network with its optimiser, by name."""
        return {
            "generator": (self.generator, self.adam_g),
            "discriminator": (self.discriminator, self.adam_d),
        }


def adam(network: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """The optimiser of one network, such that its steps can be recorded on a GPU."""
    return torch.optim.Adam(
        network.parameters(), LEARNING_RATE, ADAM_BETAS,
        foreach=True, capturable=device.type == "cuda",
    )  # fmt: skip


def iterate(
    bench: Bench,
    real: torch.Tensor,
    below: torch.Tensor,
    rebuilt: torch.Tensor,
    fixed: torch.Tensor,
    *drawn: torch.Tensor,
) -> list[torch.Tensor]:
    """Train both networks on one window.

    Parameters
    ----------
    real, below, rebuilt, fixed : Tensor
        The window of the training image, of the image drawn from the scales below, and of the
        bench's two; all but ``real`` padded.
    *drawn : Tensor
        All that is random: for each step of the discriminator its noise, padded, and where
        between real and made its slope is taken, in 0..1; then the noise of each step of the
        generator.

    Returns
    -------
    list of Tensor
        The last steps' losses, in the order of ``LOSSES``.
    """
    steps = len(drawn) // 3
    for noise, mix in zip(drawn[0 : 2 * steps : 2], drawn[1 : 2 * steps : 2], strict=True):
        with torch.no_grad():
            made = bench.generator(below + noise, below)
        bench.adam_d.zero_grad(set_to_none=True)
        score_real, score_fake = (bench.discriminator(x).mean() for x in (real, made))
        penalty = GRADIENT_PENALTY * _penalty(bench.discriminator, real, made, mix)
        (score_fake - score_real + penalty).backward()
        bench.adam_d.step()
    bench.discriminator.requires_grad_(False)
    for noise in drawn[2 * steps :]:
        bench.adam_g.zero_grad(set_to_none=True)
        adversarial = -bench.discriminator(bench.generator(below + noise, below)).mean()
        reconstruction = F.mse_loss(bench.generator(rebuilt + fixed, rebuilt), real)
        (adversarial + RECONSTRUCTION_WEIGHT * reconstruction).backward()
        bench.adam_g.step()
    bench.discriminator.requires_grad_(True)
    return [x.detach() for x in (score_real, score_fake, penalty, adversarial, reconstruction)]


def _penalty(
    discriminator: nn.Module, real: torch.Tensor, made: torch.Tensor, mix: torch.Tensor
) -> torch.Tensor:
    """WGAN-GP's penalty, at a random point between ``real`` and ``made``."""
    between = (mix * real + (1 - mix) * made).requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    penalty: torch.Tensor = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    return penalty
