"""One iteration of a scale's training: steps of the discriminator, then of the generator."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from nodegen.training.checkpoint import Networks
from nodegen.training.networks import Discriminator, Generator

LEARNING_RATE = 5e-4  # SinGAN
ADAM_BETAS = (0.5, 0.999)  # SinGAN
GRADIENT_PENALTY = 0.1  # weight of WGAN-GP's penalty, SinGAN
RECONSTRUCTION_WEIGHT = 10.0  # SinGAN

LOSSES = ("real", "fake", "penalty", "adversarial", "reconstruction")


@dataclass
class ScaleInTraining:
    """The scale in training: its networks, their optimisers, and its images in -1..1.

    Attributes
    ----------
    real : Tensor, shape (1, 1, row, column)
        The training image at this scale.
    rebuilt, fixed_noise : Tensor, shape (1, 1, row + 20, column + 20)
        The reconstruction from the scale below, and the noise that it is rebuilt with; padded.
    amplitude : float
        Standard deviation of the noise.
    """

    generator: Generator
    adam_g: torch.optim.Optimizer
    discriminator: Discriminator
    adam_d: torch.optim.Optimizer
    real: torch.Tensor
    rebuilt: torch.Tensor
    fixed_noise: torch.Tensor
    amplitude: float

    @property
    def networks(self) -> Networks:
        """Each network with its optimiser, by name."""
        return {
            "generator": (self.generator, self.adam_g),
            "discriminator": (self.discriminator, self.adam_d),
        }


def adam(network: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """Return the optimiser of one network; on a GPU its steps can be recorded."""
    return torch.optim.Adam(
        network.parameters(), LEARNING_RATE, ADAM_BETAS,
        foreach=True, capturable=device.type == "cuda",
    )  # fmt: skip


def iterate(
    scale: ScaleInTraining,
    real: torch.Tensor,
    below: torch.Tensor,
    rebuilt: torch.Tensor,
    fixed_noise: torch.Tensor,
    *drawn: torch.Tensor,
) -> list[torch.Tensor]:
    """Train both networks on one window.

    Parameters
    ----------
    scale : ScaleInTraining
        Its networks change.
    real, below, rebuilt, fixed_noise : Tensor
        The window of the training image, of an image drawn from the scales below, and of the
        scale's two; all but ``real`` padded.
    *drawn : Tensor
        All that is random: for each step of the discriminator its padded noise and the point in
        0..1 between real and generated where the gradient penalty is taken; then the padded noise
        of each step of the generator.

    Returns
    -------
    list of Tensor
        The last steps' losses, in the order of ``LOSSES``.
    """
    steps = len(drawn) // 3
    for noise, mix in zip(drawn[0 : 2 * steps : 2], drawn[1 : 2 * steps : 2], strict=True):
        with torch.no_grad():
            generated = scale.generator(below + noise, below)
        scale.adam_d.zero_grad(set_to_none=True)
        score_real, score_fake = (scale.discriminator(x).mean() for x in (real, generated))
        penalty = GRADIENT_PENALTY * _penalty(scale.discriminator, real, generated, mix)
        (score_fake - score_real + penalty).backward()
        scale.adam_d.step()
    scale.discriminator.requires_grad_(False)
    for noise in drawn[2 * steps :]:
        scale.adam_g.zero_grad(set_to_none=True)
        adversarial = -scale.discriminator(scale.generator(below + noise, below)).mean()
        reconstruction = F.mse_loss(scale.generator(rebuilt + fixed_noise, rebuilt), real)
        (adversarial + RECONSTRUCTION_WEIGHT * reconstruction).backward()
        scale.adam_g.step()
    scale.discriminator.requires_grad_(True)
    return [x.detach() for x in (score_real, score_fake, penalty, adversarial, reconstruction)]


def _penalty(
    discriminator: nn.Module, real: torch.Tensor, generated: torch.Tensor, mix: torch.Tensor
) -> torch.Tensor:
    """WGAN-GP's gradient penalty, at the point ``mix`` between ``real`` and ``generated``."""
    between = (mix * real + (1 - mix) * generated).requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    penalty: torch.Tensor = ((slope.norm(2, dim=1) - 1) ** 2).mean()
    return penalty
