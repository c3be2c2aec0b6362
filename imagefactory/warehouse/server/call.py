"""A request and a reply as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote_to_bytes

from twisted.web.http_headers import Headers

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.http.forms import MULTIPART, media_type, multipart_pairs, urlencoded_pairs
from imagefactory.warehouse import names
from imagefactory.warehouse.server.content import Content
from imagefactory.warehouse.server.pages import Pages

DEEPEST = 3
MOST_FIELDS = 10_000


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for.

    `path` has up to three names (bucket, key, attribute), None if it can name nothing; `body` is empty until it has
    come, and always for streamed ones.
    """

    method: str
    uri: str
    path: tuple[str, ...] | None
    headers: Headers = field(default_factory=Headers)
    secure: bool = False
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The last header of this name, as text, whatever its bytes are."""
        value = self.raw_header(name)
        return None if value is None else value.decode("latin-1")

    def raw_header(self, name: str) -> bytes | None:
        """The last header of this name, as it came."""
        values = self.headers.getRawHeaders(name.encode())
        return values[-1] if values else None

    def argument(self, name: str) -> str | None:
        """An argument of the URL; InvalidInput if there are too many."""
        try:
            found = parse_qs(self.uri.partition("?")[2], keep_blank_values=True, max_num_fields=100).get(name)
        except ValueError:
            raise InvalidInput("the URL has too many arguments") from None
        return found[-1] if found else None

    def number(self, name: str) -> int | None:
        """A URL argument that is a number; InvalidInput if it is something else."""
        text = self.argument(name)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise InvalidInput("a number is expected", where=name)
        return None if text is None else int(text)

    @property
    def json(self) -> bool:
        """Whether the reply shall be JSON: iwhd looked for `/json` anywhere in Accept."""
        return "/json" in (self.header("accept") or "")

    @property
    def root(self) -> str:
        """The URL of the warehouse as this client writes it."""
        return f"{'https' if self.secure else 'http'}://{self.header('host') or 'localhost'}"

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return media_type(self.header("content-type") or "")

    def text(self) -> str:
        """The body as text; InvalidInput if it is not UTF-8."""
        return as_text(self.body, "the body")

    def form(self) -> dict[str, str]:
        """The fields of a form, urlencoded or multipart; of a repeated one the last."""
        if self.content_type == MULTIPART:
            return dict(multipart_pairs(self.body, self.header("content-type") or "", MOST_FIELDS))
        return parse_form(self.text())

    def with_body(self, body: bytes) -> Call:
        """The same call, its body having come."""
        return replace(self, body=body)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; errors of the old API have no body."""

    status: int
    body: bytes | Content | Pages = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def split_path(uri: bytes) -> tuple[str, ...] | None:
    """The names in a path, as iwhd split it: decoded first, empty ones dropped; None for what can name nothing."""
    path = uri.partition(b"?")[0]
    if path.lower().startswith((b"http://", b"https://")):  # as proxies write it
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    decoded = unquote_to_bytes(path)
    if not path.startswith(b"/") or b"../" in decoded:
        return None
    try:
        parts = tuple(part.decode() for part in decoded.split(b"/") if part)
    except UnicodeDecodeError:
        return None
    return None if len(parts) > DEEPEST or any(map(names.problem, parts)) else parts


def as_text(data: bytes, what: str) -> str:
    """InvalidInput if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not UTF-8") from None


def parse_form(text: str) -> dict[str, str]:
    """Fields of an urlencoded form; InvalidInput."""
    return dict(urlencoded_pairs(text, MOST_FIELDS))


def attributes_in_headers(headers: Headers) -> dict[str, str]:
    """Attributes that come with a body: `X-Warehouse-Attributes: a=1&B=2`, or `X-Warehouse-Attr-a: 1`.

    Header names have no case: the names of the second form are lower case. Values are %-decoded.
    """
    found: dict[str, str] = {}
    prefix = "x-warehouse-attr-"
    for raw, values in headers.getAllRawHeaders():
        name = raw.decode("latin-1").lower()
        if name == "x-warehouse-attributes":
            for value in values:
                found |= parse_form(as_text(value, name))
        elif name.startswith(prefix):
            found[name.removeprefix(prefix)] = as_text(unquote_to_bytes(values[-1]), name)
    return found
