"""Checkpoints of the scale in training: one safetensors file, replaced whole, without pickles.

The file holds the weights and both moments of Adam of the two networks (at most 30 MB at the
paper's widest); its metadata holds the scale and the number of iterations done.
"""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from nodegen.errors import TrainingError
from nodegen.io.files import write_bytes

Networks = dict[str, tuple[nn.Module, torch.optim.Optimizer]]  # each with its optimiser, by name


def save_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Save tensors as one safetensors file, whole or not at all."""
    whole = {name: value.detach().contiguous().cpu() for name, value in tensors.items()}
    write_bytes(path, save(whole, metadata))


def save_checkpoint(path: Path, scale: int, iteration: int, networks: Networks) -> None:
    """Save the networks of ``scale`` and their optimisers after ``iteration`` iterations."""
    tensors: dict[str, torch.Tensor] = {}
    for name, (network, optimiser) in networks.items():
        tensors |= {f"{name}.weights.{k}": v for k, v in network.state_dict().items()}
        for i, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.adam.{i}.{k}": v for k, v in moments.items()}
    save_tensors(path, tensors, {"scale": str(scale), "iteration": str(iteration)})


def load_checkpoint(path: Path, scale: int, networks: Networks) -> int:
    """Restore the networks of ``scale`` and their optimisers, and return the iterations done.

    These are 0 where there is no checkpoint, or one of another scale.

    Raises
    ------
    TrainingError
        Where the file is damaged or belongs to other networks.
    """
    if not path.is_file():
        return 0
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            if int(metadata["scale"]) != scale:
                return 0
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        for name, (network, optimiser) in networks.items():
            network.load_state_dict(part(tensors, f"{name}.weights."))
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in part(tensors, f"{name}.adam.").items():
                i, moment = key.split(".")
                state.setdefault(int(i), {})[moment] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        return int(metadata["iteration"])
    except Exception as error:  # safetensors' own, and torch's for other shapes
        raise TrainingError(
            f"The checkpoint {path} cannot be read ({type(error).__name__}); delete it to train "
            f"scale {scale} again."
        ) from error


def part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
