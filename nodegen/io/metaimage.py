"""The pixels of a compressed MetaImage, inflated as they are read.

ITK holds the whole compressed file beside the whole stack while it reads; for a stack of 200
radiographs that is as much again. Here a piece of the file is held at a time. ITK still reads the
header, and every file of another form.
"""

from pathlib import Path

import numpy as np
from isal import isal_zlib

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
HEADER_MAX = 1 << 16  # bytes in which the header of a MetaImage ends
PIECE = 1 << 16  # bytes of the file that are held at a time: inflated, no more than 64 MiB
# What a header may say beside the geometry, so that its pixels are one zlib stream of native order.
PLAIN = {
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "ElementByteOrderMSB": "False",
    "ElementNumberOfChannels": "1",
    "HeaderSize": "0",
}


def inflate(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read the pixels of a compressed ``.mha`` or ``.mhd``.

    Parameters
    ----------
    shape : tuple of int
        Of the array, (slice, row, column) or (row, column), as ITK read it from the header.

    Returns
    -------
    ndarray or None
        None where the file is of another form, which ITK is to read.

    Raises
    ------
    OSError, ValueError
        Where the file cannot be read, or holds more or less than ``shape``, or is damaged.
    """
    with path.open("rb") as file:
        start = file.read(HEADER_MAX)
    found = start.find(b"ElementDataFile")
    end = start.find(b"\n", found) + 1
    if found < 0 or end < 1:
        return None
    lines = (line.partition("=") for line in start[:end].decode("latin-1").splitlines())
    header = {key.strip(): value.strip() for key, _, value in lines}
    kind = {name: dtype for dtype, name in ELEMENTS.items()}.get(header.get("ElementType", ""))
    if kind is None or header.get("CompressedData") != "True":
        return None
    if any(header.get(key, value) != value for key, value in PLAIN.items()):
        return None
    name = header["ElementDataFile"]
    if name == "LOCAL":
        return _inflated(path, end, np.empty(shape, kind))
    data = path.parent / name
    return _inflated(data, 0, np.empty(shape, kind)) if data.is_file() else None


def _inflated(path: Path, start: int, pixels: np.ndarray) -> np.ndarray:
    """Fill ``pixels`` with the zlib stream that begins at byte ``start``."""
    room, at = pixels.reshape(-1).view(np.uint8).data, 0
    stream = isal_zlib.decompressobj()
    with path.open("rb") as file:
        file.seek(start)
        try:
            while not stream.eof and (piece := file.read(PIECE)):
                # One byte more than there is room for shows that there is too much.
                found = stream.decompress(piece, room.nbytes - at + 1)
                room[at : at + len(found)] = found  # ValueError where they do not fit
                at += len(found)
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub says an instance
            raise ValueError(f"{path} is damaged") from error
    if at != room.nbytes or not stream.eof:
        raise ValueError(f"{path} ends at byte {at} of {room.nbytes}")
    return pixels
