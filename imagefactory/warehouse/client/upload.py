"""Sending one body to a warehouse of ours: without its holes, or in a way that can go on after a break."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex

from imagefactory.lib.errors import NotFound
from imagefactory.warehouse.client.buckets import exists, path, stored
from imagefactory.warehouse.client.errors import TemporarilyUnavailable
from imagefactory.warehouse.client.exchange import IDLE, ClientRequest, Exchange
from imagefactory.warehouse.client.receiving import IncomingResponse
from imagefactory.warehouse.client.sending import BodySource
from imagefactory.warehouse.wire import CONTENT, DIGEST, EXTENTS, UPLOAD_NAME, UPLOAD_OFFSET

SMALL = 8 << 20
"""Bodies up to this size are sent again as a whole."""

HASHED = 64 << 20
"""Bytes that the slowest server is believed to hash and write in a second, once it has them all."""


class Upload:
    """One body to one object; `headers` go with it."""

    def __init__(
        self, exchange: Exchange, bucket: str, place: str, body: BodySource, headers: Mapping[str, str]
    ) -> None:
        self._exchange = exchange
        self._bucket = bucket
        self._place = place
        self._body = body
        self._headers = headers
        self._idle = IDLE + body.size / HASHED
        self._name = token_hex(16)
        self._begun = False

    async def send(self) -> Mapping[str, str]:
        """Send it, again if need be; what the server says of what it stored, by header."""
        if self._body.size > SMALL and not await exists(
            self._exchange, self._bucket
        ):  # and who are we? before it costs
            raise NotFound("there is no such bucket", where=f"{self._exchange.url}{path(self._bucket)}")
        threads = self._exchange.threads
        framed = await threads.run(self._body.framed) if self._body.descriptor >= 0 else None
        if framed is not None:
            self._body = framed
            headers = {**self._headers, "Content-Type": EXTENTS}
            return await self._exchange.call(self._ask(framed, headers), self._stored)
        if self._body.size <= SMALL:
            return await self._exchange.call(self._ask(self._body, self._headers), self._stored)
        return await self._exchange.waiting.until_done(self._go_on)

    async def _go_on(self) -> Mapping[str, str]:
        """Send what the server does not have yet."""
        offset = await self._offset() if self._begun else 0
        self._begun = True
        last, size = self._body.size - 1, self._body.size
        headers = {**self._headers, UPLOAD_NAME: self._name, "Content-Range": f"bytes {offset}-{last}/{size}"}
        return await self._exchange.once(self._ask(self._body.rest(offset), headers), self._stored)

    async def _offset(self) -> int:
        headers = {UPLOAD_NAME: self._name, "Content-Range": f"bytes */{self._body.size}"}

        async def take(arrival: IncomingResponse) -> int:
            await self._stored(arrival)
            offset = arrival.header(UPLOAD_OFFSET)
            return int(offset) if offset.isascii() and offset.isdigit() else 0

        return await self._exchange.once(ClientRequest("PUT", self._place, {202, 409, 500}, headers), take)

    def _ask(self, body: BodySource, headers: Mapping[str, str]) -> ClientRequest:
        return ClientRequest("PUT", self._place, {200, 201, 409, 500}, headers, body, self._idle)

    async def _stored(self, arrival: IncomingResponse) -> Mapping[str, str]:
        await stored(self._exchange, self._bucket, arrival)
        if arrival.status == 409:  # the server has not noticed yet that the last connection broke, or lost what it had
            raise TemporarilyUnavailable("the upload cannot go on yet", where=f"PUT {self._exchange.url}{self._place}")
        return {name: found.lower() for name in (DIGEST, CONTENT) if (found := arrival.header(name))}
