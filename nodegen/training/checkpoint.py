"""What a training run keeps: each file is replaced whole, and reading one runs no code of it."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nodegen.errors import TrainingError
from nodegen.io.files import write_bytes

Networks = dict[str, tuple[nn.Module, torch.optim.Optimizer]]  # each with its optimiser, by name


def save(path: Path, state: dict[str, Any]) -> None:
    """Save tensors and numbers, whole or not at all."""
    stream = io.BytesIO()
    torch.save(state, stream)
    write_bytes(path, stream.getvalue())


def save_checkpoint(path: Path, scale: int, iteration: int, networks: Networks) -> None:
    """Save the networks of ``scale`` and their optimisers after ``iteration`` iterations."""
    states = {
        name: (network.state_dict(), optimiser.state_dict()["state"])
        for name, (network, optimiser) in networks.items()
    }
    save(path, {"scale": scale, "iteration": iteration, **states})


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
        saved = torch.load(path, "cpu", weights_only=True)
        if saved["scale"] != scale:
            return 0
        for name, (network, optimiser) in networks.items():
            weights, state = saved[name]
            network.load_state_dict(weights)
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        return int(saved["iteration"])
    except Exception as error:  # of pickle and zipfile, and torch's for other shapes
        raise TrainingError(
            f"The checkpoint {path} cannot be read ({type(error).__name__}); delete it to train "
            f"scale {scale} again."
        ) from error
