"""The anatomy of one simulated chest, drawn at random first and only followed afterwards.

Lengths are pixels of the 1024 × 1024 radiograph, about 0.34 mm each; x is the column, counted from
the midline in the anatomy and from the left edge in the image, y is the row. As in a radiograph,
the patient's right side lies on the left of the image.
"""

import numpy as np

SIDE = 1024  # side of a NODE21 radiograph, px


class Anatomy:
    """All that tells one simulated patient from another, drawn at random.

    Pairs hold the patient's right side first, then the left one. The values were set by eye,
    beside radiographs without findings.
    """

    def __init__(self, rng: np.random.Generator):
        def around(mean: float, spread: float) -> float:
            return float(mean + spread * rng.uniform(-1, 1))

        def pair(mean: float, spread: float, between: float) -> tuple[float, float]:
            both = around(mean, spread)
            return both + around(0, between), both + around(0, between)

        right_dome = around(865, 45)
        padded = rng.integers(0, 110, 2) * (rng.random(2) < (0.7, 0.25))
        self.midline = around(505, 12) - float(padded[0]) / 2  # column of the spine at mid-height
        self.tilt = around(0, 14)  # columns that the midline leans from top to bottom
        self.apex = pair(72, 24, 8)  # rows of the lungs' tops
        self.half_width = pair(432, 22, 14)  # of the rib cage at its widest
        self.cage_bottom = around(1080, 60)  # row where the cage reaches its full width
        self.depth = around(0.62, 0.07)  # half-depth of the cage over its half-width
        self.fat = around(105, 40)  # thickness of the chest wall outside the ribs
        self.dome = (right_dome, right_dome + around(28, 18))  # rows of the diaphragm's domes
        self.dome_fall = pair(140, 30, 15)  # how far the domes fall towards the ribs
        self.heart = around(1.0, 0.14)  # scale of the heart's silhouette
        self.knob = around(1.0, 0.3)  # how far the aortic knob stands out
        self.vascular = around(1.0, 0.12)  # scale of the mediastinum above the heart
        self.rib_first = around(62, 18)  # row where the first rib leaves the spine
        self.rib_pitch = around(84, 6)  # rows from rib to rib
        self.rib_drop = around(420, 50)  # rows that a middle rib falls from spine to sternum
        self.rib_rise = around(42, 14)  # rows that a rib arches up behind
        self.rib_jitter = tuple(rng.uniform(-7, 7, 24).tolist())  # one for each of the ribs
        self.bone = around(1.5, 0.3)  # density of the skeleton, over the usual
        self.clavicle = pair(225, 30, 10)  # rows of the clavicles' sternal ends
        self.clavicle_rise = pair(130, 40, 12)  # rows that they rise to the shoulders
        self.shoulder = pair(8, 26, 10)  # rows of the shoulders' skin
        # Columns of the scapulae's inner borders, from the midline.
        self.scapula = pair(310, 28, 14)
        # The gastric bubble: column, rows under the dome, radius.
        self.stomach = (around(205, 40), around(70, 15), around(58, 20))
        # Thickness of the breast or pectoral shadow, px of soft tissue.
        self.breast = pair(34, 30, 6)
        # Columns or rows of zero padding: right, bottom.
        self.margin = (int(padded[0]), int(padded[1]) // 2)
        # Seeds of the vessels, the texture and the noise.
        self.streams = tuple(int(rng.integers(2**31)) for _ in range(3))
