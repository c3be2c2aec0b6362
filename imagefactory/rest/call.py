"""One request as a resource sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from twisted.web.http import Request

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.ids import canonical
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.errors import UnsupportedMedia
from imagefactory.rest.v1.fields import read_fields


class Call:
    """A request with the ids from its path; what a resource does not ask for is not computed."""

    __slots__ = ("_body", "_fields", "_origin", "ids", "request")

    def __init__(self, request: Request, ids: Mapping[str, str], origin: ClientAddress) -> None:
        self.request = request
        self.ids = {name: canonical(id) for name, id in ids.items()}
        self._origin = origin
        self._fields: dict[str, Any] | None = None
        self._body: bytes | None = None

    @property
    def base(self) -> str:
        """The root of all our links."""
        return self._origin.base(self.request)

    @property
    def url(self) -> str:
        """The request's address as its client wrote it, without query and trailing slash."""
        path: bytes = self.request.path
        return self.base + quote(path.rstrip(b"/"), safe="/%:@!$&'()*+,;=~")

    @property
    def uri(self) -> str:
        """The address with its query, for signatures."""
        return self.base + self.request.uri.decode("latin-1")

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of the body, read once; see `read_fields`."""
        if self._fields is None:
            coding = (self.request.getHeader(b"content-encoding") or b"identity").strip().lower()
            if self.body and coding != b"identity":
                raise UnsupportedMedia("the body is encoded, which is not understood", hint="send it as it is")
            header = self.request.getHeader(b"content-type") or b""
            self._fields = read_fields(self.body, header.decode("latin-1"))
        return self._fields

    @property
    def body(self) -> bytes:
        """The whole body."""
        if self._body is None:
            self._body = _content(self.request)
        return self._body

    def query(self, name: str) -> str | None:
        """A query parameter (the last of that name).

        Raises InvalidInput.
        """
        values = (self.request.args or {}).get(name.encode())
        if not values:
            return None
        try:
            text: str = values[-1].decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("a query parameter is not UTF-8", where=name) from error
        return text

    def number(self, name: str, default: int | None = None, *, low: int = 0) -> int | None:
        """A query parameter that is a whole number of at least `low`.

        Raises InvalidInput.
        """
        text = self.query(name)
        if text is None or text == "":
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) >= low):
            raise InvalidInput(f"must be a whole number of at least {low}", where=name)
        return int(text)


def _content(request: Request) -> bytes:
    if request.content is None:
        return b""
    request.content.seek(0)
    body: bytes = request.content.read()
    return body
