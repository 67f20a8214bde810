"""Draw ``docs/trials.png``: one nodule of the phantom by each way of using the cascade.

From the repository's root: ``PYTHONPATH=. python docs/scripts/trials.py``.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from nodegen import Renderer, Settings
from nodegen.constants import COARSE_SIGMA_PX, GRAIN_SIGMA_PX
from nodegen.io.boxes import BOXES, read_boxes
from nodegen.io.stack import find_image, read_stack
from nodegen.synthesis.crop import crop_window, support
from nodegen.synthesis.grey import to_unit
from nodegen.synthesis.harmonise import Harmonise, harmonisation_mask

SAMPLE = Path("test/sample/input")
BOX = 2  # of the sample: before a rib
HALF_PX, ZOOM = 64, 2


def main() -> None:
    """Write the strip: untouched, left out, the default, its residual whole and fine, paper."""
    stack = read_stack(find_image(SAMPLE))
    boxes = read_boxes(SAMPLE / BOXES, stack.pixels.shape)
    renderer = Renderer(Settings(device="cpu"))
    recipe = next(r for r in renderer.plan(stack.pixels, boxes, 3) if r.index == BOX)
    slice01 = to_unit(stack.pixels[recipe.slice])
    crop = slice01[crop_window(recipe.box, slice01.shape)].copy()
    nodule = renderer.place(recipe, slice01.shape)
    blend, window = renderer.blend, support(nodule.mask)
    assert isinstance(blend, Harmonise)
    pasted = np.minimum(crop + nodule.shadow, 1.0)
    paste, untouched = blend.harmonised(np.stack([pasted, crop]), window, recipe)
    rest = np.zeros_like(crop)
    drawn = nodule.shadow[window]
    response = paste - untouched
    gain = max(float((drawn * response).sum() / (drawn**2).sum()), 0.5)
    mask = np.zeros_like(crop)
    mask[window] = harmonisation_mask(nodule.mask, window)
    rest[window] = mask[window] * (response / gain - drawn)
    rest = gaussian_filter(rest, GRAIN_SIGMA_PX)
    fine = rest - mask * gaussian_filter(rest, COARSE_SIGMA_PX)
    images = [
        crop,
        pasted,
        blend(crop, nodule, recipe),
        pasted + 4 * rest,
        pasted + 4 * fine,
        Harmonise(renderer.cascades, "paper")(crop, nodule, replace(recipe, weight=0.5)),
    ]
    rows, columns = np.nonzero(nodule.mask)
    y, x = (int(np.clip(v.mean(), HALF_PX, 256 - HALF_PX)) for v in (rows, columns))
    cut = [i[y - HALF_PX : y + HALF_PX, x - HALF_PX : x + HALF_PX] for i in images]
    low, high = np.percentile(cut[1], (0.5, 99.8))
    strip = np.concatenate(cut, axis=1)
    grey = (np.clip((strip - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    large = Image.fromarray(grey).resize((grey.shape[1] * ZOOM, grey.shape[0] * ZOOM), 3)
    large.save("docs/trials.png", optimize=True)


if __name__ == "__main__":
    main()
