"""The reply of a handler, whole or in pieces; of a large one no more is made or kept than its client takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from twisted.web.http import Request

#: Bytes that are written at once; a body that is not larger is written whole.
PIECE = 64 << 10
JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass(slots=True)
class RestReply:
    """Body, status, content type and further headers of one response.

    A body that may be large is an iterator of parts, which are made as they are sent.
    """

    body: bytes | Iterator[bytes]
    status: int = 200
    media: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()

    def render(self, request: Request) -> bytes | Iterator[bytes]:
        """Set status and headers; returns what to write: a small body, or the pieces of a large one."""
        headers = request.responseHeaders
        if self.status != 200:
            request.setResponseCode(self.status)
        for name, value in self.headers:
            headers.setRawHeaders(name, [value])
        if self.status == 204:
            return b""
        headers.setRawHeaders(b"Content-Type", [self.media])
        body = self._body(request)
        if isinstance(body, bytes):
            headers.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
            return body if len(body) <= PIECE or request.method == b"HEAD" else _cut(body)
        return body

    def _body(self, request: Request) -> bytes | Iterator[bytes]:
        if isinstance(self.body, bytes):
            return self.body
        if request.method == b"HEAD":  # so the body is not made, and its length is not known
            return iter(())
        return _whole(_joined(self.body))


def json_reply(document: Mapping[str, object], status: int = 200) -> RestReply:
    """Returns `document` as JSON."""
    return RestReply(json.dumps(document).encode(), status)


def _cut(body: bytes) -> Iterator[bytes]:
    """Returns the pieces of a body."""
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Joins small parts to pieces of `PIECE` bytes or a little more."""
    piece = bytearray()
    for part in parts:
        piece += part
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _whole(pieces: Iterator[bytes]) -> bytes | Iterator[bytes]:
    """Returns the one piece if there is only one, else all of them."""
    first, second = next(pieces, b""), next(pieces, None)
    return first if second is None else chain((first, second), pieces)
