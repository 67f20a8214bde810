"""The anatomy of one simulated chest, drawn at random first and only followed afterwards.

Lengths are pixels of the 1024 × 1024 radiograph, about 0.34 mm each; x is the column, counted from
the midline in the anatomy and from the left edge in the image, y is the row. As in a radiograph,
the patient's right side lies on the left of the image.
"""

from dataclasses import dataclass

import numpy as np

SIDE = 1024  # side of a NODE21 radiograph, px


@dataclass(frozen=True)
class Anatomy:
    """Everything that tells one simulated patient from another.

    Pairs hold the patient's right side first, then the left one. The values were set by eye,
    beside radiographs without findings.
    """

    midline: float  # column of the spine at mid-height
    tilt: float  # columns that the midline leans from top to bottom
    apex: tuple[float, float]  # rows of the lungs' tops
    half_width: tuple[float, float]  # of the rib cage at its widest
    cage_bottom: float  # row where the cage reaches its full width
    depth: float  # half-depth of the cage over its half-width
    fat: float  # thickness of the chest wall outside the ribs
    dome: tuple[float, float]  # rows of the diaphragm's domes
    dome_fall: tuple[float, float]  # how far the domes fall towards the ribs
    heart: float  # scale of the heart's silhouette
    knob: float  # how far the aortic knob stands out
    vascular: float  # scale of the mediastinum above the heart
    rib_first: float  # row where the first rib leaves the spine
    rib_pitch: float  # rows from rib to rib
    rib_drop: float  # rows that a middle rib falls from spine to sternum
    rib_rise: float  # rows that a rib arches up behind
    rib_jitter: tuple[float, ...]  # one for each of the ribs
    bone: float  # density of the skeleton, over the usual
    clavicle: tuple[float, float]  # rows of the clavicles' sternal ends
    clavicle_rise: tuple[float, float]  # rows that they rise to the shoulders
    shoulder: tuple[float, float]  # rows of the shoulders' skin
    scapula: tuple[float, float]  # columns of the scapulae's inner borders, from the midline
    stomach: tuple[float, float, float]  # the gastric bubble: column, rows under the dome, radius
    breast: tuple[float, float]  # thickness of the breast or pectoral shadow, px of soft tissue
    margin: tuple[int, int]  # columns or rows of zero padding: right, bottom
    streams: tuple[int, ...]  # seeds of the vessels, the texture and the noise


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw one patient: all that rendering needs."""

    def around(mean: float, spread: float) -> float:
        return float(mean + spread * rng.uniform(-1, 1))

    def pair(mean: float, spread: float, between: float) -> tuple[float, float]:
        both = around(mean, spread)
        return both + around(0, between), both + around(0, between)

    right_dome = around(865, 45)
    padded = rng.integers(0, 110, 2) * (rng.random(2) < (0.7, 0.25))
    return Anatomy(
        midline=around(505, 12) - float(padded[0]) / 2,
        tilt=around(0, 14),
        apex=pair(72, 24, 8),
        half_width=pair(432, 22, 14),
        cage_bottom=around(1080, 60),
        depth=around(0.62, 0.07),
        fat=around(105, 40),
        dome=(right_dome, right_dome + around(28, 18)),
        dome_fall=pair(140, 30, 15),
        heart=around(1.0, 0.14),
        knob=around(1.0, 0.3),
        vascular=around(1.0, 0.12),
        rib_first=around(62, 18),
        rib_pitch=around(84, 6),
        rib_drop=around(420, 50),
        rib_rise=around(42, 14),
        rib_jitter=tuple(rng.uniform(-7, 7, 24).tolist()),
        bone=around(1.5, 0.3),
        clavicle=pair(225, 30, 10),
        clavicle_rise=pair(130, 40, 12),
        shoulder=pair(8, 26, 10),
        scapula=pair(310, 28, 14),
        stomach=(around(205, 40), around(70, 15), around(58, 20)),
        breast=pair(34, 30, 6),
        margin=(int(padded[0]), int(padded[1]) // 2),
        streams=tuple(int(rng.integers(2**31)) for _ in range(3)),
    )
