"""A body on its way out: which pieces of a stored one, and what stands between them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from secrets import token_hex

from imagefactory.warehouse.store.blobs import Reader
from imagefactory.warehouse.store.objects import Stored

EXTENTS = "application/x-warehouse-extents"
"""A body without its holes: frames of offset and length (8 bytes each, big-endian) followed by that much data, in
order; the last frame has the whole size as offset, and length 0."""

LARGEST_HOLES = 16 << 30
"""Bytes of zeros that are hashed while a client waits for the next frame: about a second each GiB."""

LARGEST = 16 << 40
"""Bytes of the largest body that is taken without its holes: they cost the client nothing, and us their hashing."""

FRAME = struct.Struct(">QQ")
BuildContext = bytes | tuple[int, int]


@dataclass(frozen=True, slots=True)
class Content:
    """Pieces to send: bytes as they are, or (offset, length) of the open body.

    `whole`: all of it, in order; what is left out between the pieces are holes.
    """

    stored: Stored
    reader: Reader
    pieces: tuple[BuildContext, ...]
    whole: bool = False

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in self.pieces)

    def blocks(self, size: Callable[[], int]) -> Iterator[BuildContext]:
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


def one_range(stored: Stored, reader: Reader, start: int, length: int) -> Content:
    """A range of the body, which may be all of it."""
    return Content(stored, reader, ((start, length),), whole=length == reader.size)


def whole(stored: Stored, reader: Reader) -> Content:
    """All of the body."""
    return Content(stored, reader, ((0, reader.size),), whole=True)


def framed(stored: Stored, reader: Reader, extents: list[tuple[int, int]]) -> Content:
    """The body without its holes, as `EXTENTS`."""
    pieces: list[BuildContext] = []
    for start, length in extents:
        pieces += [FRAME.pack(start, length), (start, length)]
    holes = reader.size - sum(length for _, length in extents)
    cheap = bool(stored.blob and stored.blob.content) or holes <= LARGEST_HOLES
    return Content(stored, reader, (*pieces, FRAME.pack(reader.size, 0)), whole=cheap)


def several(stored: Stored, reader: Reader, ranges: list[tuple[int, int]]) -> tuple[Content, str]:
    """Several (offset, length) as multipart/byteranges (RFC 9110, 14.6), and the Content-Type that goes with it."""
    boundary, size = token_hex(16), reader.size
    pieces: list[BuildContext] = []
    for start, length in ranges:
        end = start + length - 1
        pieces += [
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Range: bytes {start}-{end}/{size}\r\n\r\n".encode(),
            (start, length),
        ]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return Content(stored, reader, tuple(pieces)), f"multipart/byteranges; boundary={boundary}"


class Frames:
    """Reads `EXTENTS` as it arrives: `write` gets data, `skip` gets the length of holes.

    Errors are found in `ended()`, so that a bad upload is refused as a whole; what follows a bad frame is ignored.
    """

    def __init__(self, write: Callable[[bytes], None], skip: Callable[[int], None]) -> None:
        self._write = write
        self._skip = skip
        self._head = b""
        self._left = 0  # of the current frame's data
        self._at = 0
        self._problem = "the last frame is missing"

    def feed(self, data: bytes) -> None:
        """Take what came."""
        view = memoryview(data)
        while view and self._problem.startswith("the last"):
            view = self._data(view) if self._left else self._header(view)
        if view:
            self._problem = self._problem or "data follows the last frame"

    def ended(self) -> str:
        """What was wrong with it; empty if nothing."""
        return self._problem or ("a frame is not complete" if self._left or self._head else "")

    def _data(self, view: memoryview) -> memoryview:
        taken = view[: self._left]
        self._write(bytes(taken))
        self._left -= len(taken)
        self._at += len(taken)
        return view[len(taken) :]

    def _header(self, view: memoryview) -> memoryview:
        missing = FRAME.size - len(self._head)
        self._head += bytes(view[:missing])
        if len(self._head) == FRAME.size:
            offset, length = FRAME.unpack(self._head)
            self._head = b""
            self._frame(offset, length)
        return view[missing:]

    def _frame(self, offset: int, length: int) -> None:
        if offset < self._at:
            self._problem = "frames are not in order"
            return
        if offset + length > LARGEST:
            self._problem = "a frame is larger than any body"
            return
        self._skip(offset - self._at)
        self._at, self._left = offset, length
        if not length:
            self._problem = ""
