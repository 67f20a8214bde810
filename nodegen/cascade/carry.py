"""Bringing windows of an image to a scale: from the crop itself, or up from the scale below."""

import torch

from nodegen.cascade.pyramid import resize_tensor
from nodegen.cascade.window import Axis, Span, source_span


def sent(tensors: list[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """Tensors of one type on a device: to a GPU in one copy from pinned memory, without waiting."""
    if device.type != "cuda":
        return [tensor.to(device) for tensor in tensors]
    flat = torch.cat([tensor.flatten() for tensor in tensors]).pin_memory()
    sizes = [tensor.numel() for tensor in tensors]
    parts = torch.split(flat.to(device, non_blocking=True), sizes)
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def inner(axis: Axis) -> slice:
    """Where the generator's output lies in what it read."""
    return slice(axis.out[0] - axis.read[0], axis.out[1] - axis.read[0])


def resized(images: torch.Tensor, axes: tuple[Axis, Axis]) -> torch.Tensor:
    """What ``axes`` read of the images, resized from the crop's own size."""
    return _window_of(images, [(axis.size, axis.read) for axis in axes])


def _window_of(images: torch.Tensor, spans: list[tuple[int, Span]]) -> torch.Tensor:
    """Resize images (…, row, column) to (size, size), but only these spans of the result."""
    down, across = (
        resize_tensor(length, size, images.device, images.dtype)[slice(*span)]
        for length, (size, span) in zip(images.shape[-2:], spans, strict=True)
    )
    return down @ images @ across.T


def carried_up(
    made: torch.Tensor, below: tuple[Axis, Axis], images: torch.Tensor, axes: tuple[Axis, Axis]
) -> torch.Tensor:
    """What ``axes`` read of ``made``, the scale below, resized to this scale.

    Where the window below ends too early, the images themselves continue it.
    """
    pairs = list(zip(below, axes, strict=True))
    needed = [source_span(low.size, high.size, high.read) for low, high in pairs]
    if any(n[0] < low.out[0] or n[1] > low.out[1] for n, low in zip(needed, below, strict=True)):
        ground = _window_of(images, [(a.size, n) for a, n in zip(below, needed, strict=True)])
        rows, columns = (_overlap(n, low.out) for n, low in zip(needed, below, strict=True))
        ground[..., rows[0], columns[0]] = made[..., rows[1], columns[1]]
    else:
        kept = [slice(n[0] - a.out[0], n[1] - a.out[0]) for n, a in zip(needed, below, strict=True)]
        ground = made[..., kept[0], kept[1]]
    down, across = (
        resize_tensor(low.size, high.size, made.device, made.dtype)[slice(*high.read), slice(*span)]
        for (low, high), span in zip(pairs, needed, strict=True)
    )
    return down @ ground @ across.T


def _overlap(needed: Span, have: Span) -> tuple[slice, slice]:
    """Where two spans overlap, as slices of the first and of the second."""
    low, high = max(needed[0], have[0]), min(needed[1], have[1])
    return slice(low - needed[0], high - needed[0]), slice(low - have[0], high - have[0])
