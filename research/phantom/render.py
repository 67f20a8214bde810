"""One simulated radiograph from one anatomy: path lengths, the detector, NODE21's grey scale."""

import numpy as np
from scipy import ndimage

from nodegen.constants import GREY_MAX
from research.phantom import tissue
from research.phantom.anatomy import SIDE, Anatomy
from research.phantom.skeleton import ribs_and_clavicles, scapulae, spine
from research.phantom.vessels import hila, vessels

TEXTURE_SIGMAS = (0.8, 1.6, 3.2, 7.0, 30.0)  # px
LUNG_TEXTURE, TISSUE_TEXTURE = 9.0, 1.3  # px of soft tissue
BONE_SIGMA = 0.9  # softness of the ribs' edges, px
FIBRES = 2.4  # weight of muscles' and fat's upright streaks
VESSEL_DEPTH = 40.0  # path length through vessels that is not exceeded, px
VESSEL_SIGMA = 0.9  # softness of their edges by the heart's beat, px
VESSEL_CONTRAST = 3.2  # blood over lung, set by eye
ATTENUATION = 0.0066  # of soft tissue, for each px (0.34 mm at 0.19 /cm)
SCATTER, SCATTER_SIGMA = 0.35, 60.0  # share of the scattered beam, and its spread in px
SHARPNESS = 0.75  # sigma of the detector's blur, px
DOSE = 22000.0  # quanta in a pixel of the open beam
NOISE_SIGMA = 0.55  # correlation of the noise, px
BAND_SIGMAS = (1, 2, 4, 8, 16, 32, 64)  # px
# Standard deviation of each band, in grey levels, over the 40 energy-normalised radiographs that
# the figures were fitted on; the last is that of what the bands leave.
BAND_ENERGIES = (35, 36, 53, 77, 103, 140, 210, 640)
MEAN_GREY = 2610.0
BASE_SIGMA = 32  # from this band on, bright parts are compressed, px
KNEE, SHOULDER = 2450.0, 1100.0  # grey level where that begins, and the range left above it
TOE = 0.28  # how much farther dark parts lie below that grey level
DETAIL_GAIN = 0.3  # what is left of detail in the brightest parts


def _texture(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Fine structure, mean 0, px of soft tissue: of the lungs (a net of ridges), and of the rest.

    Both sum the same random fields at several sizes, each `(row, column)`.
    """
    rng = np.random.default_rng(anatomy.streams[1])
    net, rest = np.zeros((2, SIDE, SIDE), np.float32)
    for sigma in TEXTURE_SIGMAS:
        field = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE), dtype=np.float32), sigma)
        field /= field.std()
        net += sigma**0.4 * (0.5 - np.abs(field) / (1 + 0.5 * np.abs(field)))
        rest += sigma**0.4 * field
    fibres = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE), dtype=np.float32), (36, 6))
    rest += FIBRES * fibres / fibres.std()
    return LUNG_TEXTURE * net, TISSUE_TEXTURE * rest


def thickness(anatomy: Anatomy) -> np.ndarray:
    """Path length (px) of tissue, counted by its density over water's, `(row, column)`."""
    at = tissue.frame(anatomy)
    lung = np.clip(tissue.lungs(anatomy, at) - tissue.mediastinum(anatomy, at), 0, None)
    filled = lung / (lung.max() + 1e-6)
    soft = tissue.body(anatomy, at) - (1 - tissue.LUNG_DENSITY) * lung
    soft -= 1.3 * tissue.airways(anatomy, at) + tissue.stomach(anatomy, at)
    net, fine = _texture(anatomy)
    branches = VESSEL_DEPTH * np.tanh(vessels(anatomy) / VESSEL_DEPTH)
    branches = ndimage.gaussian_filter(branches, VESSEL_SIGMA)
    soft += np.sqrt(filled) * (VESSEL_CONTRAST * branches + 1.4 * hila(at) + net) + fine
    tubes = ndimage.gaussian_filter(ribs_and_clavicles(anatomy), BONE_SIGMA)
    bone = tubes + spine(anatomy, at) + scapulae(anatomy, at)
    return np.asarray(np.clip(soft + anatomy.bone * bone, 0, None))


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones on a grid four times as coarse, where they cost little."""
    if sigma < 16:
        return np.asarray(ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3))
    coarse = image.reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3))
    coarse = ndimage.gaussian_filter(coarse, sigma / 4, mode="nearest", truncate=3)
    return np.asarray(ndimage.zoom(coarse, 4, order=1, grid_mode=True, mode="nearest"))


def expose(thickness: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Negative logarithm of the detector's exposure, with noise, for `thickness` px of tissue."""
    beam = np.exp(-ATTENUATION * thickness)
    beam = (1 - SCATTER) * beam + SCATTER * _blur(beam, SCATTER_SIGMA)
    beam = ndimage.gaussian_filter(beam, SHARPNESS)
    grain = np.random.default_rng(anatomy.streams[2]).standard_normal(
        (SIDE, SIDE), dtype=np.float32
    )
    grain = ndimage.gaussian_filter(grain, NOISE_SIGMA)
    grain /= grain.std()
    return np.asarray(-np.log(np.clip(beam + np.sqrt(beam / DOSE) * grain, 1e-5, None)))


def normalise(image: np.ndarray) -> np.ndarray:
    """Give each band of detail the energy that it has in NODE21's radiographs.

    The organisers energy-normalised theirs in the same way (Philipsen et al., IEEE TMI 2015).
    """
    detail, base, rest = np.zeros_like(image), np.zeros_like(image), image
    for sigma, energy in zip(BAND_SIGMAS, BAND_ENERGIES, strict=False):
        low = _blur(rest, sigma)
        band = (rest - low) * (energy / np.std(rest - low))
        if sigma < BASE_SIGMA:
            detail += band
        else:
            base += band
        rest = low
    base += (rest - rest.mean()) * (BAND_ENERGIES[-1] / rest.std()) + MEAN_GREY
    over = np.clip(base - KNEE, 0, None) / SHOULDER
    gain = DETAIL_GAIN + (1 - DETAIL_GAIN) / np.cosh(over) ** 2
    whole = gain * detail + base + SHOULDER * (np.tanh(over) - over)
    return np.asarray(whole - TOE * np.clip(KNEE - whole, 0, None))


def radiograph(anatomy: Anatomy) -> np.ndarray:
    """Make the radiograph in NODE21's form, `(row, column)` uint16 in 0..4095, 0 in its margins."""
    grey = np.rint(normalise(expose(thickness(anatomy), anatomy)))
    grey = np.clip(grey, 1, GREY_MAX).astype(np.uint16)
    right, bottom = anatomy.margin
    grey[:, SIDE - right :] = 0
    grey[SIDE - bottom :] = 0
    return np.asarray(grey)
