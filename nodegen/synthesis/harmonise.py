"""Harmonise: the paste goes through a cascade, and what lies along the ray is added back.

Two ways of adding back:

``paper``
    The weighted mean of the harmonised crop and the untouched one, inside the blurred mask.
``grain``
    The cascade harmonises the paste and the untouched crop with the same noise. Their difference is
    what the cascade makes of the nodule alone. It is added to the untouched crop, which so keeps
    its own vessels, its own ribs and its own grain; see :func:`kept` for which part of it.
"""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from nodegen.cascade.batched import BatchedCascade
from nodegen.cascade.cascade import Cascade
from nodegen.constants import DILATION_PX, GAIN_MOST, MASK_BLUR_PX, MASK_TRUNCATE, NOISE_STREAM
from nodegen.io.boxes import Recipe
from nodegen.synthesis.contribution import FittedNodule
from nodegen.synthesis.fit_to_box import Window, crop_window, grown, within

# Low pass of what generators add. On 184 boxes nodules are found by their grain at an AUC of 0.53 /
# 0.52 / 0.52 at 3 / 3.5 / 4 px, and their rims are nearer to real ones' (research/appearance.md).
GRAIN_SIGMA_PX = 4.0
# Of what generators add, that which is coarser is left out: a linear probe, 1,374 nodules, gives
# .9430 with it, .9441 without, .9423 with nothing added (research/generators.md).
COARSE_SIGMA_PX = 8.0


class Harmonise:
    """The paper's method: paste, harmonise, add back.

    Parameters
    ----------
    cascades : dict of Cascade or None
        One for each class of signal; None leaves the generators out: the paste goes through the
        same path unharmonised, which shows what the cascades add.
    add_back : {"grain", "paper"}
    windows : {"default", "exact", "full"}
        What the generators compute; see :mod:`nodegen.cascade.pyramid`.
    """

    def __init__(
        self,
        cascades: dict[str, Cascade] | None,
        add_back: str = "grain",
        windows: str = "default",
    ):
        # The margins of the default windows hold for a difference, in which what they leave out
        # cancels; the paper's add-back has none.
        if add_back == "paper" and windows == "default":
            windows = "exact"
        self.cascades, self.add_back, self.windows = cascades, add_back, windows
        self._batched: dict[str, BatchedCascade] = {}
        if cascades and windows == "default":
            self._batched = {
                signal: BatchedCascade(cascade)
                for signal, cascade in cascades.items()
                if cascade.device.type == "cuda"
            }

    def __call__(self, slice01: np.ndarray, nodule: FittedNodule, recipe: Recipe) -> None:
        """Blend the nodule into a slice (row, column) in 0..1, in place, as the recipe says."""
        window = crop_window(recipe.box, slice01.shape)
        crop, nodule = slice01[window], nodule.seen_from(window)
        inside, reach = nodule.window, nodule.reach
        pasted = nodule.pasted(crop)
        mask = harmonisation_mask(nodule)
        if self.add_back == "paper":
            harmonised = self.harmonised(pasted[None], reach, recipe)
            crop[reach] += np.float32(recipe.weight) * mask * (harmonised[0] - crop[reach])
            crop[reach] = np.clip(crop[reach], 0.0, 1.0)
            return
        # What the low pass of the change reaches.
        spread = grown(inside, int(GRAIN_SIGMA_PX * 4 + 0.5), crop.shape)
        change, wide, drawn = np.zeros((3, *crop[spread].shape), dtype=np.float32)
        wide[within(reach, spread)] = mask
        change[within(reach, spread)] = mask * self.changed(np.stack([pasted, crop]), reach, recipe)
        change = gaussian_filter(change, GRAIN_SIGMA_PX, mode="constant")
        if nodule.central_disc is None:
            change *= np.float32(recipe.weight)
        else:
            drawn[within(inside, spread)] = nodule.contribution
            disc = np.zeros(drawn.shape, dtype=bool)
            disc[within(inside, spread)] = nodule.central_disc
            change = kept(change, drawn, wide, disc, recipe.weight)
        crop[spread] = np.clip(crop[spread] + change, 0.0, 1.0)

    def changed(self, images: np.ndarray, window: Window, recipe: Recipe) -> np.ndarray:
        """What the recipe's cascade makes of a paste, less what it makes of the untouched crop.

        ``images`` are both, in 0..1; ``window`` says which rows and columns of them are wanted.
        """
        cascade = self._batched.get(recipe.signal)
        if cascade is not None and cascade.takes(images.shape[1:], recipe.n0):
            made = cascade(images * 2 - 1, recipe.n0, _noise_stream(recipe))
            return np.asarray(made[window] / 2)
        paste, untouched = self.harmonised(images, window, recipe)
        return np.asarray(paste - untouched)

    def harmonised(self, images: np.ndarray, window: Window, recipe: Recipe) -> np.ndarray:
        """Run the cascade on crops (image, row, column) in 0..1; gives the ``window`` of each."""
        if self.cascades is None:
            return images[:, *window]
        cascade = self.cascades[recipe.signal]
        rows, columns = ((s.start, s.stop) for s in window)
        shape = images.shape[-2:]
        plan = cascade.plan(shape, recipe.n0, (rows, columns), self.windows)
        noise = cascade.draw_noise(_noise_stream(recipe), plan)
        batch = torch.from_numpy(images[:, None] * 2 - 1).to(cascade.device)
        made = cascade.harmonise(batch, recipe.n0, noise, plan)
        return np.asarray((made[:, 0].cpu().numpy() + 1) / 2)


def kept(
    change: np.ndarray, drawn: np.ndarray, mask: np.ndarray, disc: np.ndarray, weight: float
) -> np.ndarray:
    """Give a harmonised change the contrast and the edge of what was drawn.

    Generators weaken a nodule, and the low pass takes its edge. So the change is brought to the
    drawn contrast, within ``GAIN_MOST``, and what it then has beyond the drawn nodule's own low
    pass is what the generators added. Its fine part, weighted, is added to the drawn nodule. Its
    coarse part brightens one side of a nodule and dims the other (research/generators.md).

    Arrays are (row, column): the low pass of the harmonised change, the nodule's contribution, the
    mask for harmonisation in 0..1, and the disc where contrast is measured.
    """
    wanted, found = float(drawn[disc].mean()), float(change[disc].mean())
    gain = min(max(wanted / found, 1 / GAIN_MOST), GAIN_MOST) if found * wanted > 0 else 0.0
    low = gaussian_filter(drawn, GRAIN_SIGMA_PX, mode="constant")
    added = np.float32(gain) * change - low
    added -= mask * gaussian_filter(added, COARSE_SIGMA_PX, mode="constant")
    mixed = drawn + np.float32(weight) * added
    # What was added may still move the disc's mean.
    left = max(float(mixed[disc].mean()), wanted / GAIN_MOST)
    return np.asarray(mixed * np.float32(wanted / left))


def harmonisation_mask(nodule: FittedNodule) -> np.ndarray:
    """Mask (row, column) of what is drawn, dilated by a disk and blurred, in 0..1, in its reach."""
    mask = nodule.drawn[within(nodule.reach, nodule.window)]
    dilated = distance_transform_edt(~mask) <= DILATION_PX
    return np.asarray(
        gaussian_filter(
            dilated.astype(np.float32), MASK_BLUR_PX, mode="nearest", truncate=MASK_TRUNCATE
        )
    )


def _noise_stream(recipe: Recipe) -> np.random.Generator:
    """The stream of the cascade's noise in one box."""
    return np.random.default_rng((recipe.noise, NOISE_STREAM))
