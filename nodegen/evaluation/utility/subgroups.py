"""Kinds of real nodules, for figures by kind: size, clearness, place."""

from collections.abc import Sequence

import numpy as np

from nodegen.evaluation.utility.cases import Radiograph
from nodegen.io.boxes import Box
from nodegen.synthesis.grey import to_unit
from nodegen.synthesis.signal_class import top_threshold

# Chosen, not fitted: they part real boxes into groups that are large enough for a figure.
SMALL_PX = 60  # larger side; about half of NODE21's boxes are smaller (57 px)
MIDDLE = 0.3  # of the box's half sides: where contrast is read
SURROUND = (1.3, 2.0)  # of the box's half sides: against what
# Clearness below which a nodule counts as faint; set near the median
# of real boxes.
FAINT = 1.0
CENTRAL = 0.17  # of the width, to either side of the middle: heart, spine and hila
LOWER = 0.62  # of the height: below it a bright place counts as under the diaphragm
GROUPS = {
    "size": ("small", "large"),
    "clearness": ("faint", "clear"),
    "place": ("lung", "behind the heart", "under the diaphragm", "at the wall"),
}


def kinds(radiographs: Sequence[Radiograph]) -> dict[str, list[str]]:
    """The kind of each nodule, radiograph by radiograph, by each of ``GROUPS``."""
    found: dict[str, list[str]] = {name: [] for name in GROUPS}
    for one in radiographs:
        if not one.nodules:
            continue
        slice01 = to_unit(one.load())
        bright = top_threshold(slice01)
        for box in one.nodules:
            large = max(box.width, box.height) >= SMALL_PX
            found["size"].append(GROUPS["size"][large])
            found["clearness"].append(GROUPS["clearness"][clearness(slice01, box) >= FAINT])
            found["place"].append(place(slice01, box, bright))
    return found


def clearness(slice01: np.ndarray, box: Box) -> float:
    """Median of the middle less that of the surround, over the surround's interquartile range."""
    part, r = _around(slice01, box)
    middle, surround = part[r < MIDDLE], part[(r >= SURROUND[0]) & (r < SURROUND[1])]
    if not len(middle) or not len(surround):
        return 0.0
    q25, q50, q75 = np.percentile(surround, [25, 50, 75])
    return float((np.median(middle) - q50) / max(q75 - q25, 1e-6))


def place(slice01: np.ndarray, box: Box, bright: float) -> str:
    """Where a box lies, by the grey level around it and by its place in the radiograph.

    Coarse: radiographs cropped to the lungs, as NODE21's are, and no segmentation.
    """
    part, r = _around(slice01, box)
    lung, heart, diaphragm, wall = GROUPS["place"]
    surround = part[(r >= 1.0) & (r < SURROUND[1])]
    x, y = box.centre
    if not len(surround) or float(np.median(surround)) < bright:
        return lung
    if y > LOWER * slice01.shape[0]:
        return diaphragm
    return heart if abs(x / slice01.shape[1] - 0.5) < CENTRAL else wall


def _around(slice01: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The slice around a box, and each pixel's distance in the box's half sides."""
    x, y = box.centre
    rows = slice(max(int(y - box.height), 0), int(y + box.height) + 1)
    columns = slice(max(int(x - box.width), 0), int(x + box.width) + 1)
    part = slice01[rows, columns]
    v, u = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
    r = np.hypot((u + columns.start - x) / (box.width / 2), (v + rows.start - y) / (box.height / 2))
    return part, r
