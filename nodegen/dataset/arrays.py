"""Arrays and tensors of training loops: pixels out of them, and results in their own form."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nodegen.errors import BoxesError, StackError
from nodegen.io.image import to_array


def flat_pixels(given: Any) -> np.ndarray:
    """The pixels of an array or tensor of two axes, or of a first one of length 1 and two more.

    Raises
    ------
    StackError
        Where it is of another form, empty, or holds what is not finite.
    """
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    if not isinstance(given, np.ndarray):
        raise StackError(
            f"The radiograph is a {type(given).__name__}, where an array or a tensor is wanted; "
            "convert it, by numpy.asarray for one."
        )
    flat = given[0] if given.ndim == 3 and given.shape[0] == 1 else given
    if flat.ndim != 2:
        raise StackError(
            f"The radiograph has the shape {given.shape}, where (row, column) or (1, row, column) "
            "is wanted; give one image of one channel."
        )
    pixels: np.ndarray = to_array(flat)[0]
    return pixels


def in_form_of(given: Any, made: np.ndarray) -> Any:
    """Pixels in the type, shape, device and metadata of what was given."""
    made = np.ascontiguousarray(made).reshape(given.shape)
    if isinstance(given, np.ndarray):
        return made.astype(given.dtype, copy=False)
    import torch

    pixels = given.detach().clone()  # a tensor of MONAI keeps affine and history
    return pixels.copy_(torch.from_numpy(made))


def extended(data: Mapping[str, Any], key: str, drawn: np.ndarray) -> Any:
    """What a dictionary holds under a key, with `drawn`, (nodule, ...), behind it in its own type.

    Raises
    ------
    BoxesError
        Where it has another form.
    """
    given = data.get(key)
    if given is None:
        return drawn
    try:
        before = given if hasattr(given, "detach") else np.asarray(given)
        if len(given) == 0:
            before = before.reshape(0, *drawn.shape[1:])
        if isinstance(before, np.ndarray):
            return np.concatenate([before, drawn.astype(before.dtype)])
        import torch

        return torch.cat([before, torch.as_tensor(drawn).to(given)])
    except (TypeError, ValueError, RuntimeError) as error:
        form = ", ".join(map(str, ("nodule", *drawn.shape[1:])))
        raise BoxesError(
            f"The dictionary's {key!r} has another form than ({form}), to which drawn nodules are "
            f"added ({error}); bring it to that form."
        ) from error
