"""The cascade as it was trained: batch norm after each convolution, the whole crop at each scale.

What folding and windows save is measured against it.
"""

from pathlib import Path

import torch

from nodegen.cascade.cascade import Cascade, load_tensors, read_index
from nodegen.training.networks import Generator


class Unfolded(Cascade):
    """A cascade whose generators are the modules of the training, in evaluation mode."""

    generators: list[Generator]

    @classmethod
    def open(cls, folder: Path, device: torch.device | str = "cpu") -> "Unfolded":
        """Load a cascade without folding; see :meth:`Cascade.open`."""
        folded = Cascade.open(folder, device)
        cascade = cls(folded.layers, folded.amplitudes, folded.margins, folded.sha256)
        tensors = load_tensors(folder, read_index(folder))
        cascade.generators = []
        for n, channels in enumerate(cascade.channels):
            generator = Generator(channels).to(device).eval()
            prefix = f"{n:02d}."
            state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            generator.load_state_dict(state, strict=False)  # lacks batch norm's counters only
            cascade.generators.append(generator)
        return cascade

    def generate(self, n: int, x: torch.Tensor, quick: bool = True) -> torch.Tensor:
        """Run the generator of scale ``n``; see :meth:`Cascade.generate`."""
        made: torch.Tensor = self.generators[n].layers(x)
        return made
