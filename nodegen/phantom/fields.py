"""The lung fields of a simulated radiograph, exactly: what a network for lungs is trained on."""

import numpy as np

from nodegen.phantom.anatomy import SIDE, Anatomy
from nodegen.phantom.tissue import borders, cage_half_width, domes, frame

PLEURA_PX = 12  # the lungs end so far inside the rib cage, as `tissue.lungs` has them
APEX_PX = 8  # rows under the lungs' tops where they are wide enough to be seen


def lung_fields(anatomy: Anatomy) -> np.ndarray:
    """Label the lung that neither heart, great vessels nor diaphragm hide, `(row, column)` uint8.

    1 is the patient's right lung (on the left of the image), 2 the left one, 0 the rest.

    Examples
    --------
    >>> from nodegen.phantom.anatomy import draw_anatomy
    >>> fields = lung_fields(draw_anatomy(np.random.default_rng(0)))
    >>> fields.shape, np.unique(fields).tolist()
    ((1024, 1024), [0, 1, 2])
    """
    at = frame(anatomy)
    apex, width = at.both(anatomy.apex), at.both(anatomy.half_width)
    outer = cage_half_width(at.y, apex, width, anatomy.cage_bottom) - PLEURA_PX
    # Above, the lung narrows into its apex as in `tissue.lungs`.
    below = np.clip((at.y - apex) / 95, 0, 1)
    inner = 138 * (1 - np.sqrt(1 - (1 - below) ** 2))
    right, left = borders(anatomy)
    row = at.y[:, :1].astype(int)
    side = np.abs(at.x)
    seen = (side < outer) & (side > inner) & (at.y > apex + APEX_PX) & (at.y < domes(anatomy, at))
    fields = np.zeros((SIDE, SIDE), np.uint8)
    fields[seen & (at.x < -right[row])] = 1
    fields[seen & (at.x > left[row])] = 2
    fields[:, SIDE - anatomy.margin[0] :] = 0
    fields[SIDE - anatomy.margin[1] :] = 0
    return fields
