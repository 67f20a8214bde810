"""Bring radiographs to NODE21's form: its grey scale, its crop to the lungs, 1024 × 1024 px.

The grey scale is made equal by energy-based normalisation (Philipsen et al., IEEE TMI 34(9), 2015):
an image is parted into bands of detail, and each band gets the energy that it has in the reference,
inside the lungs. The crop is that of the organisers: the lungs with a margin, the longer side
1024 px, the shorter one centred between zeros.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from nodegen.errors import SettingError
from nodegen.io.files import write_text
from nodegen.io.radiograph import NODE21_MAX, Radiograph, find_radiographs, read_radiographs
from nodegen.io.stack import Geometry
from nodegen.io.stack_writer import StackWriter
from nodegen.lungs.fields import Lungs, find_lungs

SIDE_PX = 1024
SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # of the Gaussians that part the bands, px
# Mean over 24 of NODE21's images: standard deviation of each band inside the lungs, that of what is
# left, and the mean, in grey levels of 0..4095.
ENERGIES = (51.7, 48.5, 69.3, 89.0, 99.9, 101.4)
REST_ENERGY, MEAN = 352.8, 2009.0
ROUNDS = 10  # of making energies equal; the bands overlap a little
CLOSE = 0.02  # of each energy, where it ends
GAINS = (0.2, 5.0)  # of a band in all, so that a blank band's noise is not blown up
# Margins around both lungs over their width or height, mean over the same images.
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 0.12, 0.09, 0.14


@dataclass(frozen=True)
class Crop:
    """Where a standardised image lies in its original.

    Attributes
    ----------
    left, top, right, bottom : int
        px of the original, half-open; may reach beyond it.
    scale : float
        px of the standardised image for each px of the original.
    x, y : int
        Where the crop's corner lies in the standardised image, px.
    """

    left: int
    top: int
    right: int
    bottom: int
    scale: float
    x: int
    y: int

    def forth(self, x: float, y: float) -> tuple[float, float]:
        """A point of the original in the standardised image, px."""
        return (x - self.left) * self.scale + self.x, (y - self.top) * self.scale + self.y

    def back(self, x: float, y: float) -> tuple[float, float]:
        """A point of the standardised image in the original, px.

        Examples
        --------
        >>> crop = Crop(100, 50, 1100, 1050, 1.024, 0, 0)
        >>> tuple(round(v) for v in crop.back(*crop.forth(300, 400)))
        (300, 400)
        """
        return (x - self.x) / self.scale + self.left, (y - self.y) / self.scale + self.top


@dataclass(frozen=True)
class Standardised:
    """A radiograph in NODE21's form, and the way back.

    Attributes
    ----------
    radiograph : Radiograph
        uint16, 1024 × 1024 px, 0..4095.
    crop : Crop
    gains : tuple of float
        What each band was multiplied by, fine to coarse, and what the rest was.
    lungs : Lungs
        Of the standardised image.
    """

    radiograph: Radiograph
    crop: Crop
    gains: tuple[float, ...]
    lungs: Lungs


def standardise(radiograph: Radiograph) -> Standardised:
    """Bring a radiograph to NODE21's form.

    Raises
    ------
    StackError
        Where no lungs are found.
    """
    crop = crop_of(find_lungs(radiograph.pixels))
    cut, shown = _cut(radiograph.pixels.astype(np.float32), crop)
    lungs = find_lungs(cut)
    pixels, gains = normalised(cut, lungs.labels > 0)
    grey = np.clip(np.rint(pixels), 0, NODE21_MAX).astype(np.uint16)
    grey[~shown] = 0
    spacing = radiograph.spacing
    if spacing is not None:
        spacing = spacing[0] / crop.scale, spacing[1] / crop.scale
    made = Radiograph(grey, spacing, radiograph.path, radiograph.slice, radiograph.patient)
    return Standardised(made, crop, gains, lungs)


def crop_of(lungs: Lungs) -> Crop:
    """The crop around both lungs, with margins, made to fit 1024 × 1024 px."""
    rows, columns = np.nonzero(lungs.labels)
    left, right = float(columns.min()), float(columns.max() + 1)
    top, bottom = float(rows.min()), float(rows.max() + 1)
    width, height = right - left, bottom - top
    limits = lungs.labels.shape
    edges = (
        round(max(left - MARGIN_X * width, 0)),
        round(max(top - MARGIN_TOP * height, 0)),
        round(min(right + MARGIN_X * width, limits[1])),
        round(min(bottom + MARGIN_BOTTOM * height, limits[0])),
    )
    sides = edges[2] - edges[0], edges[3] - edges[1]
    scale = SIDE_PX / max(sides)
    x, y = ((SIDE_PX - round(side * scale)) // 2 for side in sides)
    return Crop(*edges, scale, x, y)


def _cut(pixels: np.ndarray, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """The crop at 1024 × 1024 px, and a mask of what it shows."""
    from PIL import Image

    part = Image.fromarray(pixels[crop.top : crop.bottom, crop.left : crop.right])
    width = min(round(part.width * crop.scale), SIDE_PX)
    height = min(round(part.height * crop.scale), SIDE_PX)
    resized = np.asarray(part.resize((width, height), Image.Resampling.BICUBIC))
    # Where nothing is shown the edge goes on: a step there would shine into the image.
    around = (
        (crop.y, SIDE_PX - height - crop.y),
        (crop.x, SIDE_PX - width - crop.x),
    )
    shown = np.pad(np.ones(resized.shape, bool), around)
    return np.pad(resized, around, mode="edge"), shown


def bands(pixels: np.ndarray) -> list[np.ndarray]:
    """Part an image into bands of detail, fine to coarse, and what is left; they sum up to it."""
    found, low = [], pixels.astype(np.float32)
    for sigma in SIGMAS:
        smoother = _blurred(pixels, sigma)
        found.append(low - smoother)
        low = smoother
    return [*found, low]


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; wide ones on a coarser grid, where they cost little."""
    factor = max(int(sigma // 4), 1)
    rows, columns = pixels.shape
    if factor == 1 or rows % factor or columns % factor:
        made: np.ndarray = ndimage.gaussian_filter(pixels, sigma, mode="nearest", truncate=3)
        return made
    coarse = pixels.reshape(rows // factor, factor, columns // factor, factor).mean((1, 3))
    coarse = ndimage.gaussian_filter(coarse, sigma / factor, mode="nearest", truncate=3)
    zoomed: np.ndarray = ndimage.zoom(coarse, factor, order=1, grid_mode=True, mode="nearest")
    return zoomed


def energies(parts: list[np.ndarray], region: np.ndarray) -> np.ndarray:
    """Standard deviation of each band inside a region, and that of the rest at the end."""
    return np.array([part[region].std() for part in parts])


def normalised(pixels: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Give each band the energy that it has in NODE21's images, inside a region.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (row, column)
    region : numpy.ndarray of bool, shape (row, column)
        The lungs.

    Returns
    -------
    pixels : numpy.ndarray of float32
        In grey levels of 0..4095, not yet cut off there.
    gains : tuple of float
        What each band was multiplied by, and what the rest was.
    """
    wanted = np.array([*ENERGIES, REST_ENERGY])
    parts = bands(pixels)
    whole = max(float(parts[-1][region].std()), 1e-6)
    gains = np.full(len(parts), REST_ENERGY / whole)
    lowest, highest = (limit * REST_ENERGY / whole for limit in GAINS)
    for _ in range(ROUNDS):
        made = np.tensordot(gains.astype(np.float32), np.stack(parts), 1)
        ratio = wanted / np.maximum(energies(bands(made), region), 1e-6)
        gains = np.clip(gains * ratio, lowest, highest)
        if np.abs(ratio - 1).max() < CLOSE:
            break
    made = np.tensordot(gains.astype(np.float32), np.stack(parts), 1)
    return made + (MEAN - float(made[region].mean())), tuple(float(gain) for gain in gains)


def standardise_files(inputs: list[Path], output: Path) -> Iterator[Path]:
    """Standardise radiographs, each into an .mha of its own, and write ``crops.json``.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files and folders of radiographs.
    output : pathlib.Path

    Yields
    ------
    pathlib.Path
        Of an image, as it is written.

    Raises
    ------
    SettingError
        Where two radiographs would get the same name.
    NodegenError
        One of its other classes, for each kind of fault.
    """
    crops: dict[str, dict[str, float]] = {}
    for path, _ in find_radiographs(inputs):
        for radiograph in read_radiographs(path):
            part = f"_{radiograph.slice:03d}" if radiograph.slice else ""
            name = f"{path.stem}{part}.mha"
            if name in crops or (output / name).exists():
                raise SettingError(
                    f"{output / name} is there already, or two radiographs have its name; give "
                    "another --output."
                )
            made = standardise(radiograph)
            size = made.radiograph.spacing or (1.0, 1.0)
            form = Geometry(size, (0.0, 0.0), (1.0, 0.0, 0.0, 1.0), 2)
            with StackWriter(output / name, form, (1, SIDE_PX, SIDE_PX), np.uint16) as writer:
                writer.write(made.radiograph.pixels)
            crops[name] = asdict(made.crop)
            yield output / name
    write_text(output / "crops.json", json.dumps(crops, indent=1) + "\n")
