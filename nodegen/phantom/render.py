"""One simulated radiograph from one anatomy."""

import numpy as np
from scipy import ndimage

from nodegen.constants import GREY_MAX
from nodegen.phantom.anatomy import SIDE, Anatomy
from nodegen.phantom.exposure import expose, normalise
from nodegen.phantom.skeleton import ribs_and_clavicles, scapulae, spine
from nodegen.phantom.tissue import (
    LUNG_DENSITY,
    airways,
    body,
    frame,
    lungs,
    mediastinum,
    stomach,
)
from nodegen.phantom.vessels import hila, vessels

TEXTURE_SIGMAS = (0.8, 1.6, 3.2, 7.0, 30.0)  # px
LUNG_TEXTURE, TISSUE_TEXTURE = 9.0, 1.3  # px of soft tissue
BONE_SIGMA = 0.9  # softness of the ribs' edges, px
FIBRES = 2.4  # weight of muscles' and fat's upright streaks
VESSEL_DEPTH = 40.0  # path length through vessels that is not exceeded, px
VESSEL_SIGMA = 0.9  # softness of their edges by the heart's beat, px
VESSEL_CONTRAST = 3.2  # blood over lung, set by eye


def texture(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Fine structure, mean 0, px of soft tissue: of the lungs (a net of ridges), and of the rest.

    Both sum the same random fields at several sizes, each `(row, column)`.
    """
    rng = np.random.default_rng(anatomy.streams[1])
    net, tissue = np.zeros((2, SIDE, SIDE), np.float32)
    for sigma in TEXTURE_SIGMAS:
        field = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE), dtype=np.float32), sigma)
        field /= field.std()
        net += sigma**0.4 * (0.5 - np.abs(field) / (1 + 0.5 * np.abs(field)))
        tissue += sigma**0.4 * field
    fibres = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE), dtype=np.float32), (36, 6))
    tissue += FIBRES * fibres / fibres.std()
    return LUNG_TEXTURE * net, TISSUE_TEXTURE * tissue


def thickness(anatomy: Anatomy) -> np.ndarray:
    """Path length (px) of tissue, counted by its density over water's, `(row, column)`."""
    at = frame(anatomy)
    lung = np.clip(lungs(anatomy, at) - mediastinum(anatomy, at), 0, None)
    filled = lung / (lung.max() + 1e-6)
    soft = body(anatomy, at) - (1 - LUNG_DENSITY) * lung
    soft -= 1.3 * airways(anatomy, at) + stomach(anatomy, at)
    net, tissue = texture(anatomy)
    branches = VESSEL_DEPTH * np.tanh(vessels(anatomy) / VESSEL_DEPTH)
    branches = ndimage.gaussian_filter(branches, VESSEL_SIGMA)
    soft += np.sqrt(filled) * (VESSEL_CONTRAST * branches + 1.4 * hila(at) + net) + tissue
    tubes = ndimage.gaussian_filter(ribs_and_clavicles(anatomy), BONE_SIGMA)
    bone = tubes + spine(anatomy, at) + scapulae(anatomy, at)
    return np.asarray(np.clip(soft + anatomy.bone * bone, 0, None))


def radiograph(anatomy: Anatomy) -> np.ndarray:
    """Make the radiograph in NODE21's form, `(row, column)` uint16 in 0..4095, 0 in its margins."""
    grey = np.rint(normalise(expose(thickness(anatomy), anatomy)))
    grey = np.clip(grey, 1, GREY_MAX).astype(np.uint16)
    right, bottom = anatomy.margin
    grey[:, SIDE - right :] = 0
    grey[SIDE - bottom :] = 0
    return np.asarray(grey)
