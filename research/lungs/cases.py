"""Training cases for the lung network: simulated chests, and radiographs with confident labels."""

from copy import copy

import numpy as np
from PIL import Image

from research.phantom.anatomy import SIDE, Anatomy
from research.phantom.render import expose, normalise, thickness
from research.phantom.tissue import borders, domes, frame, lung_sides

CASE_PX = 320  # side of a stored case: the grid, and room to zoom in
UNKNOWN = 255  # label of pixels that teach nothing
CONFIDENT = 0.75  # least probability of a label that a network gives itself
# Share of a radiograph that a lung fills where its labels can be right; NODE21's fill .12 to .30.
LUNG_SHARE = (0.05, 0.36)
KNOWN_SHARE = 0.85  # of the pixels must be confident
APEX_PX = 8  # rows under the simulated lungs' tops where they are wide enough to be seen


def phantom_case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Simulate one chest, more varied than :class:`research.phantom.anatomy.Anatomy`.

    Returns
    -------
    images : numpy.ndarray of float16, shape (2, row, column)
        In 0..1: as the detector measures it, and energy-normalised.
    labels : numpy.ndarray of uint8, shape (row, column)
    """
    anatomy = _varied(Anatomy(rng), rng)
    measured = expose(thickness(anatomy), anatomy)
    images = [_scaled(measured), _scaled(normalise(measured))]
    right, bottom = anatomy.margin
    for image in images:
        image[:, image.shape[1] - right :] = 0
        image[image.shape[0] - bottom :] = 0
    small = [_resized(image, Image.Resampling.BOX) for image in images]
    labels = _resized(lung_fields(anatomy), Image.Resampling.NEAREST)
    return np.stack(small).astype(np.float16), labels


def lung_fields(anatomy: Anatomy) -> np.ndarray:
    """Label the lung that neither heart, great vessels nor diaphragm hide, `(row, column)` uint8.

    1 is the patient's right lung (on the left of the image), 2 the left one, 0 the rest.
    """
    at = frame(anatomy)
    inner, outer, _ = lung_sides(anatomy, at)
    right, left = borders(anatomy)
    row, side = at.y[:, :1].astype(int), np.abs(at.x)
    free = (at.y > at.both(anatomy.apex) + APEX_PX) & (at.y < domes(anatomy, at))
    seen = free & (side < outer) & (side > inner)
    fields = np.zeros((SIDE, SIDE), np.uint8)
    fields[seen & (at.x < -right[row])] = 1
    fields[seen & (at.x > left[row])] = 2
    fields[:, SIDE - anatomy.margin[0] :] = 0
    fields[SIDE - anatomy.margin[1] :] = 0
    return fields


def _varied(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """Widen what differs most among patients: habitus, depth of breath, heart, breasts, bone."""

    def pair(value: tuple[float, float], shift: float, between: float) -> tuple[float, float]:
        first, second = (v + shift + between * rng.uniform(-1, 1) for v in value)
        return first, second

    varied = copy(anatomy)
    vars(varied).update(
        apex=pair(anatomy.apex, rng.uniform(-20, 110), 15),
        half_width=pair(anatomy.half_width, rng.uniform(-90, 10), 15),
        dome=pair(anatomy.dome, rng.uniform(-150, 40), 35),
        dome_fall=pair(anatomy.dome_fall, rng.uniform(-70, 30), 25),
        fat=anatomy.fat + rng.uniform(-30, 90),
        depth=anatomy.depth * rng.uniform(0.8, 1.3),
        heart=anatomy.heart * rng.uniform(0.85, 1.45),
        vascular=anatomy.vascular * rng.uniform(0.85, 1.4),
        knob=anatomy.knob * rng.uniform(0.6, 1.6),
        bone=anatomy.bone * rng.uniform(0.5, 1.6),
        breast=pair(anatomy.breast, rng.uniform(-10, 90) * (rng.random() < 0.6), 10),
    )
    return varied


def confident_labels(chances: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Labels that a network may learn from, out of its own answer.

    Parameters
    ----------
    chances : numpy.ndarray, shape (class, row, column)
        Probabilities, the mean over several views of the radiograph.
    labels : numpy.ndarray of uint8, shape (row, column)
        What they were cleaned to.

    Returns
    -------
    numpy.ndarray of uint8 or None
        With `UNKNOWN` where the answer is not confident or was cleaned away; None where the answer
        as a whole is not to be trusted.
    """
    told = chances.max(0) >= CONFIDENT
    agreed = chances.argmax(0) == labels
    # Holes that were filled are known: devices and ribs, never the mediastinum.
    known = (told & agreed) | ((labels > 0) & ~agreed)
    shares = [(labels == lung).mean() for lung in (1, 2)]
    plausible = all(LUNG_SHARE[0] < share < LUNG_SHARE[1] for share in shares)
    if not plausible or known.mean() < KNOWN_SHARE:
        return None
    return np.where(known, labels, UNKNOWN).astype(np.uint8)


def _scaled(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (0.5, 99.8))
    made: np.ndarray = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    return made


def _resized(image: np.ndarray, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((CASE_PX, CASE_PX), how))
