"""A body on its way out: which pieces of a stored one, and what stands between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from secrets import token_hex

from imagefactory.warehouse.store.blobs import Reader
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.wire import FRAME, Piece

LARGEST_HOLES = 16 << 30
"""Bytes of zeros that are hashed while a client waits for the next frame: about a second each GiB."""


@dataclass(frozen=True, slots=True)
class Content:
    """Pieces to send: bytes as they are, or (offset, length) of the open body.

    `whole`: all of it, in order; what is left out between the pieces are holes.
    """

    stored: StoredObject
    reader: Reader
    pieces: tuple[Piece, ...]
    whole: bool = False

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in self.pieces)

    def blocks(self, size: Callable[[], int]) -> Iterator[Piece]:
        """The pieces, none of the stored ones longer than `size` says at the time."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            at, left = piece
            while left:
                length = min(size(), left)
                yield at, length
                at, left = at + length, left - length


def one_range(stored: StoredObject, reader: Reader, start: int, length: int) -> Content:
    """A range of the body, which may be all of it."""
    return Content(stored, reader, ((start, length),), whole=length == reader.size)


def whole(stored: StoredObject, reader: Reader) -> Content:
    """All of the body."""
    return Content(stored, reader, ((0, reader.size),), whole=True)


def framed(stored: StoredObject, reader: Reader, extents: list[tuple[int, int]]) -> Content:
    """The body without its holes, as `EXTENTS`."""
    pieces: list[Piece] = []
    for start, length in extents:
        pieces += [FRAME.pack(start, length), (start, length)]
    holes = reader.size - sum(length for _, length in extents)
    cheap = bool(stored.blob and stored.blob.content) or holes <= LARGEST_HOLES
    return Content(stored, reader, (*pieces, FRAME.pack(reader.size, 0)), whole=cheap)


def several(stored: StoredObject, reader: Reader, ranges: list[tuple[int, int]]) -> tuple[Content, str]:
    """Several (offset, length) as multipart/byteranges (RFC 9110, 14.6), and the Content-Type that goes with it."""
    boundary, size = token_hex(16), reader.size
    pieces: list[Piece] = []
    for start, length in ranges:
        end = start + length - 1
        pieces += [
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Range: bytes {start}-{end}/{size}\r\n\r\n".encode(),
            (start, length),
        ]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return Content(stored, reader, tuple(pieces)), f"multipart/byteranges; boundary={boundary}"
