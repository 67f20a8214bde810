"""Shape and texture of a projected nodule in numbers, for telling synthetic nodules from real."""

from itertools import pairwise

import numpy as np
from scipy import ndimage
from skimage.measure import perimeter_crofton, regionprops
from skimage.transform import resize

from nodegen.constants import PROJECTION_AXIS
from nodegen.io.library import Nodule
from nodegen.synthesis.projection import cut_to_mask, diameter_mm, normalise, project

RINGS = 5  # of the radial profile, from the edge to the middle
BANDS_PX = (0.5, 1.0, 2.0, 4.0)  # differences of Gaussians between these
COMMON_PX = 32  # side to which nodules are brought for the nearest neighbour
FEATURES = (
    "area_of_box",
    "perimeter",
    "solidity",
    "elongation",
    "aspect",
    "diameter_mm",
    *(f"ring_{ring}" for ring in range(RINGS)),
    "edge_gradient",
    "gradient",
    *(f"band_{band}" for band in range(len(BANDS_PX) - 1)),
    "empty",
    "spread",
    "skewness",
    "offset",
    "row_step",
    "column_step",
)


def projected(volume_hu: np.ndarray, mask: np.ndarray) -> Nodule | None:
    """Project a nodule along the baseline's axis, for its look alone: it has no thickness.

    Parameters
    ----------
    volume_hu, mask : ndarray, shape (slice, row, column)
        CT patch at 1 mm, in HU, and its segmentation.

    Returns
    -------
    Nodule or None
        None where the projection is constant.
    """
    grey, mask2d = cut_to_mask(*project(volume_hu, mask, PROJECTION_AXIS))
    if np.ptp(grey[mask2d]) == 0:
        return None
    none = np.zeros((1, 1), np.float32)
    return Nodule(grey, mask2d, diameter_mm(mask2d), "", PROJECTION_AXIS, none, 1.0)


def features(nodule: Nodule) -> np.ndarray:
    """Describe shape and texture of a projection, grey values brought to 0..1 inside the mask.

    Returns
    -------
    ndarray, shape (len(FEATURES),)
    """
    mask = np.pad(nodule.mask, 2)
    grey = level(nodule)
    image = np.pad(grey, 2)
    region = regionprops(mask.astype(np.uint8))[0]
    area = mask.sum()
    rows, columns = nodule.mask.shape
    depth = ndimage.distance_transform_edt(mask)
    ring = np.clip((depth / depth.max() * RINGS).astype(int), 0, RINGS - 1)
    rings = [
        image[mask & (ring == k)].mean() if (mask & (ring == k)).any() else 0 for k in range(RINGS)
    ]
    gradient = np.hypot(*np.gradient(image))
    edge = mask & (depth <= 1.0)
    blurred = [ndimage.gaussian_filter(image, sigma) for sigma in BANDS_PX]
    bands = [np.log(np.std((a - b)[mask]) + 1e-3) for a, b in pairwise(blurred)]
    inside = image[mask]
    spread = inside.std() + 1e-6
    places = np.argwhere(mask)
    weight = inside / max(inside.sum(), 1e-6)
    offset = np.linalg.norm((places * weight[:, None]).sum(0) - places.mean(0)) / np.sqrt(area)
    row_step, column_step = (
        np.abs(np.diff(grey, axis=k)).mean() if grey.shape[k] > 1 else 0 for k in (0, 1)
    )
    values = [
        area / (rows * columns),
        perimeter_crofton(mask) / np.sqrt(area),
        region.solidity,
        region.axis_minor_length / max(region.axis_major_length, 1e-6),
        rows / columns,
        np.log(max(rows, columns)),
        *rings,
        gradient[edge].mean(),
        gradient[mask].mean(),
        *bands,
        (inside < 0.02).mean(),
        spread,
        ((inside - inside.mean()) ** 3).mean() / spread**3,
        offset,
        row_step,
        column_step,
    ]
    return np.array(values, dtype=np.float64)


def appearance(nodule: Nodule) -> np.ndarray:
    """Bring a nodule to a common size and to grey values in 0..1, to be laid over another.

    Returns
    -------
    ndarray, shape (COMMON_PX, COMMON_PX)
        Stretched to a square: nodules that differ in width and height only look alike.
    """
    return np.asarray(resize(level(nodule), (COMMON_PX, COMMON_PX), order=1, anti_aliasing=True))


def level(nodule: Nodule) -> np.ndarray:
    """Grey values of a projection: 0..1 inside the mask, 0 beside it."""
    return np.where(nodule.mask, normalise(nodule.projection), 0.0)
