"""How a warehouse of ours is asked."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from imagefactory.lib.errors import NotFound, Unavailable
from imagefactory.warehouse.client import buckets, lists
from imagefactory.warehouse.client.buckets import path
from imagefactory.warehouse.client.exchange import ClientRequest, Exchange
from imagefactory.warehouse.client.sending import BodySource, in_memory
from imagefactory.warehouse.client.upload import Upload
from imagefactory.warehouse.interface import Changed, agrees
from imagefactory.warehouse.wire import CONTENT, EXPECTED

PAGE = 10_000
_FORM = "application/x-www-form-urlencoded"
_IN_HEADER = 16 << 10  # bytes of attributes that go with the body; more would be too much for proxies
_JSON = {"Accept": lists.JSON}


class OwnDialect:
    """A `Dialect`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def send(
        self, bucket: str, key: str, body: BodySource, attributes: Mapping[str, str], digest: Mapping[str, str]
    ) -> None:
        """In one request, but for attributes that are too large for it: those come first."""
        light, heavy = _split(attributes)
        if heavy:
            await self._demand(bucket)  # setting attributes would make the bucket
            await self.annotate(bucket, key, heavy, {})
        known = digest or {CONTENT: await self._exchange.threads.run(body.content)}
        headers = {"X-Warehouse-Attributes": light} if light else {}
        reported = await Upload(self._exchange, bucket, path(bucket, key), body, {**headers, **known}).send()
        if any(name in reported and reported[name] != sent for name, sent in known.items()):
            raise Unavailable(
                "the warehouse stored something else than was sent",
                where=f"{self._exchange.url}{path(bucket, key)}",
                hint="something between here and there changes data: store it again",
            )

    async def annotate(
        self,
        bucket: str,
        key: str,
        attributes: Mapping[str, str | None],
        expected: Mapping[str, str | None],
    ) -> None:
        """One form, one transaction."""
        data = in_memory(_form({"_key": key, **attributes}).encode())
        headers = {"Content-Type": _FORM} | ({EXPECTED: _form(expected)} if expected else {})
        try:
            await self._exchange.read(ClientRequest("POST", path(bucket), headers=headers, body=data))
        except Changed:  # or a try before this one has set them, and its reply was lost
            if not agrees(await self.attributes(bucket, key) or {}, attributes):
                raise

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        """All in one reply."""
        where = path(bucket, key, "_attrs") + "?values=1"
        status, data = await self._exchange.read(ClientRequest("GET", where, {200, 404}, _JSON))
        return None if status == 404 else lists.values(data, self._exchange.url + where)

    async def keys(self, bucket: str, prefix: str, after: str, limit: int | None) -> list[str]:
        """Page by page."""
        found: list[str] = []
        while limit is None or len(found) < limit:
            wanted = PAGE if limit is None else min(PAGE, limit - len(found))
            where = path(bucket, prefix=prefix, after=after, limit=wanted)
            _, data = await self._exchange.read(ClientRequest("GET", where, headers=_JSON))
            page = lists.keys(data, self._exchange.url + where)
            found += page
            if len(page) < wanted:
                break
            after = page[-1]
        return found

    async def query(self, bucket: str, expression: str) -> list[str]:
        """Page by page; no match is 404."""
        found: list[str] = []
        page, after = [""], ""
        headers = {**_JSON, "Content-Type": _FORM}
        while page:
            where = path(bucket, "_query", after=after, limit=PAGE)
            ask = ClientRequest("POST", where, {200, 404}, headers, in_memory(expression.encode()))
            status, data = await self._exchange.read(ask)
            page = [] if status == 404 else lists.keys(data, self._exchange.url + where)
            found += page
            if len(page) < PAGE:
                break
            after = page[-1]
        return found

    async def _demand(self, bucket: str) -> None:
        if not await buckets.exists(self._exchange, bucket):
            raise NotFound("there is no such bucket", where=f"{self._exchange.url}{path(bucket)}")


def _form(attributes: Mapping[str, str | None]) -> str:
    return urlencode({name: value or "" for name, value in attributes.items()}, quote_via=quote, safe="")


def _split(attributes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """What fits into a header, as a form, and the rest: the largest ones."""
    form, heavy = "", {}
    for name, value in sorted(attributes.items(), key=lambda item: len(item[1])):
        field = urlencode({name: value})
        if len(form) + len(field) < _IN_HEADER:
            form += ("&" if form else "") + field
        else:
            heavy[name] = value
    return form, heavy
