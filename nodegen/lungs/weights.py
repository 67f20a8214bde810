"""The network's weights: read and checked, and written."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import ModelError
from nodegen.io.files import write_bytes, write_text
from nodegen.settings import MODEL

LUNGS = MODEL / "lungs"
INDEX, FORMAT = "lungs.json", "nodegen-lungs-1"


@lru_cache(maxsize=2)
def read_weights(folder: Path = LUNGS) -> dict[str, np.ndarray]:
    """Read the weights by their names in :class:`nodegen.lungs.network.LungNet`, as float32.

    Raises
    ------
    ModelError
        Where they are missing or altered.
    """
    from safetensors.numpy import load

    path = folder / INDEX
    try:
        index = json.loads(path.read_bytes())
        if index["format"] != FORMAT:
            raise ValueError(f"its form is {index['format']!r}")
        data = (folder / index["file"]).read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The weights of the lungs in {folder} cannot be read ({error}); copy the model anew."
        ) from error
    if hashlib.sha256(data).hexdigest() != index["sha256"]:
        raise ModelError(
            f"The weights {folder / index['file']} are truncated or altered: their SHA-256 is not "
            f"the one in {INDEX}; copy the model anew."
        )
    return {name: values.astype(np.float32) for name, values in load(data).items()}


def save_network(network: Any, folder: Path, card: dict[str, Any]) -> Path:
    """Write the weights in half precision, named with their hash, and ``lungs.json``.

    Parameters
    ----------
    network : nodegen.lungs.network.LungNet
    card : dict
        How they were trained.

    Returns
    -------
    pathlib.Path
        The weights.
    """
    from safetensors.torch import save

    tensors = {
        name: value.detach().half().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    data = save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"lungs-{digest[:12]}.safetensors"
    write_bytes(path, data)
    index = {"format": FORMAT, "file": path.name, "sha256": digest, "card": card}
    write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    return path
