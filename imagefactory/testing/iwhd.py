"""An iwhd as it was, defects included, as far as its clients can see them; everything in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_to_bytes

from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import InvalidInput
from imagefactory.warehouse.query import matches, parse

_OLD_QUERY = re.compile(r'(?:"[^"]*"|[^"A-Z-])*')
_RESERVED = {"_attrs", "_bucket", "_date", "_etag", "_key", "_loc", "_size"}


@dataclass
class Kept:
    """An object; `body` None: attributes only."""

    body: bytes | None = None
    attributes: dict[str, str] = field(default_factory=dict)


FakeReply = tuple[int, bytes]


class FakeIwhd(Resource):
    """The resource; `buckets` are those that were made, `objects` what the metadata knows, by bucket and key.

    A `slave` takes bodies from its master only.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.buckets: set[str] = set()
        self.objects: dict[str, dict[str, Kept]] = {}
        self.asked: list[str] = []
        self.slave = False

    def render(self, request: Request) -> bytes | int:
        """Answer one request."""
        method = request.method.decode()
        raw = request.uri.partition(b"?")[0]
        self.asked.append(f"{method} {raw.decode()}")
        names = [name for name in unquote_to_bytes(raw).decode().split("/") if name]
        body = request.content.read() if request.content else b""
        act: Callable[..., FakeReply | None] = getattr(self, f"_{method.lower()}_{len(names)}", _nothing)
        answer = act(request, body, *names)
        if answer is None:
            request.loseConnection()  # as iwhd did where it found no words
            return NOT_DONE_YET
        request.setResponseCode(answer[0])
        return answer[1]

    def _get_0(self, request: Request, body: bytes) -> FakeReply:
        return 200, b'<api service="image_warehouse" version="0.96">\n</api>\n'

    def _put_1(self, request: Request, body: bytes, bucket: str) -> FakeReply:
        if bucket in self.buckets:
            return 500, b""
        self.buckets.add(bucket)
        self.objects.setdefault(bucket, {})["_default"] = Kept(None, {"_policy": "0"})
        return 201, b""

    def _get_1(self, request: Request, body: bytes, bucket: str) -> FakeReply:
        if bucket not in self.objects:
            return 404, b""
        return 200, _listing(bucket, list(self.objects[bucket]))

    def _post_1(self, request: Request, body: bytes, bucket: str) -> FakeReply:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        key = fields.pop("_key", "")
        if not key or _RESERVED & fields.keys():
            return 400, b""
        self._kept(bucket, key).attributes |= fields
        return 200, b""

    def _put_2(self, request: Request, body: bytes, bucket: str, key: str) -> FakeReply:
        if request.getHeader("X-redhat-role") != ("master" if self.slave else None):
            return 403, b""
        if bucket not in self.buckets:
            return 500, b""
        self._kept(bucket, key).body = body
        return 201, b""

    def _get_2(self, request: Request, body: bytes, bucket: str, key: str) -> FakeReply:
        found = self.objects.get(bucket, {}).get(key)
        if found is None or found.body is None:
            return 404, b""
        return 200, found.body

    def _delete_2(self, request: Request, body: bytes, bucket: str, key: str) -> FakeReply:
        if self._get_2(request, body, bucket, key)[0] == 404:
            return 404, b""
        del self.objects[bucket][key]
        return 200, b""

    def _post_2(self, request: Request, body: bytes, bucket: str, key: str) -> FakeReply | None:
        if key != "_query" or not body:
            return None
        objects, text = self.objects.get(bucket, {}), body.decode()
        try:
            query = parse(text) if _OLD_QUERY.fullmatch(text) else None
        except InvalidInput:
            query = None  # then everything is found
        found = [name for name, kept in objects.items() if query is None or matches(query, kept.attributes, _no_link)]
        shown = [name for name in found if name != "_default"]
        return (200, _listing(bucket, shown)) if shown else (404, b"")

    def _put_3(self, request: Request, body: bytes, bucket: str, key: str, name: str) -> FakeReply | None:
        if not body:
            return None
        if name in _RESERVED:
            return 400, b""
        self._kept(bucket, key).attributes[name] = body.decode()
        return 201, b""

    def _get_3(self, request: Request, body: bytes, bucket: str, key: str, name: str) -> FakeReply:
        found = self.objects.get(bucket, {}).get(key)
        if found is None:
            return 404, b""
        if name != "_attrs":
            value = found.attributes.get(name, "")
            return (200, value.encode()) if value else (404, b"")
        lines = [f'\t<object_attr name="{each}" path="{bucket}/{key}/{each}"/>\n' for each in found.attributes]
        return 200, f"<object>\n{''.join(lines)}</object>\n".encode()

    def _kept(self, bucket: str, key: str) -> Kept:
        return self.objects.setdefault(bucket, {}).setdefault(key, Kept())


def _no_link(bucket: str, key: str, name: str) -> str:
    return ""


def _nothing(*_: object) -> FakeReply:
    return 404, b""


def _listing(bucket: str, keys: list[str]) -> bytes:
    """JSON in insertion order, nothing escaped."""
    shown = [f'\t{{\n\t\t"bucket": "{bucket}",\n\t\t"key": "{key}"\n\t}}' for key in keys if key != "_default"]
    return ("[\n" + ",\n".join(shown) + "\n]\n").encode()


def iwhd_site(iwhd: FakeIwhd, clock: Clock) -> Site:
    """A site to listen with."""
    return Site(iwhd, reactor=clock)
