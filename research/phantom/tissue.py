"""Path lengths along rays from back to front: of soft tissue and air, and of what is cast."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from research.phantom.anatomy import SIDE, Anatomy

# Silhouette of the mediastinum, (row, columns from the midline), right and left of the patient.
RIGHT_BORDER = (
    (-60, 112), (40, 92), (120, 74), (250, 74), (400, 80), (520, 86), (600, 98),
    (690, 128), (770, 138), (860, 128), (960, 112), (1090, 110),
)  # fmt: skip
LEFT_BORDER = (
    (-60, 112), (40, 94), (130, 74), (215, 84), (275, 116), (318, 112), (352, 92), (400, 98),
    (460, 106), (520, 112), (600, 146), (690, 196), (780, 238), (850, 264), (920, 282),
    (1000, 290), (1090, 280),
)  # fmt: skip
TRACHEA_RADIUS = 25.0  # px
CARINA = 395.0  # row where the trachea divides
LUNG_DENSITY = 0.22  # of soft tissue
PLEURA = 12  # px inside the rib cage where the lungs end
# Multiples of these, modulo 1, fill an interval and a square evenly.
GOLDEN, PLASTIC = 0.6180339887, 0.7548776662


@dataclass(frozen=True)
class Coordinates:
    """Coordinates of every pixel relative to the patient, each `(row, column)` float32."""

    x: np.ndarray  # columns from the midline, positive towards the patient's left
    y: np.ndarray  # rows

    def both(self, pair: tuple[float, float]) -> np.ndarray:
        """Spread a value for each side over the pixels, blended across the midline."""
        weight = np.clip(self.x / 60 + 0.5, 0, 1)
        return pair[0] * (1 - weight) + pair[1] * weight


def cast(x: np.ndarray, y: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Sum volumes (px³) at columns `x`, rows `y` into four pixels each: path lengths, px."""
    x, y, volume = (np.ravel(values) for values in np.broadcast_arrays(x, y, volume))
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    inside = (left >= 0) & (left < SIDE - 1) & (top >= 0) & (top < SIDE - 1)
    x, y, volume, left, top = x[inside], y[inside], volume[inside], left[inside], top[inside]
    right_part, low_part = x - left, y - top
    index = top * SIDE + left
    result = np.zeros(SIDE * SIDE)
    for step, weight in (
        (0, (1 - right_part) * (1 - low_part)),
        (1, right_part * (1 - low_part)),
        (SIDE, (1 - right_part) * low_part),
        (SIDE + 1, right_part * low_part),
    ):
        result += np.bincount(index + step, weight * volume, SIDE * SIDE)
    return result.reshape(SIDE, SIDE).astype(np.float32)


def lean(anatomy: Anatomy, y: np.ndarray) -> np.ndarray:
    """Columns that the midline is off at rows `y`: a tilt, and the spine's slight curve."""
    t = y / SIDE - 0.5
    return np.asarray(anatomy.tilt * (t + 0.6 * np.sin(7 * t)))


def frame(anatomy: Anatomy) -> Coordinates:
    """Lay the patient's coordinates over the image."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    x = x - anatomy.midline - lean(anatomy, y)
    return Coordinates(x, y)


def cage_half_width(
    y: np.ndarray | float, apex: np.ndarray | float, width: np.ndarray | float, bottom: float
) -> np.ndarray:
    """Outer half-width of the rib cage (px) at rows `y`: it opens quickly below the apex."""
    t = np.clip((y - apex) / (bottom - apex), 0, 1)
    return 150 + (width - 150) * np.sqrt(1 - (1 - t) ** 2.6)


def chord(depth: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Length of a ray through a rounded body, `depth` px inside its silhouette."""
    inside = np.clip(depth, 0, radius)
    return np.asarray(2 * np.sqrt(inside * (2 * radius - inside)))


def body(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length through the whole body, air included: trunk, shoulders, neck, breasts."""
    distance = np.abs(at.x)
    width = at.both(anatomy.half_width)
    # The trunk, the shoulders' slope under the skin, and the two melted into one.
    outer = width * (0.92 + 0.08 * np.tanh((at.y - 300) / 350)) + anatomy.fat
    half_depth = anatomy.depth * width * np.clip(0.55 + at.y / 900, 0, 1) + 0.8 * anatomy.fat
    trunk = 2 * half_depth * np.clip(1 - (distance / outer) ** 2, 0, None) ** 0.32
    skin = at.both(anatomy.shoulder) - 190 * np.exp((60 - distance) / 110)
    upper = chord(at.y - skin, 170) * np.clip(1.1 - at.y / 800, 0, 1)
    trunk = trunk * chord(at.y - skin, 260) / 520
    whole = (trunk**4 + upper**4) ** 0.25

    # The breast ends below in a soft rim; the fold of the pectoral muscle runs to the arm.
    shadow = at.both(anatomy.breast)
    rim = 690 + 150 * np.clip(1 - ((distance - 235) / 190) ** 2, -1, None)
    breast = shadow * np.clip((rim - at.y) / 16 + 0.5, 0, 1) * np.clip((at.y - 330) / 260, 0, 1)
    breast = breast * np.clip((distance - 60) / 120, 0, 1)
    fold = 0.5 * shadow * np.clip((distance - 0.79 * width - 0.22 * (at.y - 330)) / 14, 0, 1)
    fold = fold * np.clip((540 - at.y) / 120, 0, 1)
    return np.asarray(whole + breast + fold)


def domes(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Row of the diaphragm's top at every column of every row."""
    distance = np.abs(at.x)
    width = at.both(anatomy.half_width)
    offset = (distance - 0.46 * width) / (0.52 * width)
    fall = np.where(offset > 0, at.both(anatomy.dome_fall), 46.0)
    return np.asarray(
        at.both(anatomy.dome) + fall * offset**2 + 0.35 * fall * np.clip(offset, 0, None) ** 6
    )


def borders(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the mediastinum's right and left silhouette at every row, from the midline."""
    rng = np.random.default_rng(anatomy.streams[1])
    result = []
    for points in (RIGHT_BORDER, LEFT_BORDER):
        rows, columns = np.array(points, dtype=float).T
        scale = np.where(rows < 540, anatomy.vascular, anatomy.heart)
        columns = np.where(columns > 60, columns * scale, columns)
        if points is LEFT_BORDER:
            columns = np.where((rows > 210) & (rows < 350), columns * anatomy.knob**0.4, columns)
        shift = anatomy.dome[1] - 918
        rows = np.where(rows > 540, rows + shift * np.clip((rows - 540) / 300, 0, 1), rows)
        waves = ndimage.gaussian_filter1d(rng.standard_normal(SIDE), 40, mode="wrap")
        result.append(PchipInterpolator(rows, columns)(np.arange(SIDE)) + 16 * waves)
    return result[0], result[1]


def mediastinum(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length through heart and vessels where they stand in the lungs' place."""
    right, left = borders(anatomy)
    row = at.y[:, :1].astype(int)
    inside = np.minimum(left[row] - at.x, right[row] + at.x)
    radius = np.interp(np.arange(SIDE), [0, 330, 560, 760, 1024], [75, 95, 120, 190, 190])[row]
    # Under the domes the recess of the lung ends softly where the heart rests on the diaphragm.
    under = np.clip((at.y - domes(anatomy, at)) / 12, 0, 1) * np.clip(1 + inside / 160, 0, 1) ** 2
    return np.asarray(0.9 * chord(inside, radius) + 480 * under)


def lung_sides(anatomy: Anatomy, at: Coordinates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances from the midline between which lung lies, and 0..1 down from its narrow apex."""
    apex, width = at.both(anatomy.apex), at.both(anatomy.half_width)
    outer = cage_half_width(at.y, apex, width, anatomy.cage_bottom) - PLEURA
    below = np.clip((at.y - apex) / 95, 0, 1)
    return 138 * (1 - np.sqrt(1 - (1 - below) ** 2)), outer, below


def lungs(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length through lung, mediastinum not yet taken out of it."""
    apex, width = at.both(anatomy.apex), at.both(anatomy.half_width)
    inner, outer, below = lung_sides(anatomy, at)
    centre, half = (outer + inner) / 2, np.maximum((outer - inner) / 2, 1)
    across = np.clip(1 - ((np.abs(at.x) - centre) / half) ** 2, 0, None)
    half_depth = anatomy.depth * width * np.clip(0.2 + (at.y - apex) / 380, 0, 1)
    lung = 2 * half_depth * across**0.5 * np.clip(below * 40, 0, 1)
    # Lung lies behind and before the dome until the recess ends: deep at the side, shallow inside.
    under = np.clip(at.y - domes(anatomy, at), 0, None)
    recess = 45 + 105 * np.clip((np.abs(at.x) - 140) / 220, 0, 1)
    covered = np.sqrt(under / recess) * 2 * anatomy.depth * width
    return np.asarray(np.clip(lung - covered, 0, None))


def airways(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length through trachea and main bronchi."""
    result = chord(TRACHEA_RADIUS + 2 - np.abs(at.x + 4 + 0.02 * at.y), TRACHEA_RADIUS)
    result = result * np.clip((CARINA - at.y) / 12 + 0.5, 0, 1)
    for sign, slope in ((-1, 1.25), (1, 0.85)):
        along = (at.y - CARINA + 20) / slope
        across = np.abs(at.x + 4 - sign * along) * slope / np.hypot(slope, 1)
        reach = np.clip((110 - along) / 80, 0, 1) * (along > 0)
        result = np.maximum(result, chord(17 - across, 17.0) * reach)
    return result


def stomach(anatomy: Anatomy, at: Coordinates) -> np.ndarray:
    """Path length through the gas bubble of the stomach, under the left dome."""
    x, depth, radius = anatomy.stomach
    top = anatomy.dome[1] + depth - 0.75 * radius
    flat = ((at.x - x) / (1.5 * radius)) ** 2 + ((at.y - top - 0.6 * radius) / (0.7 * radius)) ** 2
    return 1.6 * radius * np.sqrt(np.clip(1 - flat, 0, None))
