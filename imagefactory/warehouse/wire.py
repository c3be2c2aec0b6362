"""What the two sides of our own HTTP API have to agree on: headers, and the format of a body without its holes.

`docs/warehouse-api.md` has them for people.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

DIGEST = "X-Warehouse-SHA256"
CONTENT = "X-Warehouse-Content"
"""The digest that costs nothing for holes (`lib.files.content`). What is sent with it is checked by it."""
EXPECTED = "X-Warehouse-Expected"
"""Attributes, form-encoded, that an object has to have before it is changed (empty: absent), else 412."""
UPLOAD_NAME, UPLOAD_OFFSET = "X-Warehouse-Upload", "X-Warehouse-Offset"
"""Which upload a part belongs to; how many bytes of it have arrived."""

EXTENTS = "application/x-warehouse-extents"
"""A body without its holes: frames of offset and length (8 bytes each, big-endian) followed by that much data, in
order; the last frame has the whole size as offset, and length 0."""

LARGEST = 16 << 40
"""Bytes of the largest body that is taken without its holes: they cost the client nothing, and us their hashing."""

FRAME = struct.Struct(">QQ")
Piece = bytes | tuple[int, int]
"""A part of a body: bytes as they are, or (offset, length) of an open file."""


def digests(sha256: str, content: str) -> dict[str, str]:
    """Returns the headers that tell of a body; an empty digest is one that is not known."""
    return {name: digest for name, digest in ((DIGEST, sha256), (CONTENT, content)) if digest}


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
