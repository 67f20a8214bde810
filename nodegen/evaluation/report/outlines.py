"""What the report shows of a box: a small picture, and outlines."""

import numpy as np
from PIL import Image
from skimage.measure import find_contours

from nodegen.errors import StackError
from nodegen.evaluation.fidelity.before_after import region_of
from nodegen.io.boxes import Box
from nodegen.io.preview import around, data_uri, eight_bit
from nodegen.lungs.fields import find_lungs

Polygon = list[list[float]]  # of [x, y], px of the slice

THUMB_PX = 56  # side of a box's small picture
THUMB_AROUND = 2.0  # it shows so many of the box's larger sides
THUMB_QUALITY = 70
OUTLINE_AROUND = 1.5  # an outline is sought within so many of the box's sides


def thumb(slice_: np.ndarray, box: Box) -> str:
    """A box and its surround as a small picture, a ``data:`` address."""
    grey = Image.fromarray(eight_bit(slice_[around(box, slice_.shape, THUMB_AROUND)]))
    return data_uri(grey.resize((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS), THUMB_QUALITY)


def nodule_outline(before: np.ndarray, after: np.ndarray, box: Box) -> list[Polygon]:
    """Outlines of the region that a nodule has changed, as the measures know it.

    Both slices are grey levels (row, column).
    """
    window = around(box, before.shape, OUTLINE_AROUND)
    region, _ = region_of(after[window].astype(np.float64) - before[window])
    return outlines(region, (window[1].start, window[0].start))


def lung_outlines(slice_: np.ndarray) -> list[Polygon]:
    """Outlines of the lungs; none where no two are found."""
    try:
        return outlines(find_lungs(slice_).labels > 0)
    except StackError:
        return []


def outlines(mask: np.ndarray, origin: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Outlines of the parts of a mask (row, column) that lies at ``origin`` (x, y), px."""
    # A pixel's value stands at its middle, half a pixel on; the pad closes what touches the rim.
    lines = find_contours(np.pad(mask.astype(np.float32), 1), 0.5)
    shift = np.array(origin) - 0.5
    return [np.round(line[:-1, ::-1] + shift, 1).tolist() for line in lines]
