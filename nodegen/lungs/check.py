"""Check that what the network labelled is a pair of lungs, so that no air beside an arm is one.

Each bound lies between what 151 radiographs with lungs have (NIH ChestX-ray14 and NODE21, looked at
one by one, many of sick or partly hidden lungs) and what was labelled without being a pair: the air
beside an arm in a supine bedside radiograph, radiographs lying on their side, with one lung painted
over, upside down, and noise.
"""

import numpy as np

from nodegen.lungs.grid import LEFT, RIGHT

# Mean probability of the likeliest class inside a lung. Radiographs with lungs: .88 and more, from
# one view .92; lying ones .82 at most, noise .76, one lung painted over .87, the bedside one .67.
LEAST_SURE = 0.87
# Of the image. With lungs: .038 (a child's whole trunk) and more; the bedside radiograph .017.
LEAST_SHARE = 0.025
LEAST_RATIO = 0.2  # of the smaller lung's area over the larger one's; with lungs .30 and more
# Rows that both lungs have, over the height of the taller one. With lungs: .55 and more; the
# bedside radiograph .47.
LEAST_BESIDE = 0.5
# Median distance between both lungs over the width from outer edge to outer edge. With lungs .20 to
# .45; the bedside radiograph .73.
GAP = (0.1, 0.55)
# What the median between the lungs differs by from either lung's, of the range -1..1 of the grid.
# With lungs: .27 and more; noise .03 at most.
LEAST_MEDIASTINUM = 0.15
# Log of the gap between the lungs in the upper third of the rows that both have over that in the
# lower third, plus how much brighter the median between them is there: an upright mediastinum gets
# wider and brighter downwards. 149 radiographs: -.58 at most; upside down .05 and more.
MOST_UPSIDE_DOWN = -0.25


def implausible(
    grid: np.ndarray, chances: np.ndarray, labels: np.ndarray, cells: float
) -> str | None:
    """Say why the labels are no pair of lungs; None where they are.

    Parameters
    ----------
    grid : numpy.ndarray of float32, shape (row, column)
        What the network looked at, from :func:`nodegen.lungs.grid.to_grid`.
    chances : numpy.ndarray of float32, shape (class, row, column)
        The network's probabilities.
    labels : numpy.ndarray of uint8, shape (row, column)
        From :func:`nodegen.lungs.grid.labelled`.
    cells : float
        Cells of the grid that the radiograph fills.

    Returns
    -------
    str or None
        A clause, such as "one lung is too small".
    """
    lungs = right, left = labels == RIGHT, labels == LEFT
    areas = [np.count_nonzero(lung) for lung in lungs]
    if min(areas) == 0:
        return "no two lungs were found"
    if min(areas) < LEAST_SHARE * cells:
        return f"one lung fills {min(areas) / cells:.3f} of the image"
    if min(areas) < LEAST_RATIO * max(areas):
        return f"one lung has {min(areas) / max(areas):.2f} of the other's size"
    surest = chances.max(0)
    sure = min(float(surest[lung].mean()) for lung in lungs)
    if sure < LEAST_SURE:
        return f"one lung is uncertain (probability {sure:.2f})"
    filled = [lung.any(1) for lung in lungs]
    beside = filled[0] & filled[1]
    share = np.count_nonzero(beside) / max(np.ptp(np.flatnonzero(rows)) + 1 for rows in filled)
    if share < LEAST_BESIDE:
        return f"the lungs lie beside each other over {share:.2f} of their height"
    # Inner edges in the rows of both, and the outermost ones of all.
    columns = np.arange(labels.shape[1])
    inner = columns[-1] - right[beside][:, ::-1].argmax(1), left[beside].argmax(1)
    outer = np.flatnonzero(right.any(0))[0], np.flatnonzero(left.any(0))[-1]
    gaps = inner[1] - inner[0]
    gap = float(np.median(gaps)) / max(outer[1] - outer[0], 1)
    if not GAP[0] <= gap <= GAP[1]:
        return f"the gap between the lungs is {gap:.2f} of their width"
    between = (columns > inner[0][:, None]) & (columns < inner[1][:, None])
    middle = float(np.median(grid[beside][between]))
    steps = [middle - float(np.median(grid[lung])) for lung in lungs]
    if min(map(abs, steps)) < LEAST_MEDIASTINUM or steps[0] * steps[1] < 0:
        return "there is no mediastinum between the lungs"
    third = max(len(gaps) // 3, 1)
    upper, lower = slice(None, third), slice(-third, None)
    wider = np.median(gaps[upper]) / max(np.median(gaps[lower]), 1)
    brighter = [float(np.median(grid[beside][rows][between[rows]])) for rows in (upper, lower)]
    turned = np.log(max(wider, 1e-3)) + np.sign(steps[0]) * (brighter[0] - brighter[1])
    if turned > MOST_UPSIDE_DOWN:
        return "the radiograph is upside down"
    return None
