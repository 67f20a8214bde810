"""Images in memory, checked; what belongs to one besides pixels: its geometry, the mark on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias, Union
from xml.sax.saxutils import escape

import numpy as np

from nodegen import __version__
from nodegen.errors import StackError

if TYPE_CHECKING:
    import SimpleITK as sitk

Image: TypeAlias = Union[np.ndarray, "sitk.Image"]
# MetaImage's names of the pixel types, and so the pixel types that are read and written.
ELEMENTS = {
    "uint8": "MET_UCHAR",
    "int8": "MET_CHAR",
    "uint16": "MET_USHORT",
    "int16": "MET_SHORT",
    "uint32": "MET_UINT",
    "int32": "MET_INT",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}


class TiffTags(NamedTuple):
    """What only a TIFF says, to be written as it came."""

    along: tuple[int, int]  # pixels in a unit along x, (numerator, denominator)
    across: tuple[int, int]  # the same along y
    unit: int  # ResolutionUnit
    white: int  # the level of black where white is 0, else 0


@dataclass(frozen=True)
class Geometry:
    """Where an image lies, as its file says; axes in the order x, y[, z]."""

    spacing: tuple[float, ...]  # mm
    origin: tuple[float, ...]  # mm
    direction: tuple[float, ...]  # row by row, 4 or 9 numbers
    dimension: int  # 2 or 3: a single image may be a 2D file; in memory it is a stack of one slice
    tags: TiffTags | None = None

    @property
    def black(self) -> Self:
        """The same with black as 0, for pixels that are not those of the file."""
        return replace(self, tags=self.tags._replace(white=0)) if self.tags else self

    @property
    def stacked(self) -> Geometry:
        """The same for a stack of images that lie there, 1 mm apart where no file says."""
        if self.dimension == 3:
            return self
        direction = np.eye(3)
        direction[:2, :2] = np.reshape(self.direction, (2, 2))
        axes = tuple(direction.ravel().tolist())
        return Geometry((*self.spacing, 1.0), (*self.origin, 0.0), axes, 3, self.tags)

    @classmethod
    def plain(cls, dimension: int) -> Self:
        """Spacing 1 mm, origin 0, axes as they come."""
        ones, zeros = (1.0,) * dimension, (0.0,) * dimension
        return cls(ones, zeros, tuple(np.eye(dimension).ravel().tolist()), dimension)


# --- pixels ---------------------------------------------------------------------------------------


def to_array(image: Image) -> np.ndarray:
    """The pixels of an image as a stack, (slice, row, column), in their own type.

    Parameters
    ----------
    image : ndarray, shape ([slice,] row, column), or SimpleITK.Image
        A single image becomes a stack of one slice.

    Raises
    ------
    StackError
        Where it has another number of dimensions or channels, another pixel type than those of
        ``ELEMENTS``, no pixels, or pixels that are not finite.
    """
    if isinstance(image, np.ndarray) and not isinstance(image, np.ma.MaskedArray | np.matrix):
        pixels = image
    elif not isinstance(image, np.ndarray) and hasattr(image, "GetPixelID"):
        import SimpleITK as sitk  # not for those who do not use it

        check_axes("The image", channels=image.GetNumberOfComponentsPerPixel())
        pixels = sitk.GetArrayFromImage(image)
    else:
        raise StackError(
            f"The image is a {type(image).__name__} where a plain ndarray or a SimpleITK image is "
            "allowed; convert it to one of them."
        )
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise StackError(
            f"The image has the shape {pixels.shape} where (row, column) or (slice, row, column), "
            "not empty, is allowed; give one stack at a time."
        )
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and min(pixels.shape[:2]) > 4:
        raise StackError(
            f"The image has the shape {pixels.shape}, which is that of a picture in colours, where "
            "(row, column) or (slice, row, column) is allowed; convert it to grey levels."
        )
    check_pixels(pixels if pixels.ndim == 3 else pixels[None], "The image")
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return native if native.ndim == 3 else native[None]


def to_image(pixels: np.ndarray, like: Image) -> Image:
    """Give a stack, (slice, row, column), the form of ``like``: its dimensions, type, geometry."""
    if isinstance(like, np.ndarray):
        return pixels.reshape(like.shape).astype(like.dtype, copy=False)
    import SimpleITK as sitk

    made = sitk.GetImageFromArray(pixels.reshape(like.GetSize()[::-1]))
    made.CopyInformation(like)
    return made


def dimension_of(image: Image) -> int:
    """2 for a single image, 3 for a stack."""
    return image.ndim if isinstance(image, np.ndarray) else int(image.GetDimension())


def hash_of(pixels: np.ndarray) -> Any:
    """The SHA-256 of a stack's pixels as they lie in memory, slice by slice, row by row."""
    digest = hashlib.sha256()
    for slice_ in pixels:
        digest.update(np.ascontiguousarray(slice_).data)
    return digest


def largest_part(mask: np.ndarray, structure: np.ndarray | None = None) -> np.ndarray:
    """The largest connected part of a mask, as a mask; empty where that is.

    Parameters
    ----------
    mask : ndarray of bool
        Of any shape.
    structure : ndarray, optional
        Which neighbours are connected, as :func:`scipy.ndimage.label` takes it.
    """
    from scipy.ndimage import label

    parts, count = label(mask, structure)
    return np.asarray(parts == 1 + np.bincount(parts.ravel())[1:].argmax() if count else parts > 0)


def check_axes(name: object, channels: int = 1, dimensions: int = 2) -> None:
    """Refuse, by a StackError, several channels, and other than 2 or 3 dimensions."""
    if channels != 1:
        raise StackError(
            f"{name} has {channels} channels where one is allowed; convert it to grey levels."
        )
    if dimensions not in (2, 3):
        raise StackError(
            f"{name} has {dimensions} dimensions where 2 (an image) or 3 (a stack) are allowed; "
            "write each stack to a file of its own."
        )


def check_pixels(pixels: np.ndarray, name: object) -> None:
    """Refuse, by a StackError, pixels (slice, row, column) of a type not taken, or not finite."""
    if pixels.dtype.name not in ELEMENTS:
        raise StackError(
            f"{name} has pixels of {pixels.dtype} where {', '.join(ELEMENTS)} are allowed; "
            "convert it to one of them."
        )
    if np.issubdtype(pixels.dtype, np.floating):
        for number, slice_ in enumerate(pixels):
            if not np.isfinite(slice_).all():
                raise StackError(
                    f"{name} holds pixels that are NaN or infinite in slice {number}, where finite "
                    "numbers are allowed; replace them."
                )


# --- mark on what is synthetic --------------------------------------------------------------------

# IPTC's DigitalSourceType, the machine-readable word that XMP carries.
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"  # synthetic nodules in a radiograph
SIMULATED = "algorithmicMedia"  # a simulated radiograph
XMP_PNG = "XML:com.adobe.xmp"  # keyword of the text in a PNG
XMP_TIFF = 700  # tag
_XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<xmp:CreatorTool>nodegen {version}</xmp:CreatorTool>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True)
class Mark:
    """What an image says of how it was made.

    Examples
    --------
    >>> Mark("Synthetic lung nodules", run="0123").text
    'Synthetic lung nodules by nodegen 2.0.0, run 0123, compositeWithTrainedAlgorithmicMedia'
    """

    what: str  # is synthetic in it
    source_type: str = COMPOSITE  # IPTC's word, without its address
    run: str = ""  # hash of what decides the image, see run_hash

    @property
    def text(self) -> str:
        """In one line."""
        run = f", run {self.run}" if self.run else ""
        return f"{self.what} by nodegen {__version__}{run}, {self.source_type}"

    @property
    def xmp(self) -> str:
        """As XMP, with IPTC's DigitalSourceType."""
        source = IPTC + self.source_type
        return _XMP.format(source=source, version=__version__, text=escape(self.text))


def run_hash(*parts: Any) -> str:
    """A hash of what decides an image, such as a run's header and its recipes; 16 digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
