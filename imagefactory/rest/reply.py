"""A finished answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from twisted.web.http import Request

from imagefactory.rest.large_replies import PIECE, joined, pieces_of, whole

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass(slots=True)
class Reply:
    """Body, status, content type and further headers of one answer.

    A body that may be large is given in parts, which are made as they are sent.
    """

    body: bytes | Iterator[bytes]
    status: int = 200
    media: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()

    def render(self, request: Request) -> bytes | Iterator[bytes]:
        """Set status and headers; the answer is what to write: a small body, or the pieces of a large one."""
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
            return body if len(body) <= PIECE or request.method == b"HEAD" else pieces_of(body)
        return body

    def _body(self, request: Request) -> bytes | Iterator[bytes]:
        if isinstance(self.body, bytes):
            return self.body
        if request.method == b"HEAD":  # nobody reads it, so none is made, and its length is not known
            return iter(())
        return whole(joined(self.body))


def json_reply(document: Mapping[str, object], status: int = 200) -> Reply:
    """`document` as JSON."""
    return Reply(json.dumps(document).encode(), status)
