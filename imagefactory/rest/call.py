"""One request as a handler sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from twisted.web.http import Request

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.http.forms import is_form
from imagefactory.model.ids import canonical
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.errors import UnsupportedMedia


@dataclass(frozen=True, slots=True)
class BodyFormat:
    """How one version of the API reads bodies; both functions take the body and its Content-Type.

    `fields` returns the fields by name, `form` the pairs of a urlencoded form in their order (none for another type).
    """

    fields: Callable[[bytes, str], Mapping[str, Any]]
    form: Callable[[bytes, str], list[tuple[str, str]]]


class RestCall:
    """A request with the ids from its path; what a handler does not ask for is not computed.

    `client` is the name of the client that has signed it, None without a signature.
    """

    __slots__ = ("_address", "_bodies", "_body", "_fields", "client", "ids", "request")

    def __init__(self, request: Request, ids: Mapping[str, str], address: ClientAddress, bodies: BodyFormat) -> None:
        self.request = request
        self.ids = {name: canonical(id) for name, id in ids.items()}
        self._address = address
        self._bodies = bodies
        self._fields: Mapping[str, Any] | None = None
        self._body: bytes | None = None
        self.client: str | None = None

    @property
    def base(self) -> str:
        """Returns the root of all links: scheme, host and port."""
        return self._address.base(self.request)

    @property
    def url(self) -> str:
        """Returns the address as the client wrote it, without query and trailing slash."""
        path: bytes = self.request.path
        return self.base + quote(path.rstrip(b"/"), safe="/%:@!$&'()*+,;=~")

    @property
    def uri(self) -> str:
        """Returns the address with its query, for signatures."""
        return self.base + self.request.uri.decode("latin-1")

    @property
    def fields(self) -> Mapping[str, Any]:
        """Returns the fields of the body, which are read once.

        Raises:
            InvalidInput: the body is malformed.
            UnsupportedMedia: it is of a type, or encoded in a way, that is not understood.
        """
        if self._fields is None:
            coding = (self.request.getHeader(b"content-encoding") or b"identity").strip().lower()
            if self.body and coding != b"identity":
                raise UnsupportedMedia("the body is encoded, which is not understood", hint="send it as it is")
            self._fields = self._bodies.fields(self.body, self._content_type)
        return self._fields

    @property
    def form(self) -> list[tuple[str, str]]:
        """Returns the pairs of a urlencoded form in their order; none for a body of another type.

        Raises:
            InvalidInput: the form is malformed.
        """
        return self._bodies.form(self.body, self._content_type)

    @property
    def may_be_form(self) -> bool:
        """Whether the body is a urlencoded form by its type, or has no type, so that it may be one."""
        return is_form(self._content_type)

    @property
    def body(self) -> bytes:
        """Returns the whole body."""
        if self._body is None:
            self._body = _content(self.request)
        return self._body

    def query(self, name: str) -> str | None:
        """Returns a query parameter (the last of that name), None without one.

        Raises:
            InvalidInput: it is not UTF-8.
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
        """Returns a query parameter that is a whole number of at least `low`; `default` without one.

        Raises:
            InvalidInput: it is something else.
        """
        text = self.query(name)
        if text is None or text == "":
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) >= low):
            raise InvalidInput(f"must be a whole number of at least {low}", where=name)
        return int(text)

    @property
    def _content_type(self) -> str:
        header: bytes = self.request.getHeader(b"content-type") or b""
        return header.decode("latin-1")


def _content(request: Request) -> bytes:
    if request.content is None:
        return b""
    request.content.seek(0)
    body: bytes = request.content.read()
    return body
