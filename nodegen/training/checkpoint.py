"""Checkpoints of a training run: written whole or not at all, without pickles.

A scale in training is two files, ``generator`` and ``discriminator``, each with the weights and the
two moments of Adam (at most 15 MB at the paper's widest), and ``state.json`` that names them. The
state is replaced last, so a kill at any point leaves the previous checkpoint intact.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from nodegen.errors import TrainingError
from nodegen.io.files import write_bytes, write_text


def save_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Save tensors as safetensors, atomically."""
    write_bytes(path, save({k: v.detach().contiguous().cpu() for k, v in tensors.items()}))


def _pack(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    packed = {f"weights.{k}": v for k, v in network.state_dict().items()}
    for i, moments in optimiser.state_dict()["state"].items():
        packed |= {f"adam.{i}.{k}": v for k, v in moments.items()}
    return packed


def _unpack(
    packed: dict[str, torch.Tensor],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    weights = {k.removeprefix("weights."): v for k, v in packed.items() if k.startswith("weights.")}
    network.load_state_dict(weights)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in packed.items():
        if key.startswith("adam."):
            _, i, name = key.split(".")
            state.setdefault(int(i), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


class Checkpoint:
    """The checkpoint of the scale in training, in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.state_file = folder / "state.json"

    def save(self, state: dict[str, Any], networks: dict[str, tuple[nn.Module, Any]]) -> None:
        """Save ``state`` and each named (network, optimiser); drop what was saved before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for name, (network, optimiser) in networks.items():
            files[name] = f"{name}-{state['scale']:02d}-{state['iteration']:06d}.safetensors"
            save_tensors(self.folder / files[name], _pack(network, optimiser))
        write_text(self.state_file, json.dumps({**state, "files": files}))
        for old in self.folder.glob("*.safetensors"):
            if old.name not in files.values():
                old.unlink()

    def load(self, networks: dict[str, tuple[nn.Module, Any]], scale: int) -> dict[str, Any] | None:
        """Restore the networks and return the state, or None where ``scale`` has none saved."""
        if not self.state_file.is_file():
            return None
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_bytes())
            if state["scale"] != scale:
                return None
            _ = state["iteration"] + 0, [state["files"][name] for name in networks]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"The checkpoint {self.state_file} cannot be read ({type(error).__name__}); delete "
                f"the folder {self.folder} to train scale {scale} anew."
            ) from error
        for name, (network, optimiser) in networks.items():
            path = self.folder / state["files"][name]
            try:
                _unpack(load_file(path), network, optimiser)
            except Exception as error:
                raise TrainingError(
                    f"The checkpoint {path} cannot be read ({error}); delete the folder "
                    f"{self.folder} to train scale {scale} anew."
                ) from error
        return state
