"""A finished answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twisted.web.http import Request

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


@dataclass(slots=True)
class Reply:
    """Body, status, content type and further headers of one answer."""

    body: bytes
    status: int = 200
    media: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()

    def render(self, request: Request) -> bytes:
        """Set status and headers; the answer is the body to write."""
        headers = request.responseHeaders
        if self.status != 200:
            request.setResponseCode(self.status)
        if self.status != 204:
            headers.setRawHeaders(b"Content-Type", [self.media])
            headers.setRawHeaders(b"Content-Length", [b"%d" % len(self.body)])
        for name, value in self.headers:
            headers.setRawHeaders(name, [value])
        return self.body


def json_reply(document: Mapping[str, object], status: int = 200) -> Reply:
    """`document` as JSON."""
    return Reply(json.dumps(document).encode(), status)
