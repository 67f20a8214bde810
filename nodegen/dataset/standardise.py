"""Bring radiographs to NODE21's form: its grey scale, its crop to the lungs, 1024 × 1024 px.

The grey scale is normalised by energies (:mod:`nodegen.dataset.energy`). The crop is that of the
organisers: the lungs with a margin, the longer side 1024 px, the shorter one centred between zeros.
The inverse takes a change of the standardised image to one of the original, tapered to nothing
``REACH_PX`` beyond what was changed, so that all other pixels stay as they are, bit for bit.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from nodegen.constants import GREY_MAX
from nodegen.dataset.energy import filtered, gains_of, normalised
from nodegen.dataset.example import Corners, Example
from nodegen.io.radiograph import Radiograph
from nodegen.lungs.fields import Lungs, find_lungs

# Margins around both lungs over their width or height, mean over 24 of NODE21's images.
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 0.12, 0.09, 0.14
SIDE_PX = 1024
# px of the standardised image. Of a nodule of 300 levels what is cut off by it makes an error of 4
# to 12 levels at most (at 32 px 8 to 18, at 64 px 2 to 8), measured on three of NIH's radiographs.
REACH_PX = 48


@dataclass(frozen=True)
class LungCrop:
    """Where a standardised image lies in its original."""

    left: int  # px of the original, half-open
    top: int
    right: int
    bottom: int
    scale: float  # px of the standardised image for each px of the original
    x: int  # where the crop's corner lies in the standardised image, px
    y: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that the crop fills in the standardised image, px."""
        width = min(round((self.right - self.left) * self.scale), SIDE_PX)
        return width, min(round((self.bottom - self.top) * self.scale), SIDE_PX)

    def apply(self, x: float, y: float) -> tuple[float, float]:
        """A point of the original in the standardised image, px."""
        return (x - self.left) * self.scale + self.x, (y - self.top) * self.scale + self.y

    def inverse(self, x: float, y: float) -> tuple[float, float]:
        """A point of the standardised image in the original, px."""
        return (x - self.x) / self.scale + self.left, (y - self.y) / self.scale + self.top

    def apply_box(self, box: Corners) -> Corners | None:
        """Bring a box of the original to the standardised image.

        Parameters
        ----------
        box : (int, int, int, int)
            Left, top, right, bottom, px, half-open.

        Returns
        -------
        (int, int, int, int) or None
            The same, clipped to the crop; None where its centre lies outside.
        """
        width, height = self.size
        x, y = self.apply((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        if not (self.x <= x < self.x + width and self.y <= y < self.y + height):
            return None
        left, top = map(round, self.apply(box[0], box[1]))
        right, bottom = map(round, self.apply(box[2], box[3]))
        left, top = max(left, self.x), max(top, self.y)
        return left, top, min(right, self.x + width), min(bottom, self.y + height)


@dataclass(frozen=True)
class StandardisationTransform:
    """How one radiograph was brought to NODE21's form."""

    crop: LungCrop
    gains: tuple[float, ...]  # of each band, fine to coarse, and of the rest
    offset: float  # that was added then, grey levels
    shape: tuple[int, int]  # rows and columns of the original

    def to_dict(self) -> dict[str, Any]:
        """What ``crops.json`` and a set's manifest hold."""
        return {**asdict(self.crop), "gains": list(self.gains), "offset": self.offset,
                "shape": list(self.shape)}  # fmt: skip

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "StandardisationTransform":
        """Read what :meth:`to_dict` gave."""
        rows, columns = content["shape"]
        gains = tuple(float(gain) for gain in content["gains"])
        crop = LungCrop(*(content[field.name] for field in fields(LungCrop)))
        return cls(crop, gains, float(content["offset"]), (rows, columns))

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """The original in NODE21's form, float32 (row, column), not rounded, not cut off."""
        seen, _ = _cropped(pixels.astype(np.float32), self.crop)
        return filtered(seen, gains_of(self.gains, seen.shape)) + np.float32(self.offset)

    def inverse(self, change: np.ndarray) -> np.ndarray:
        """The change of the original that a change of the standardised image comes from.

        Both are grey levels (row, column), and 0 where nothing changes.
        """
        away = ndimage.distance_transform_edt(change == 0)
        taper = 0.5 + 0.5 * np.cos(np.pi * np.minimum(away / REACH_PX, 1))
        made = filtered(change, 1 / gains_of(self.gains, change.shape)) * taper.astype(np.float32)
        return self._resampled(made, Image.Resampling.BICUBIC)

    def inverse_mask(self, mask: np.ndarray) -> np.ndarray:
        """Bring a mask of the standardised image to the original, bool (row, column)."""
        return self._resampled(mask.astype(np.float32), Image.Resampling.BILINEAR) >= 0.5

    def inverse_box(self, box: Corners) -> Corners:
        """Bring a box (left, top, right, bottom) to the original, to the nearest px inside it."""
        rows, columns = self.shape
        left, top = map(round, self.crop.inverse(box[0], box[1]))
        right, bottom = map(round, self.crop.inverse(box[2], box[3]))
        left, top = min(max(left, 0), columns - 1), min(max(top, 0), rows - 1)
        return left, top, min(max(right, left + 1), columns), min(max(bottom, top + 1), rows)

    def _resampled(self, image: np.ndarray, how: Image.Resampling) -> np.ndarray:
        crop, (width, height) = self.crop, self.crop.size
        part = Image.fromarray(image[crop.y : crop.y + height, crop.x : crop.x + width])
        made = np.zeros(self.shape, np.float32)
        made[crop.top : crop.bottom, crop.left : crop.right] = np.asarray(
            part.resize((crop.right - crop.left, crop.bottom - crop.top), how)
        )
        return made


@dataclass(frozen=True)
class Standardised:
    """A radiograph in NODE21's form, and how it was brought there."""

    radiograph: Radiograph  # uint16, 1024 × 1024 px, 0..4095
    transformation: StandardisationTransform
    lungs: Lungs  # of the standardised image


def is_node21(pixels: np.ndarray) -> bool:
    """Whether a radiograph is in NODE21's form: 1024 × 1024 px, 12 bit in uint16.

    Parameters
    ----------
    pixels : numpy.ndarray
        `(row, column)`.
    """
    in_form = pixels.shape == (SIDE_PX, SIDE_PX) and pixels.dtype == np.uint16
    return in_form and bool(pixels.max() <= GREY_MAX)


def standardise(radiograph: Radiograph) -> Standardised:
    """Bring a radiograph to NODE21's form.

    Parameters
    ----------
    radiograph : Radiograph
        Of any size and grey scale.

    Raises
    ------
    StackError
        Where no plausible pair of lungs is found.
    """
    found = find_lungs(radiograph.pixels)
    crop = _crop_of(found)
    seen, shown = _cropped(radiograph.pixels.astype(np.float32), crop)
    lungs = Lungs(np.where(shown, _cropped(found.labels, crop)[0], 0), found.confidence)
    pixels, gains, offset = normalised(seen, lungs.labels > 0)
    grey = np.clip(np.rint(pixels), 0, GREY_MAX).astype(np.uint16)
    grey[~shown] = 0
    spacing = radiograph.spacing
    if spacing is not None:
        spacing = spacing[0] / crop.scale, spacing[1] / crop.scale
    made = Radiograph(grey, spacing, radiograph.path, radiograph.slice, radiograph.patient)
    rows, columns = radiograph.pixels.shape
    return Standardised(made, StandardisationTransform(crop, gains, offset, (rows, columns)), lungs)


def _crop_of(lungs: Lungs) -> LungCrop:
    """The crop around both lungs, with margins, made to fit 1024 × 1024 px."""
    filled = [np.flatnonzero(lungs.labels.any(axis)) for axis in (0, 1)]
    (left, right), (top, bottom) = ((int(place[0]), int(place[-1]) + 1) for place in filled)
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
    return LungCrop(*edges, scale, x, y)


def in_original(
    example: Example, transformation: StandardisationTransform, original: Radiograph
) -> Example:
    """Give an example, drawn in NODE21's form, in its original, changed at the nodules alone."""
    before = original.pixels.astype(np.float64)
    change = transformation.inverse(example.change)
    after = np.clip(before + change, before.min(), before.max())
    made = np.rint(after) if original.pixels.dtype.kind in "iu" else after
    return replace(
        example,
        radiograph=original,
        image=np.where(change != 0, made, before).astype(original.pixels.dtype),
        untouched=original.pixels,
        change=(after - before).astype(np.float32),
        nodules=[
            replace(
                nodule,
                given=transformation.inverse_box(nodule.given),
                tight=transformation.inverse_box(nodule.tight),
                mask=transformation.inverse_mask(nodule.mask),
            )
            for nodule in example.nodules
        ],
        mm=example.mm * transformation.crop.scale,
    )


def _cropped(pixels: np.ndarray, crop: LungCrop) -> tuple[np.ndarray, np.ndarray]:
    """Cut a crop from grey levels (float32) or labels (uint8), and bring it to 1024 × 1024 px.

    Also returns a mask of what it shows. Beside that the edge goes on: a step would shine into it.
    """
    part = Image.fromarray(pixels[crop.top : crop.bottom, crop.left : crop.right])
    width, height = crop.size
    is_grey = pixels.dtype == np.float32
    how = Image.Resampling.BICUBIC if is_grey else Image.Resampling.NEAREST
    around = ((crop.y, SIDE_PX - height - crop.y), (crop.x, SIDE_PX - width - crop.x))
    shown = np.pad(np.ones((height, width), bool), around)
    return np.pad(np.asarray(part.resize((width, height), how)), around, mode="edge"), shown
