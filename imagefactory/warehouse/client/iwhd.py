"""How an iwhd is asked: attribute by attribute, the body first, what queries select on last.

So an object that is only half stored is never found. What iwhd cannot do is done in the nearest way: an attribute that
is removed becomes the text `none`, which its clients take for absent, and reads as absent here.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagefactory.lib.errors import Unsupported
from imagefactory.warehouse import names
from imagefactory.warehouse.client import lists
from imagefactory.warehouse.client.buckets import path, stored
from imagefactory.warehouse.client.exchange import IDLE, ClientRequest, Exchange
from imagefactory.warehouse.client.receiving import IncomingResponse
from imagefactory.warehouse.client.sending import BodySource, in_memory
from imagefactory.warehouse.client.upload import HASHED
from imagefactory.warehouse.interface import Changed, agrees
from imagefactory.warehouse.query.tokens import TokenKind, tokenise

_FORM = "application/x-www-form-urlencoded"
_GONE = "none"
_SELECTORS = ("target", "provider", "image", "build", "target_image")
"""Set last, in this order: the factory's queries name one of the last three."""

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz_")


class IwhdDialect:
    """A `Dialect`; a `master` writes bodies to its slaves, too, which take them from no other client."""

    def __init__(self, exchange: Exchange, *, master: bool = False) -> None:
        self._exchange = exchange
        self._master = master
        self._slave = False  # what is there, as far as we know

    async def send(
        self,
        bucket: str,
        key: str,
        body: BodySource,
        attributes: Mapping[str, str],
        digest: Mapping[str, str],  # noqa: ARG002 - iwhd knows none
    ) -> None:
        """The body whole, then one request per attribute."""
        if not await self._sent(bucket, key, body, may_refuse=self._master):
            self._slave = not self._slave
            await self._sent(bucket, key, body)
        await self.annotate(bucket, key, attributes, {})

    async def _sent(self, bucket: str, key: str, body: BodySource, *, may_refuse: bool = False) -> bool:
        """Whether the body was taken. A slave refuses one without the header of a master, all others one with it."""
        headers = {"X-redhat-role": "master"} if self._slave else {}
        accept = {200, 201, 500} | ({403} if may_refuse else set())
        ask = ClientRequest("PUT", path(bucket, key), accept, headers, body, IDLE + body.size / HASHED)

        async def take(arrival: IncomingResponse) -> bool:
            await stored(self._exchange, bucket, arrival)
            return arrival.status != 403

        return await self._exchange.call(ask, take)

    async def annotate(
        self,
        bucket: str,
        key: str,
        attributes: Mapping[str, str | None],
        expected: Mapping[str, str | None],
    ) -> None:
        """One request per attribute: its multi-attribute form does not survive long values.

        What is `expected` is read first, and may change before the first of those requests.
        """
        if expected:
            await self._demand(bucket, key, attributes, expected)
        if not attributes:
            form = {"Content-Type": _FORM}
            key_only = in_memory(f"_key={path(key)[1:]}".encode())
            await self._exchange.read(ClientRequest("POST", path(bucket), headers=form, body=key_only))
        for name in sorted(attributes, key=_rank):
            value = attributes[name]
            if value:
                await self._put(bucket, key, name, value)
            elif await self._attribute(bucket, key, name) is not None:
                await self._put(bucket, key, name, _GONE)

    async def _demand(
        self, bucket: str, key: str, wanted: Mapping[str, str | None], expected: Mapping[str, str | None]
    ) -> None:
        """Raises Changed unless those `expected`, or those wanted, are as given."""
        found = await self.attributes(bucket, key) or {}
        if not agrees(found, expected) and not agrees(found, wanted):
            raise Changed("the object has been changed meanwhile", where=f"{bucket}/{key}", hint="read it again")

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        """The list of names, then each value."""
        where = path(bucket, key, "_attrs")
        status, data = await self._exchange.read(ClientRequest("GET", where, {200, 404}, {"Accept": "application/xml"}))
        if status == 404:
            return None
        found = {}
        for name in lists.names(data, self._exchange.url + where):
            value = await self._attribute(bucket, key, name)
            if value is not None and name not in names.RESERVED_ATTRIBUTES:
                found[name] = value
        return found

    async def keys(self, bucket: str, prefix: str, after: str, limit: int | None) -> list[str]:
        """The whole listing, sorted here: iwhd knows no order and no pages."""
        where = path(bucket)
        _, data = await self._exchange.read(ClientRequest("GET", where, headers={"Accept": lists.JSON}))
        found = sorted(lists.keys(data, self._exchange.url + where), key=str.encode)
        wanted = [key for key in found if key.startswith(prefix) and key.encode() > after.encode()]
        return wanted[:limit]

    async def query(self, bucket: str, expression: str) -> list[str]:
        """Only what iwhd can read: to a query that it cannot read it answers with all objects."""
        _demand_old_names(expression)
        where = path(bucket, "_query")
        headers = {"Accept": lists.JSON, "Content-Type": _FORM}
        ask = ClientRequest("POST", where, {200, 404}, headers, in_memory(expression.encode()))
        status, data = await self._exchange.read(ask)
        return [] if status == 404 else sorted(lists.keys(data, self._exchange.url + where), key=str.encode)

    async def _put(self, bucket: str, key: str, name: str, value: str) -> None:
        headers = {"Content-Type": "text/plain"}
        await self._exchange.read(
            ClientRequest("PUT", path(bucket, key, name), headers=headers, body=in_memory(value.encode()))
        )

    async def _attribute(self, bucket: str, key: str, name: str) -> str | None:
        status, data = await self._exchange.read(ClientRequest("GET", path(bucket, key, name), {200, 404}))
        value = data.decode(errors="replace")
        return None if status == 404 or value in {"", _GONE} else value


def _rank(name: str) -> int:
    return _SELECTORS.index(name) if name in _SELECTORS else -1


def _demand_old_names(expression: str) -> None:
    for token in tokenise(expression):
        if token.text == "#" and token.kind is TokenKind.SIGN:
            raise Unsupported("this warehouse (iwhd) does not survive # in a query", where=expression)
        if token.kind is TokenKind.NAME and not _NAME.issuperset(token.text):
            raise Unsupported(
                "this warehouse (iwhd) reads only names of lower-case letters and _ in queries", where=expression
            )
