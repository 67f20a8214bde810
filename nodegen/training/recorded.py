"""A function of tensors that a GPU replays as one CUDA graph.

A step at a coarse scale is hundreds of small kernels, which leave a GPU idle if Python starts each.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch

WARM_UP = 3  # calls before the recording: kernels are chosen, optimisers make their state

Work = Callable[..., Sequence[torch.Tensor]]


class Recorded:
    """``work``, called as it is on a CPU, and recorded and replayed on a GPU.

    It takes and returns tensors of unchanging shapes. What it draws at random must be one of them;
    what else it reads, such as a learning rate, stays as when it was recorded.
    """

    def __init__(self, work: Work, device: torch.device):
        self.work, self.device = work, device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._given: list[torch.Tensor] = []
        self._made: Sequence[torch.Tensor] = ()

    def __call__(self, *given: torch.Tensor) -> Sequence[torch.Tensor]:
        """Do the work once; on a GPU, what is returned holds until the next call."""
        if self.device.type != "cuda":
            return self.work(*given)
        if self._graph is None:
            self._calls += 1
            if self._calls <= WARM_UP:
                return self._aside(given)
            self._record(given)
        assert self._graph is not None
        for here, value in zip(self._given, given, strict=True):
            here.copy_(value)
        self._graph.replay()
        return self._made

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    def _aside(self, given: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """Work on the stream that will record, which must not be the default one."""
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            made = self.work(*given)
        torch.cuda.current_stream(self.device).wait_stream(self._stream)
        return made

    def _record(self, given: Sequence[torch.Tensor]) -> None:
        self._given = [value.detach().clone() for value in given]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._made = self.work(*self._given)
