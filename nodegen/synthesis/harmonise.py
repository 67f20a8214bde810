"""Harmonise: the paste goes through a cascade, and what lies along the ray is added back.

Two ways of adding back:

``paper``
    The weighted mean of the harmonised crop and the untouched one, inside the blurred mask.
``grain``
    The cascade harmonises the paste and the untouched crop with the same noise. Their difference is
    what the cascade makes of the nodule alone. It is laid over the untouched crop, which so keeps
    its own vessels, its own ribs and its own grain; see :func:`kept` for which part of it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from nodegen.cascade.carry import sent
from nodegen.cascade.cascade import Cascade, Job
from nodegen.cascade.window import evened
from nodegen.constants import (
    COARSE_SIGMA_PX,
    DILATION_PX,
    GAIN_MOST,
    GRAIN_SIGMA_PX,
    MASK_BLUR_PX,
    MASK_TRUNCATE,
)
from nodegen.synthesis.blend import FittedNodule
from nodegen.synthesis.crop import Window, grown, support
from nodegen.synthesis.recipe import Recipe, noise_stream

Placed = tuple[np.ndarray, FittedNodule, Recipe]  # a crop, and what is blended into it
Pasted = tuple[np.ndarray, Window, Recipe]  # images (image, row, column), and what is wanted


class Harmonise:
    """The paper's method: paste, harmonise, add back.

    Parameters
    ----------
    cascades : dict of Cascade or None
        One for each class of signal; None leaves the generators out: the paste goes through the
        same path unharmonised, which shows what the cascades add.
    add_back : {"grain", "paper"}
    windows : {"default", "exact", "full"}
        What the generators compute; see :mod:`nodegen.cascade.window`.
    step : int
        Windows are widened to a multiple of so many px, so that those of several boxes go through
        a generator together; 1: as they are.
    """

    def __init__(
        self,
        cascades: dict[str, Cascade] | None,
        add_back: str = "grain",
        windows: str = "default",
        step: int = 1,
    ):
        # The margins of the default windows hold for a difference, in which what they leave out
        # cancels; the paper's add-back has none.
        if add_back == "paper" and windows == "default":
            windows = "exact"
        self.cascades, self.add_back, self.windows = cascades, add_back, windows
        self.step = step

    def __call__(self, crop: np.ndarray, nodule: FittedNodule, recipe: Recipe) -> np.ndarray:
        """Blend ``nodule`` into ``crop`` (row, column) in 0..1, as the recipe says."""
        return self.together([(crop, nodule, recipe)])[0]

    def together(self, placed: Sequence[Placed]) -> list[np.ndarray]:
        """Blend several nodules, each into a crop of its own, in as few calls as can be."""
        jobs: dict[int, Pasted] = {}
        for i, (crop, nodule, recipe) in enumerate(placed):
            if not nodule.mask.any():
                continue
            # As `paste`, and as the image that the cascade was trained on: white is the ceiling.
            images = [np.minimum(crop + nodule.contribution, 1.0)]
            if self.add_back == "grain":
                images.append(crop)
            jobs[i] = np.stack(images), support(nodule.mask), recipe
        made = dict(zip(jobs, self._harmonised(list(jobs.values())), strict=True))
        return [
            self.added_back(crop, nodule, jobs[i][1], made[i], recipe.weight)
            if i in made
            else crop.copy()
            for i, (crop, nodule, recipe) in enumerate(placed)
        ]

    def harmonised(self, images: np.ndarray, window: Window, recipe: Recipe) -> np.ndarray:
        """Run the recipe's cascade on ``images`` (image, row, column) in 0..1.

        Returns
        -------
        ndarray of float32, shape (image, row, column)
            The ``window`` of each, in 0..1.
        """
        return self._harmonised([(images, window, recipe)])[0]

    def _harmonised(self, pasted: Sequence[Pasted]) -> list[np.ndarray]:
        if self.cascades is None:
            return [images[:, *window] for images, window, _ in pasted]
        made: dict[int, np.ndarray] = {}
        for signal, cascade in self.cascades.items():
            here = [i for i, (_, _, recipe) in enumerate(pasted) if recipe.signal == signal]
            jobs = [self._job(cascade, *pasted[i]) for i in here]
            for i, job, out in zip(here, jobs, cascade.harmonise_all(jobs), strict=True):
                # The last scale may have computed more than the window: the whole crop, say.
                rows, columns = pasted[i][1]
                top, left = (axis.out[0] for axis in job.plan[-1])
                part = out[:, 0, rows.start - top :, columns.start - left :]
                part = part[:, : rows.stop - rows.start, : columns.stop - columns.start]
                made[i] = (part.cpu().numpy() + 1) / 2
        return [made[i] for i in range(len(pasted))]

    def _job(self, cascade: Cascade, images: np.ndarray, window: Window, recipe: Recipe) -> Job:
        shape = images.shape[-2:]
        noise = cascade.draw_noise(noise_stream(recipe), recipe.n0, shape)
        rows, columns = ((s.start, s.stop) for s in window)
        plan = cascade.plan(shape, recipe.n0, (rows, columns), self.windows)
        if self.step > 1:
            plan = evened(plan, self.step)
        batch = torch.from_numpy(images.astype(np.float32)[:, None] * 2 - 1)
        batch, *noise = sent([batch, *noise], cascade.device)
        return Job(batch, recipe.n0, noise, plan)

    def added_back(
        self,
        crop: np.ndarray,
        nodule: FittedNodule,
        window: Window,
        harmonised: np.ndarray,
        weight: float,
    ) -> np.ndarray:
        """Lay what :meth:`harmonised` gave over the untouched ``crop``, inside the blurred mask."""
        inside = harmonisation_mask(nodule.mask, window)
        result = crop.copy()
        if self.add_back == "paper":
            result[window] += np.float32(weight) * inside * (harmonised[0] - crop[window])
        else:
            spread = _spread(window, crop.shape)
            within = _within(window, spread)
            change, mask = np.zeros((2, *crop[spread].shape), dtype=np.float32)
            mask[within] = inside
            change[within] = inside * (harmonised[0] - harmonised[1])
            change = gaussian_filter(change, GRAIN_SIGMA_PX, mode="constant")
            if nodule.central_disc is None:
                change *= np.float32(weight)
            else:
                drawn, middle = nodule.contribution[spread], nodule.central_disc[spread]
                change = kept(change, drawn, mask, middle, weight)
            result[spread] += change
        return np.clip(result, 0.0, 1.0, out=result)


def kept(
    change: np.ndarray,
    contribution: np.ndarray,
    mask: np.ndarray,
    middle: np.ndarray,
    weight: float,
) -> np.ndarray:
    """Give a harmonised change the contrast and the edge of what was drawn.

    Generators weaken a nodule, and the low pass takes its edge. So the change is brought to the
    drawn contrast, within ``GAIN_MOST``, and what it then has beyond the drawn nodule's own low
    pass is what the generators added. Its fine part is laid over the drawn nodule. Its coarse part
    brightens one side of a nodule and dims the other, which harms (docs/trials.md), and is left.

    Parameters
    ----------
    change, contribution : ndarray, shape (row, column)
        Low pass of the harmonised change, and what was drawn.
    mask : ndarray of the same shape
        For harmonisation, in 0..1.
    middle : ndarray of bool, the same shape
        Where contrast is measured.
    weight : float
        Of what the generators added.
    """
    wanted, found = float(contribution[middle].mean()), float(change[middle].mean())
    gain = min(max(wanted / found, 1 / GAIN_MOST), GAIN_MOST) if found * wanted > 0 else 0.0
    low = gaussian_filter(contribution, GRAIN_SIGMA_PX, mode="constant")
    added = np.float32(gain) * change - low
    added -= mask * gaussian_filter(added, COARSE_SIGMA_PX, mode="constant")
    mixed = contribution + np.float32(weight) * added
    # What was added may still move the middle's mean.
    left = max(float(mixed[middle].mean()), wanted / GAIN_MOST)
    return np.asarray(mixed * np.float32(wanted / left))


def harmonisation_mask(mask: np.ndarray, window: Window) -> np.ndarray:
    """The nodule's mask, dilated by a disk and blurred, in 0..1, in ``window`` of the crop."""
    # Beyond the crop lies no nodule: pad, so that the blur falls off there as everywhere.
    inside = mask[window]
    dilated = distance_transform_edt(~inside) <= DILATION_PX
    return np.asarray(
        gaussian_filter(
            dilated.astype(np.float32), MASK_BLUR_PX, mode="nearest", truncate=MASK_TRUNCATE
        )
    )


def _spread(window: Window, shape: tuple[int, ...]) -> Window:
    """The window widened by what the low pass of the change reaches."""
    return grown(window, int(GRAIN_SIGMA_PX * 4 + 0.5), shape)


def _within(window: Window, outer: Window) -> Window:
    rows, columns = (
        slice(s.start - o.start, s.stop - o.start) for s, o in zip(window, outer, strict=True)
    )
    return rows, columns
