"""The pixels of a MetaImage: raw, zlib, gzip or text, from one file or several, all or a fault.

A piece of a compressed file is held at a time, where other readers hold the whole file beside the
whole stack.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

PIECE = 1 << 16  # bytes of the file that are held at a time: inflated, no more than 64 MiB
DEFLATE_MOST = 1032  # times as many bytes come out of deflate as go in, at most (zlib's own figure)
GZIP = b"\x1f\x8b"  # how a gzip stream begins
TEXT_BYTES_LEAST = 2  # that a number takes as text: a digit and a blank


class FileFault(Exception):
    """A file does not hold the pixels that it is to hold; the message says why."""


@dataclass(frozen=True)
class Part:
    """A file that holds a share of the pixels.

    Attributes
    ----------
    path : Path
    start : int
        Byte at which the pixels begin; -1: they are the file's last bytes.
    share : int
        Steps of the first axis of the array.
    least : int
        Byte before which they cannot begin.
    """

    path: Path
    start: int
    share: int
    least: int


def read_pixels(
    parts: Sequence[Part],
    shape: tuple[int, ...],
    dtype: np.dtype,
    *,
    compressed: bool,
    text: bool,
) -> np.ndarray:
    """Read the pixels of all parts, one after the other.

    Parameters
    ----------
    shape : tuple of int
        Of the array, ([slice,] row, column).
    dtype : dtype
        In the file's byte order.
    compressed, text : bool
        Whether the pixels are zlib or gzip streams, or numbers written out.

    Returns
    -------
    ndarray
        In the machine's byte order.

    Raises
    ------
    FileFault
        Where a file holds more or less than its share, or is damaged.
    OSError
        Where one cannot be read.
    """
    row = math.prod(shape[1:]) * dtype.itemsize
    for part in parts:
        _check_size(part, part.share * row, dtype.itemsize, compressed, text)
    pixels = np.empty(shape, dtype)  # the system gives memory for what is written into it
    at = 0
    for part in parts:
        share = pixels[at : at + part.share]
        at += part.share
        if text:
            _spell(part, share)
        elif compressed:
            _inflate(part, share)
        else:
            _copy(part, share)
    if pixels.dtype.isnative:
        return pixels
    return pixels.byteswap(inplace=True).view(pixels.dtype.newbyteorder("="))


def _check_size(part: Part, wanted: int, itemsize: int, compressed: bool, text: bool) -> None:
    """Refuse, before memory is taken, a file that cannot hold what is wanted of it."""
    held = os.stat(part.path).st_size - max(part.start, part.least)
    if text:
        short = (held + 1) // TEXT_BYTES_LEAST < wanted // itemsize
    elif compressed:
        short = held * DEFLATE_MOST < wanted
    else:
        short = held < wanted
        if held > wanted and part.start != -1:
            raise FileFault(
                f"{part.path} holds {held} bytes of pixels, where its header's DimSize and "
                f"ElementType ask for {wanted}"
            )
    if short:
        raise FileFault(
            f"{part.path} is truncated: the {max(held, 0)} bytes that it holds of pixels cannot be "
            f"the {wanted} that its header's DimSize and ElementType ask for"
        )


def _copy(part: Part, pixels: np.ndarray) -> None:
    room = pixels.reshape(-1).view(np.uint8).data
    with part.path.open("rb") as file:
        if part.start == -1:
            file.seek(-room.nbytes, os.SEEK_END)
        else:
            file.seek(part.start)
        if file.readinto(room) != room.nbytes:
            raise FileFault(f"{part.path} became shorter while it was read")


def _inflate(part: Part, pixels: np.ndarray) -> None:
    """Fill ``pixels`` from one zlib stream, or from gzip streams, that hold exactly them."""
    room, at = pixels.reshape(-1).view(np.uint8).data, 0
    with part.path.open("rb") as file:
        file.seek(part.start)
        piece = file.read(PIECE)
        gzip = piece.startswith(GZIP)
        stream = _decompressor(gzip)
        try:
            while piece:
                # One byte more than there is room for shows that there is too much.
                found = stream.decompress(piece, room.nbytes - at + 1)
                if at + len(found) > room.nbytes:
                    raise FileFault(
                        f"{part.path} holds more than the {room.nbytes} bytes of pixels that its "
                        "header's DimSize and ElementType ask for"
                    )
                room[at : at + len(found)] = found
                at += len(found)
                if not stream.eof:
                    piece = file.read(PIECE)
                    continue
                rest = stream.unused_data
                rest += file.read(len(GZIP)) if len(rest) < len(GZIP) else b""
                if not gzip or not rest.startswith(GZIP):
                    break  # what follows the stream's own end, a blank line say, is not of it
                piece, stream = rest, _decompressor(gzip)
        except (isal_zlib.error, zlib.error, EOFError) as error:  # type: ignore[misc]  # its stub
            raise FileFault(
                f"{part.path} is damaged: its compressed pixels do not unpack"
            ) from error
    if at != room.nbytes or not stream.eof:
        raise FileFault(
            f"{part.path} is truncated: its compressed pixels end at byte {at} of {room.nbytes}"
        )


def _decompressor(gzip: bool) -> Any:  # the stub of isal has a function where a class is
    return isal_zlib.decompressobj(wbits=31 if gzip else 15)


def _spell(part: Part, pixels: np.ndarray) -> None:
    with part.path.open("rb") as file:
        file.seek(part.start)
        words = file.read().split()
    if len(words) != pixels.size:
        raise FileFault(
            f"{part.path} holds {len(words)} numbers, where its header's DimSize asks for "
            f"{pixels.size}"
        )
    native = pixels.dtype.newbyteorder("=")
    try:
        if np.issubdtype(native, np.floating):
            values = np.array([float(word) for word in words])
        else:
            values = np.array([int(word) for word in words], dtype=object)
            if min(values) < np.iinfo(native).min or max(values) > np.iinfo(native).max:
                raise ValueError("beyond the pixel type")
    except ValueError as error:
        raise FileFault(
            f"{part.path} holds pixels as text that are no numbers of its ElementType"
        ) from error
    pixels[...] = values.astype(native).reshape(pixels.shape)
